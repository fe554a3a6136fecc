"""Apply each mutation to a copy of the sources and run the tests that must notice it.

    python -m tests.mutations [words of a mutation's name]

Prints a table; exits 1 if a mutation survives. Takes a few minutes.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.mutations.catalogue import MUTATIONS, Mutation

ROOT = Path(__file__).parents[2]
COPIED = ("schemas", "streams", "sinks", "gateway", "samples", "tests", "pyproject.toml")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "target", "faults", "integration")
NO_TEST_FAILED, TESTS_FAILED = 0, 1
NO_SHRINKING = """
from hypothesis import Phase
settings.register_profile("mutations", settings.default, phases=[Phase.generate], database=None)
settings.load_profile("mutations")
"""
"""That a test fails is all that matters here, not by how little."""


def main(words: list[str]) -> int:
    """Run the mutations whose name holds all `words`; the exit code."""
    chosen = [m for m in MUTATIONS if all(word in m.name for word in words)]
    survivors = 0
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=LEFT_OUT)
            else:
                shutil.copy2(source, copy / name)
        with (copy / "tests/conftest.py").open("a", encoding="utf-8") as conftest:
            conftest.write(NO_SHRINKING)
        tests = sorted({test for mutation in chosen for test in mutation.tests})
        if tests and fails(tests, copy):
            raise RuntimeError(f"without any mutation some of these fail: {', '.join(tests)}")
        for mutation in chosen:
            caught = is_caught(mutation, copy)
            survivors += not caught
            print(f"{'caught  ' if caught else 'SURVIVED'}  {mutation.name}", flush=True)  # noqa: T201
    return 1 if survivors or not chosen else 0


def is_caught(mutation: Mutation, copy: Path) -> bool:
    """Whether a test fails once the mutation is applied to the copy, which is put right again."""
    path = copy / mutation.file
    original = path.read_text(encoding="utf-8")
    path.write_text(original.replace(mutation.before, mutation.after), encoding="utf-8")
    caught = fails(mutation.tests, copy)
    path.write_text(original, encoding="utf-8")
    return caught


def fails(tests: Sequence[str], copy: Path) -> bool:
    """Whether a test fails.

    Raises:
        RuntimeError: the tests did not run, which says nothing.
    """
    command = [
        *(sys.executable, "-m", "pytest", "-x", "-q", "--hypothesis-seed=1"),
        *("-p", "no:cacheprovider", *tests),
    ]
    run = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    if run.returncode not in (NO_TEST_FAILED, TESTS_FAILED):
        raise RuntimeError(f"the tests did not run:\n{run.stdout}{run.stderr}")
    return run.returncode == TESTS_FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
