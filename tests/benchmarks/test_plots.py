"""What was measured goes between the marks of the page, and nowhere else."""

from pathlib import Path

import pytest

from benchmarks import plots


def test_what_stood_between_the_marks_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- rest -->\nold\n<!-- /rest -->\nb\n")
    monkeypatch.setattr(plots, "PAGE", page)

    plots._write("rest", ["new", "lines"])
    plots._write("rest", [])

    assert page.read_text() == "a\n<!-- rest -->\nnew\nlines\n<!-- /rest -->\nb\n"


def test_every_mark_that_is_written_is_on_the_page_once() -> None:
    text = plots.PAGE.read_text()

    for mark in (
        "bench",
        "peers",
        *(axis.name for axis in plots.COSTS),
        "workers",
        "state",
        "rest",
    ):
        assert (text.count(f"<!-- {mark} -->\n"), text.count(f"<!-- /{mark} -->\n")) == (1, 1)
