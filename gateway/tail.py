"""Follows a text file that grows, is rotated and is truncated, and yields every line once.

Touches the file system, read-only; knows nothing about what lines mean, about waiting or about
time: whoever polls decides when.

What it withstands, and by what means:

* **Rename** (`queue_log` → `queue_log.1`, then a new `queue_log`): the old file stays open and is
  read until its successor holds data, then once more to its end. A writer closes the old file
  before it writes to the new one, so nothing can follow that last read.
* **Copy and truncate**: the first bytes of the file are compared at every read. If they change, or
  the file becomes shorter than what was read, the copy beside it is looked for and read to its end
  first. Without a copy, what was not read before is gone, and said so in `gaps`.
* **Restart**: a `Position` names the file by device, inode and its first bytes; whichever file
  beside the path matches is continued, then those that were rotated after it, then the path.
* **A line half written**: it waits for its line feed. Only `remainder` and a rotation give out a
  line without one.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from xxhash import xxh3_128_hexdigest

BLOCK_BYTES: Final = 256 * 1024
HEAD_BYTES: Final = 256
KEPT_BYTES: Final = 64 * 1024 + 1
"""How much of an endless line is kept: enough to be recognised as too long."""

_ROTATED_SUFFIX: Final = re.compile(r"[.-]\d[\d.-]*")
"""`.1`, `-20181204`, `.2018-12-04`: not `.bak`, and not `.gz`, which cannot be continued."""


@dataclass(frozen=True, slots=True)
class Position:
    """The start of a line, in a file that is recognised under whatever name it has by then.

    `head` is a hash of the file's first `head_bytes` bytes; `lines` counts the lines before
    `offset`; `modified_ns` is when the file was last written, as far as had been seen.
    """

    device: int
    inode: int
    head: str
    head_bytes: int
    modified_ns: int
    offset: int
    lines: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive lines of one file, without their line feeds.

    `offsets[i]` is where `lines[i]` begins; `first_number` is the number of the first, counted from
    1; `end` is where reading goes on once these lines are dealt with.
    """

    path: Path
    lines: list[bytes]
    offsets: list[int]
    first_number: int
    end: Position


