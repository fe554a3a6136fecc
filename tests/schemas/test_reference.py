"""The reference page and the example file say what the code does."""

from pathlib import Path

import pytest

from schemas.queues import QueueSettings
from schemas.reference import EXAMPLE, PAGE, render_configuration, render_example
from schemas.settings import Settings, all_keys, load_settings


@pytest.mark.parametrize(
    ("path", "rendered"), [(PAGE, render_configuration()), (EXAMPLE, render_example())]
)
def test_files_are_current(path: Path, rendered: str) -> None:
    assert path.read_text() == rendered, "write them anew: python -m schemas.reference"


def test_the_example_is_the_default() -> None:
    example = load_settings(EXAMPLE)
    assert example.queue("any") == QueueSettings()
    assert example.model_copy(update={"queues": {}}) == Settings()


def test_every_key_is_documented_and_explained() -> None:
    page, example = render_configuration(), render_example()
    for key in all_keys():
        name = key.rpartition(".")[2]
        rows = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
        if "alerts." in key:
            continue  # shown as one mapping; docs/live-queues.md has its keys
        assert rows, key
        assert all(row.split("|")[4].strip() for row in rows), key
        assert f"{name} =" in example, key
