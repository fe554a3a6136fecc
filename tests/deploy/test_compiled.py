"""The wheel with the fold compiled (`deploy/compile_fold.py`): the same laws, the same rows."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import unavailable

ROOT = Path(__file__).parents[2]
COMPILE_SECONDS = 600


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the packages as the image has them."""
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        unavailable("compiling the fold needs a C compiler (Debian: gcc)")
    target = tmp_path_factory.mktemp("compiled")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(target)]
    # What is tried is mypyc's translation: the C compiler's best takes half as long again.
    building = {"HATCH_BUILD_HOOK_ENABLE_CUSTOM": "true", "MYPYC_OPT_LEVEL": "0"}
    subprocess.run(
        [*pip, *offline, str(ROOT)],
        env=os.environ | building,
        timeout=COMPILE_SECONDS,
        check=True,
    )
    return target


@pytest.mark.timeout(3 * COMPILE_SECONDS)  # more than its steps may take together: theirs say more
def test_the_laws_of_what_is_compiled_hold_compiled(compiled: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(compiled), str(ROOT)))}
    # -P and an empty pythonpath: what is imported is what was compiled, not what lies here.
    python = [sys.executable, "-P"]
    imported = subprocess.run(
        [*python, "-c", "import streams.fold.partition as fold; print(fold.__file__)"],
        env=environment,
        timeout=60,
        capture_output=True,
        text=True,
        check=True,
    )
    assert imported.stdout.startswith(str(compiled))
    assert imported.stdout.strip().endswith(".so")
    of_stages = ["tests/streams/fold", "tests/streams/monitor", "tests/streams/identity"]
    laws = [*of_stages, "tests/schemas/test_decode.py", "tests/schemas/test_native.py"]
    run = subprocess.run(
        [*python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "pythonpath=", *laws],
        env=environment,
        cwd=ROOT,
        timeout=COMPILE_SECONDS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4_000:]
