"""`switchboard schema`: the contract as JSON Schema files, written out or compared."""

from pathlib import Path
from typing import Annotated

import typer

from schemas import jsonschema
from streams.cli.options import err, out

app = typer.Typer(
    no_args_is_help=True, help="The contract as JSON Schema: events, rows, queue settings."
)

DirectoryArgument = Annotated[
    Path, typer.Argument(metavar="DIR", help="Directory of the schema files.", file_okay=False)
]


@app.command("write")
def write(directory: DirectoryArgument) -> None:
    """Write a JSON Schema file for every event type and table; remove those of types gone.

    `switchboard schema write build/schemas`
    """
    others = sorted(
        set(directory.glob("*.json")) - {directory / n for n, _ in jsonschema.schemas()}
    )
    if others and not (directory / "queue_settings.json").exists():
        raise typer.BadParameter(
            f"{directory} has other JSON files ({others[0].name}, …), which would be removed: give"
            " a directory of their own",
            param_hint="DIR",
        )
    jsonschema.write(directory)
    out.print(f"{sum(1 for _ in jsonschema.schemas())} schemas in {directory}", markup=False)


@app.command("check")
def check(directory: DirectoryArgument) -> None:
    """Tell whether the files are those of this program; exit 1 where they are not.

    `switchboard schema check build/schemas`
    """
    differences = jsonschema.check(directory)
    for difference in differences:
        err.print(f"{directory / difference}", markup=False)
    if differences:
        err.print(f"Write them anew: switchboard schema write {directory}", markup=False)
        raise typer.Exit(1)
    out.print(f"The schemas in {directory} are current.", markup=False)
