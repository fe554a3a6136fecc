import json
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.bookmark import Bookmark
from gateway.tail import Position

POSITION = Position(
    device=1, inode=2, head="ab", head_bytes=3, modified_ns=1 << 60, offset=1 << 40, lines=5
)
LOGS = {"events.call": "log-1", "events.agent": "log-2"}


def bookmark(directory: Path, **changed: object) -> Bookmark:
    arguments = {"tenant": "default", "source": "asterisk/queue_log", "logs": LOGS, **changed}
    path = arguments.pop("path", Path("/var/log/asterisk/queue_log"))
    return Bookmark(directory, path, **arguments)  # type: ignore[arg-type]


def test_what_was_saved_last_is_loaded(tmp_path: Path) -> None:
    mark = bookmark(tmp_path / "made" / "when" / "needed")
    assert mark.load() is None
    mark.save(POSITION)
    assert mark.load() == POSITION
    later = replace(POSITION, offset=1 << 41)
    mark.save(later)
    assert bookmark(tmp_path / "made" / "when" / "needed").load() == later


@pytest.mark.parametrize(
    "changed",
    [
        {"path": Path("/var/log/asterisk/queue_log.1")},
        {"tenant": "acme"},
        {"source": "asterisk/berlin"},
        {"logs": {**LOGS, "events.call": "log-3"}},
        {"logs": {"events.call": "log-1"}},
    ],
)
def test_it_counts_for_the_same_file_and_the_same_logs_alone(
    tmp_path: Path, changed: dict[str, object]
) -> None:
    bookmark(tmp_path).save(POSITION)
    assert bookmark(tmp_path, **changed).load() is None
    assert bookmark(tmp_path).load() == POSITION


def test_a_relative_path_is_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bookmark(tmp_path, path=tmp_path / "queue_log").save(POSITION)
    monkeypatch.chdir(tmp_path)
    assert bookmark(tmp_path, path=Path("queue_log")).load() == POSITION


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"format": 1}', b"\xff\0"])
def test_a_damaged_one_is_said_so_and_does_not_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    mark = bookmark(tmp_path)
    mark.save(POSITION)
    mark.file.write_bytes(damage)
    assert mark.load() is None
    assert "is damaged" in caplog.text
    assert str(mark.file) in caplog.text
    mark.save(POSITION)
    assert mark.load() == POSITION


def test_one_of_another_format_does_not_count(tmp_path: Path) -> None:
    mark = bookmark(tmp_path)
    mark.save(POSITION)
    stored = json.loads(mark.file.read_bytes())
    mark.file.write_text(json.dumps({**stored, "format": 2}))
    assert mark.load() is None


def test_an_interrupted_save_leaves_the_one_before(tmp_path: Path) -> None:
    mark = bookmark(tmp_path)
    mark.save(POSITION)
    mark.file.with_suffix(".new").write_bytes(b'{"format": 1, "pa')
    assert mark.load() == POSITION
    mark.save(replace(POSITION, lines=6))
    assert [file.name for file in tmp_path.iterdir()] == [mark.file.name]
