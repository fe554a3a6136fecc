import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from gateway import tail as tail_module
from gateway.tail import Position, Tail


def read_all(tail: Tail) -> list[bytes]:
    """Every complete line there is now, checked to lie where the chunk says."""
    lines: list[bytes] = []
    while (chunk := tail.poll()) is not None:
        assert len(chunk.lines) == len(chunk.offsets)
        lines.extend(chunk.lines)
    return lines


def test_lines_come_with_their_offsets_and_numbers(tmp_path: Path) -> None:
    path = tmp_path / "queue_log"
    path.write_bytes(b"one\ntwo\r\n\nfour")
    tail = Tail(path)
    chunk = tail.poll()
    assert chunk is not None
    assert chunk.lines == [b"one", b"two\r", b""]
    assert chunk.offsets == [0, 4, 9]
    assert (chunk.first_number, chunk.end.offset, chunk.end.lines) == (1, 10, 3)
    assert tail.poll() is None
    last = tail.remainder()
    assert last is not None
    assert (last.lines, last.offsets, last.first_number) == ([b"four"], [10], 4)
    assert last.end.offset == 10, "a line without an end is read again, should it grow"


def test_there_is_no_file_yet(tmp_path: Path) -> None:
    path = tmp_path / "queue_log"
    tail = Tail(path)
    assert tail.poll() is None
    path.write_bytes(b"one\n")
    assert read_all(tail) == [b"one"]


def test_the_old_file_is_finished_before_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "queue_log"
    with path.open("ab", buffering=0) as writer:
        writer.write(b"one\n")
        tail = Tail(path)
        assert read_all(tail) == [b"one"]
        path.rename(tmp_path / "queue_log.1")
        path.write_bytes(b"")  # logrotate's `create`: the exchange still writes to the old file
        writer.write(b"two\nthr")
        assert read_all(tail) == [b"two"]
        writer.write(b"ee\nfour")
    path.write_bytes(b"five\n")
    assert read_all(tail) == [b"three", b"four", b"five"]
    assert tail.gaps == []


def test_a_truncation_without_a_copy_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "queue_log"
    path.write_bytes(b"one\n")
    tail = Tail(path)
    assert read_all(tail) == [b"one"]
    path.write_bytes(b"two\nthree\n")  # longer than before: only its first bytes give it away
    assert read_all(tail) == [b"two", b"three"]
    assert len(tail.gaps) == 1
    assert "up to byte 4 (line 1) is gone or was truncated" in tail.gaps[0]


def test_a_rotated_file_that_was_compressed_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "queue_log"
    path.write_bytes(b"one\n")
    tail = Tail(path)
    first = tail.poll()
    assert first is not None
    tail.close()
    path.rename(tmp_path / "queue_log.1.gz")
    path.write_bytes(b"two\n")
    again = Tail(path, first.end)
    assert read_all(again) == [b"two"]
    assert len(again.gaps) == 1


def test_files_beside_it_that_are_no_rotation_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "queue_log"
    path.write_bytes(b"one\n")
    tail = Tail(path)
    assert read_all(tail) == [b"one"]
    path.rename(tmp_path / "queue_log.1")
    for name in ("queue_log.bak", "queue_log_other", "queue_log.2.gz"):
        (tmp_path / name).write_bytes(b"not ours\n")
    path.write_bytes(b"two\n")
    assert read_all(tail) == [b"two"]


def test_an_endless_line_is_bounded_and_its_neighbours_survive(tmp_path: Path) -> None:
    path = tmp_path / "queue_log"
    endless = 3 * tail_module.BLOCK_BYTES
    path.write_bytes(b"one\n" + b"x" * endless)
    tail = Tail(path)
    assert read_all(tail) == [b"one"]
    with path.open("ab") as writer:
        writer.write(b"y\nthree\n")
    chunk = tail.poll()
    assert chunk is not None
    assert chunk.lines[1:] == [b"three"]
    assert tail_module.KEPT_BYTES <= len(chunk.lines[0]) <= tail_module.KEPT_BYTES + 1
    assert chunk.offsets == [4, 4 + endless + 2]
    assert chunk.end.offset == path.stat().st_size


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        Tail(tmp_path).poll()


