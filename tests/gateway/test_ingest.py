"""Against a publisher in memory that acknowledges when told to, and refuses when told to."""

import asyncio
import json
import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.bookmark import Bookmark
from gateway.ingest import MOST_UNREADABLE_KEPT, IngestReport, ingest
from gateway.publish import Publisher, PublishError
from gateway.record import Record

DEADLINE_SECONDS = 20


class Memory(Publisher):
    """Keeps what is published; fails from the `fails_at`-th call on."""

    def __init__(self, fails_at: int | None = None) -> None:
        super().__init__("memory:0")
        self.records: list[Record] = []
        self.calls = 0
        self.fails_at = fails_at

    async def publish(self, records: Iterable[Record]) -> None:
        call, self.calls = self.calls, self.calls + 1
        kept = list(records)
        await asyncio.sleep(0)
        if self.fails_at is not None and call >= self.fails_at:
            raise PublishError("the broker is away")
        self.records.extend(kept)

    def ids(self) -> list[str]:
        return [json.loads(record.value)["id"] for record in self.records]


def enter(number: int) -> bytes:
    return b"%d|%d.1|IT|NONE|ENTERQUEUE||12025550123|1\n" % (1543861542 + number, number)


def mark(directory: Path, path: Path) -> Bookmark:
    return Bookmark(directory / "marks", path, tenant="default", source="s", logs={"t": "1"})


def run(path: Path, publisher: Publisher, **arguments: Any) -> IngestReport:
    return asyncio.run(
        asyncio.wait_for(ingest(path, publisher, source="s", **arguments), DEADLINE_SECONDS)
    )