class Tail:
    """Reads `path` from `start`, or from its beginning. Not thread-safe; blocks on disk only.

    `gaps` holds, in plain words, every place where lines may have been lost.
    """

    def __init__(self, path: Path, start: Position | None = None) -> None:
        self.path = path.absolute()
        self.gaps: list[str] = []
        self._start = start
        self._file: _File | None = None

    def poll(self) -> Chunk | None:
        """The next complete lines, or None if there are none at the moment.

        Raises:
            OSError: a file exists but cannot be read.
        """
        while True:
            file = self._file or self._open()
            if file is None:
                return None
            resume_at = file.position()
            chunk = file.read() if file.is_intact() else None
            if not file.is_intact():
                self._replace(self._find(resume_at))
                continue
            if chunk is not None:
                return chunk
            successor = self._successor(file)
            if successor is None:
                return None
            chunk = file.read()
            if chunk is not None:
                successor.close()
                return chunk
            last = file.remainder(end=successor.position())
            self._replace(successor)
            if last is not None:
                return last

    def remainder(self) -> Chunk | None:
        """The last line, if it has no line feed; its `end` is its beginning.

        For reading a file that is complete. Should the line grow nevertheless, it is read again.
        """
        return self._file.remainder(end=self._file.position()) if self._file else None

    def close(self) -> None:
        """Closes the file at hand."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> "_File | None":
        file = _File.open(self.path) if self._start is None else self._find(self._start)
        if file is not None:
            self._file, self._start = file, None
        return file

    def _replace(self, file: "_File | None") -> None:
        self.close()
        self._file = file

    def _rotated(self) -> "Iterator[_File]":
        """Files that were rotated away, oldest first, each open; close those not kept."""
        found = []
        for sibling in self.path.parent.iterdir():
            name = sibling.name
            if name.startswith(self.path.name) and _ROTATED_SUFFIX.fullmatch(
                name[len(self.path.name) :]
            ):
                with suppress(FileNotFoundError):  # rotated once more while we look
                    found.append((sibling.stat().st_mtime_ns, sibling))
        for _, sibling in sorted(found):
            file = _File.open(sibling)
            if file is not None:
                yield file

    def _find(self, position: Position) -> "_File | None":
        """The file that `position` is in, at that place, or the first one after it."""
        here = _File.open(self.path)
        matches: list[_File] = []
        newer: list[_File] = []
        for file in [*self._rotated(), *([here] if here else [])]:
            if file.continues(position):
                matches.append(file)
            elif file is here or (file.modified_ns() > position.modified_ns and file.size() > 0):
                newer.append(file)
            else:
                file.close()
        if matches:
            chosen = next((file for file in matches if file.inode == position.inode), matches[-1])
            chosen.go_to(position)
        elif newer:
            chosen = newer[0]
        else:
            return None
        if not matches and position.head_bytes > 0:
            self.gaps.append(
                f"{self.path}: the file that was read up to byte {position.offset} "
                f"(line {position.lines}) is gone or was truncated; reading goes on at the start "
                f"of {chosen.path.name}. Lines written to it after that place are missing."
            )
        for file in (*matches, *newer):
            if file is not chosen:
                file.close()
        return chosen

    def _successor(self, file: "_File") -> "_File | None":
        """The file written after `file`, if there is one and it holds data; open, at its start."""
        here = _File.open(self.path)
        if here is not None and here.inode == file.inode and here.device == file.device:
            here.close()
            return None
        since = file.modified_ns()
        chosen: _File | None = None
        for rotated in self._rotated():
            if (
                chosen is None
                and rotated.inode != file.inode
                and rotated.modified_ns() > since
                and rotated.size() > 0
            ):
                chosen = rotated
            else:
                rotated.close()
        if here is not None and (chosen is not None or here.size() == 0):
            here.close()
            here = None
        return chosen or here


class _File:
    """One open file, and how far it has been read."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        status = os.fstat(descriptor)
        self.device, self.inode = status.st_dev, status.st_ino
        self._offset = 0
        self._lines = 0
        self._pending = b""
        self._dropped = 0  # bytes of an endless line that are not in _pending
        self._head = os.pread(descriptor, HEAD_BYTES, 0)

    @classmethod
    def open(cls, path: Path) -> "_File | None":
        """The file at `path`, or None if there is none."""
        try:
            return cls(path, os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError:
            return None

    def close(self) -> None:
        os.close(self._descriptor)

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def modified_ns(self) -> int:
        return os.fstat(self._descriptor).st_mtime_ns

    def position(self) -> Position:
        """Where the first line begins that was not given out yet."""
        return Position(
            device=self.device,
            inode=self.inode,
            head=xxh3_128_hexdigest(self._head),
            head_bytes=len(self._head),
            modified_ns=self.modified_ns(),
            offset=self._offset,
            lines=self._lines,
        )

    def continues(self, position: Position) -> bool:
        """Whether `position` is in this file, or in a file that this one is a copy of."""
        if position.head_bytes == 0:
            return (self.device, self.inode) == (position.device, position.inode)
        head = os.pread(self._descriptor, position.head_bytes, 0)
        return xxh3_128_hexdigest(head) == position.head and self.size() >= position.offset

    def go_to(self, position: Position) -> None:
        """Goes on at `position`, which must be in this file."""
        self._offset, self._lines = position.offset, position.lines
        self._head = os.pread(self._descriptor, position.head_bytes, 0)

    def is_intact(self) -> bool:
        """Whether what was read is still there: the file was only appended to."""
        if self.size() < self._offset + len(self._pending) + self._dropped:
            return False
        return os.pread(self._descriptor, len(self._head), 0) == self._head

    def read(self) -> Chunk | None:
        """The next complete lines, or None if no line has been completed."""
        while True:
            beyond = self._offset + len(self._pending) + self._dropped
            data = os.pread(self._descriptor, BLOCK_BYTES, beyond)
            if not data:
                return None
            if len(self._head) < HEAD_BYTES:
                head = os.pread(self._descriptor, HEAD_BYTES, 0)
                if head.startswith(self._head):  # else it was truncated: is_intact will tell
                    self._head = head
            cut = data.rfind(b"\n")
            if cut >= 0:
                return self._take(data[:cut], data[cut + 1 :])
            self._keep(self._pending + data)

    def remainder(self, *, end: Position) -> Chunk | None:
        """What follows the last line feed, as a line."""
        if not self._pending:
            return None
        return Chunk(self.path, [self._pending], [self._offset], self._lines + 1, end)

    def _take(self, complete: bytes, begun: bytes) -> Chunk:
        lines = (self._pending + complete).split(b"\n")
        offsets, offset = [], self._offset
        for line in lines:
            offsets.append(offset)
            offset += len(line) + 1
            if self._dropped:  # belongs to the first line alone
                offset, self._dropped = offset + self._dropped, 0
        first_number = self._lines + 1
        self._offset, self._lines = offset, self._lines + len(lines)
        self._keep(begun)
        return Chunk(self.path, lines, offsets, first_number, self.position())

    def _keep(self, begun: bytes) -> None:
        self._dropped += max(0, len(begun) - KEPT_BYTES)
        self._pending = begun[:KEPT_BYTES]