class Log(RuleBasedStateMachine):
    """A log that is written, rotated and truncated in any order, and a reader that restarts."""

    directory: Path

    def __init__(self) -> None:
        super().__init__()
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir()
        self.path = self.directory / "queue_log"
        self.clock = 1_600_000_000
        self.count = 0
        self.expected: list[bytes] = []  # complete lines, in order
        self.partial = b""
        self.read: list[bytes] = []
        self.bookmark: Position | None = None
        self._write(b"0|first\n")
        self.tail = Tail(self.path)
        self.poll_some(most=1)

    def _tick(self, *paths: Path) -> None:
        # Two writes within one tick of the file system's clock would be indistinguishable; a
        # real log is not rotated twice within four milliseconds.
        for path in paths:
            self.clock += 1
            os.utime(path, (self.clock, self.clock))

    def _write(self, data: bytes) -> None:
        with self.path.open("ab") as writer:
            writer.write(data)
        self._tick(self.path)
        *complete, self.partial = (self.partial + data).split(b"\n")
        self.expected.extend(complete)

    def _line(self, width: int) -> bytes:
        self.count += 1
        return b"%d|%s" % (self.count, b"x" * width)

    @rule(widths=st.lists(st.integers(0, 300), min_size=1, max_size=4), ends=st.booleans())
    def append(self, widths: list[int], ends: bool) -> None:
        self._write(b"\n".join(map(self._line, widths)) + (b"\n" if ends else b""))

    @rule()
    def end_line(self) -> None:
        self._write(b"\n")

    def _make_room(self) -> None:
        for number in range(99, 0, -1):
            rotated = self.path.with_name(f"queue_log.{number}")
            if rotated.exists():
                rotated.rename(self.path.with_name(f"queue_log.{number + 1}"))

    def _end_file(self) -> None:
        if self.partial:
            self.expected.append(self.partial)
            self.partial = b""

    @rule(first=st.integers(0, 300))
    def rename(self, first: int) -> None:
        self._make_room()
        self.path.rename(self.path.with_name("queue_log.1"))
        self._end_file()
        self._write(self._line(first) + b"\n")

    @rule(first=st.integers(0, 300))
    def copy_and_truncate(self, first: int) -> None:
        self._make_room()
        copy = self.path.with_name("queue_log.1")
        shutil.copy(self.path, copy)
        os.truncate(self.path, 0)
        self._tick(copy, self.path)
        self._end_file()
        self._write(self._line(first) + b"\n")

    @rule(first=st.integers(0, 300))
    def truncate_after_reading(self, first: int) -> None:
        self.poll()
        os.truncate(self.path, 0)
        self._tick(self.path)
        self.partial = b""  # what was not complete is gone with the file
        self._write(self._line(first) + b"\n")
        self.poll()

    @rule(most=st.integers(1, 3))
    def poll_some(self, most: int) -> None:
        for _ in range(most):
            chunk = self.tail.poll()
            if chunk is not None:
                self.read.extend(chunk.lines)
                self.bookmark = chunk.end

    @rule()
    def poll(self) -> None:
        while (chunk := self.tail.poll()) is not None:
            self.read.extend(chunk.lines)
            self.bookmark = chunk.end
        assert self.read == self.expected

    @rule()
    def restart(self) -> None:
        self.tail.close()
        self.tail = Tail(self.path, self.bookmark)

    @invariant()
    def nothing_twice_and_nothing_invented(self) -> None:
        assert self.read == self.expected[: len(self.read)]

    def teardown(self) -> None:
        try:
            self.poll()
        finally:
            self.tail.close()


@pytest.mark.parametrize("block_bytes", [64, 256 * 1024])
def test_every_line_comes_exactly_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr(tail_module, "BLOCK_BYTES", block_bytes)
    machine = type("LogHere", (Log,), {"directory": tmp_path / "log"})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