def test_the_report_says_what_was_found(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "queue_log"
    path.write_bytes(
        b"1543861500|NONE|NONE|NONE|QUEUESTART|\n"
        + enter(0)
        + b"garbage\n"
        + b"1543861642|7.1|NONE|Agent/1|OUTANSWER|12025550123|COMPLETEAGENT|9|90\n"
        + b"1543861700|NONE|NONE|NONE|QUEUESTART|\n"
    )
    memory = Memory()
    report = run(path, memory)
    assert (report.lines, report.events) == (5, 4)
    assert report.skipped == {"QUEUESTART": 2}
    assert report.unreadable == [
        (str(path), 3, "1 fields, expected at least 5: epoch|call|queue|agent|EVENT")
    ]
    assert f"{path}:3 cannot be read: 1 fields" in caplog.text
    assert report.first_at == datetime(2018, 12, 3, 18, 25, 42, tzinfo=UTC)
    assert report.last_at == datetime(2018, 12, 3, 18, 27, 22, tzinfo=UTC)
    assert report.greatest_disorder_seconds == 0
    assert len(memory.records) == 4


def test_disorder_counts_events_and_not_lines(tmp_path: Path) -> None:
    path = tmp_path / "queue_log"
    path.write_bytes(
        enter(100) + b"1543861652|7.1|NONE|Agent/1|OUTANSWER|12025550123|COMPLETEAGENT|9|60\n"
    )
    # The answer lies 60 s before its line, which comes 10 s after the line before it.
    assert run(path, Memory()).greatest_disorder_seconds == 50


def test_an_empty_file_has_no_times(tmp_path: Path) -> None:
    path = tmp_path / "queue_log"
    path.touch()
    report = run(path, Memory())
    assert (report.lines, report.first_at, report.last_at) == (0, None, None)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no file"):
        run(tmp_path / "queue_log", Memory())


def test_unreadable_lines_without_end_are_counted_and_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "queue_log"
    path.write_bytes(b"x\n" * (MOST_UNREADABLE_KEPT + 5))
    report = run(path, Memory())
    assert report.unreadable_count == MOST_UNREADABLE_KEPT + 5
    assert len(report.unreadable) == MOST_UNREADABLE_KEPT


def test_a_second_run_goes_on_after_the_first(tmp_path: Path) -> None:
    path = tmp_path / "queue_log"
    path.write_bytes(enter(0) + enter(1))
    first, second, third = Memory(), Memory(), Memory()
    run(path, first, bookmark=mark(tmp_path, path))
    assert run(path, second, bookmark=mark(tmp_path, path)).lines == 0
    with path.open("ab") as out:
        out.write(enter(2))
    assert run(path, third, bookmark=mark(tmp_path, path)).lines == 1
    whole = Memory()
    run(path, whole)
    assert first.ids() + second.ids() + third.ids() == whole.ids()


def test_a_last_line_without_a_line_feed_is_read_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "queue_log"
    path.write_bytes(enter(0) + enter(1).rstrip())
    first, second = Memory(), Memory()
    assert run(path, first, bookmark=mark(tmp_path, path)).lines == 2
    with path.open("ab") as out:
        out.write(b"\n")
    assert run(path, second, bookmark=mark(tmp_path, path)).lines == 1
    assert second.ids() == first.ids()[2:], "the same line is the same event"


def test_the_bookmark_never_passes_what_was_not_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.tail.BLOCK_BYTES", 128)
    path = tmp_path / "queue_log"
    path.write_bytes(b"".join(map(enter, range(100))))
    whole = Memory()
    run(path, whole)
    for fails_at in (0, 1, 2, 7, 30):
        directory = tmp_path / str(fails_at)
        before, after = Memory(fails_at), Memory()
        with pytest.raises(PublishError):
            run(path, before, bookmark=mark(directory, path))
        run(path, after, bookmark=mark(directory, path))
        assert set(before.ids()) | set(after.ids()) == set(whole.ids()), "nothing is missing"
        assert len(after.records) < len(whole.records) or fails_at == 0, "it did not start anew"


async def following(
    path: Path, memory: Memory, steps: list[Callable[[], object]], **arguments: Any
) -> IngestReport:
    """Takes the next step each time that all of the previous one is published, then stops."""
    stop = asyncio.Event()

    def progress(report: IngestReport) -> None:
        if steps:
            steps.pop(0)()
        else:
            stop.set()

    async with asyncio.timeout(DEADLINE_SECONDS):
        return await ingest(
            path,
            memory,
            source="s",
            follow=True,
            stop=stop,
            poll_seconds=0.001,
            progress=progress,
            **arguments,
        )


def test_following_goes_through_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "queue_log"
    path.write_bytes(enter(0))

    def grow() -> None:
        with path.open("ab") as out:
            out.write(enter(1))

    def rotate() -> None:
        path.rename(tmp_path / "queue_log.1")
        path.write_bytes(enter(2))

    memory = Memory()
    report = asyncio.run(following(path, memory, [grow, rotate], bookmark=mark(tmp_path, path)))
    assert (report.lines, report.gaps) == (3, [])
    assert [record.key for record in memory.records[::2]] == [b"0.1", b"1.1", b"2.1"]
    assert run(path, memory, bookmark=mark(tmp_path, path)).lines == 0


def test_a_truncation_while_following_is_in_the_report(tmp_path: Path) -> None:
    path = tmp_path / "queue_log"
    path.write_bytes(enter(0) + enter(1))

    def truncate() -> None:
        os.truncate(path, 0)
        with path.open("ab") as out:
            out.write(enter(2))

    report = asyncio.run(following(path, Memory(), [truncate]))
    assert report.lines == 3
    assert len(report.gaps) == 1


def test_following_waits_for_a_file_until_it_is_stopped(tmp_path: Path) -> None:
    async def stopped_at_once() -> IngestReport:
        stop = asyncio.Event()
        running = asyncio.create_task(
            ingest(tmp_path / "queue_log", Memory(), follow=True, stop=stop, poll_seconds=60)
        )
        await asyncio.sleep(0)
        assert not running.done()
        stop.set()
        return await asyncio.wait_for(running, DEADLINE_SECONDS)

    assert asyncio.run(stopped_at_once()).lines == 0
