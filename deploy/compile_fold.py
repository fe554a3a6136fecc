"""Build hook of the wheel: compiles the fold with mypyc. Off unless it is asked for.

    HATCH_BUILD_HOOK_ENABLE_CUSTOM=true pip wheel --no-build-isolation --no-deps .

The modules named in `COMPILED` become extension modules beside their source, and are what Python
then imports; everything else is as ever. Needs a C compiler and, because mypyc goes by the types of
what is imported, the project's requirements. `MYPYC_OPT_LEVEL` is the C compiler's (3). Writes to a
temporary directory and into the wheel.
"""

import os
import tempfile
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMPILED: Final = (
    "schemas/decode.py",
    "schemas/sketch.py",
    "schemas/native.py",
    "schemas/native_columns.py",
    "streams/fold/*.py",
    "streams/identity/edges.py",
    "streams/identity/erased.py",
    "streams/identity/normalise.py",
    "streams/monitor/causes.py",
    "streams/monitor/listed.py",
    "streams/monitor/queue.py",
    "streams/monitor/vectors.py",
    "streams/monitor/windows.py",
)


class CompiledFold(BuildHookInterface):  # type: ignore[misc, type-arg]
    """See the module's docstring."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and put the results into the wheel. An editable install stays as it is."""
        if version == "editable":
            return
        built = Path(tempfile.mkdtemp(prefix="switchboard-"))
        compile_into(Path(self.root), built)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        for extension in sorted((built / "lib").rglob("*.so")):
            inside = extension.relative_to(built / "lib")
            build_data["force_include"][str(extension)] = inside.as_posix()


def compile_into(root: Path, built: Path) -> None:
    """Leave the extension modules of the project at `root` under `built`/lib."""
    from mypyc.build import mypycify
    from setuptools import Distribution

    os.chdir(root)
    sources = sorted(
        path.as_posix()
        for pattern in COMPILED
        for path in Path().glob(pattern)
        if path.name != "__init__.py"
    )
    options = ["--config-file", os.devnull, "--ignore-missing-imports", "--follow-imports=silent"]
    extensions = mypycify(
        [*options, *sources],
        opt_level=os.environ.get("MYPYC_OPT_LEVEL", "3"),
        target_dir=str(built / "c"),
    )
    build = Distribution({"name": "switchboard", "ext_modules": extensions}).get_command_obj(
        "build_ext"
    )
    build.build_lib, build.build_temp = str(built / "lib"), str(built / "temp")
    build.ensure_finalized()
    build.run()
