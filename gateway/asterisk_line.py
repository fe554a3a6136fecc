"""One line of Asterisk's queue_log, taken apart: its fields, and the names in them. Pure."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from schemas import events

MAX_LINE_BYTES: Final = 64 * 1024


class UnreadableLineError(ValueError):
    """The line cannot be understood; the message says why, in plain words."""


_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_ID: Final = 128
_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,39}", re.ASCII)
_EARLIEST: Final = int(datetime(events.EARLIEST_YEAR, 1, 1, tzinfo=UTC).timestamp())
_LATEST: Final = int(datetime(events.LATEST_YEAR, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
_NOBODY: Final = frozenset({"", "NONE"})
NO_CALL: Final = frozenset({"", "NONE", "MANAGER", "REALTIME"})
"""Written as call id by commands that no call caused."""
_NO_CALLER: Final = frozenset(
    {"anonymous", "asterisk", "blocked", "none", "null", "private", "restricted", "s",
     "unavailable", "unknown", "withheld"}
)  # fmt: skip
_PHONE: Final = re.compile(r"\+?[0-9][0-9 ().*#-]*")
_INTERFACE: Final = re.compile(
    r"(?:agent|local|sip|pjsip|iax2?|dahdi|zap|sccp|skinny|mgcp|h323|motif|console|chan_?\w+)"
    r"/(?P<name>[^@/;]+?)"
    r"(?:-(?:0[0-9a-f]{4,6}|[0-9a-f]{8}))?"  # the serial number of a channel
    r"(?:[@/;].*)?",
    re.IGNORECASE,
)


class Line(NamedTuple):
    """A line's fields. `queue` and `agent` are empty where the log says NONE."""

    at: int
    call: str
    queue: str
    agent: str
    name: str
    parameters: list[str]

    def text(self, index: int) -> str:
        """Parameter `index`, or an empty string if the line ends before it."""
        return self.parameters[index].strip() if index < len(self.parameters) else ""

    def number(self, index: int, what: str) -> int | None:
        """Parameter `index` as a whole number ≥ 0; None if it is absent or empty."""
        text = self.text(index)
        if not text:
            return None
        if not (text.isascii() and text.isdecimal() and len(text) <= 18):
            raise UnreadableLineError(
                f"{self.name}: {what} is {quoted(text)}, expected a whole number ≥ 0"
            )
        return int(text)

    def needed(self, index: int, what: str) -> str:
        """Parameter `index`, which this event cannot do without."""
        text = self.text(index)
        if not text:
            raise UnreadableLineError(f"{self.name} without its {what} (parameter {index + 1})")
        return text

    def before(self, seconds: int) -> int:
        """The instant so many seconds before the line was written."""
        if self.at - seconds < _EARLIEST:
            raise UnreadableLineError(f"{self.name}: {seconds} s earlier is not a credible time")
        return self.at - seconds

    def somewhere(self) -> str:
        """The queue, which this event cannot do without."""
        if not self.queue:
            raise UnreadableLineError(f"{self.name} without a queue")
        return self.queue

    def someone(self) -> str:
        """The agent, which this event cannot do without."""
        if not self.agent:
            raise UnreadableLineError(f"{self.name} without an agent")
        return self.agent


@lru_cache(maxsize=4096)
def agent_of(member: str) -> str:
    """The agent's name without the technology by which they are reached; "" if there is none.

    `Agent/1127`, `Local/1127@callback-agent`, `SIP/1127` and `PJSIP/1127-0000a` are all `1127`.
    """
    member = member.strip()
    if member in _NOBODY:
        return ""
    match = _INTERFACE.fullmatch(member)
    name = match["name"] if match else member
    if len(name) > _LONGEST_ID:
        raise UnreadableLineError(f"agent is longer than {_LONGEST_ID} characters")
    return name


@lru_cache(maxsize=4096)
def customer_of(caller: str) -> events.Customer:
    """Who called, or an unknown customer where the number was withheld."""
    caller = caller.strip()
    if caller.strip("<>").lower() in _NO_CALLER or not caller.strip("<>"):
        return _UNKNOWN_CUSTOMER
    kind: events.IdentifierKind = "phone" if _PHONE.fullmatch(caller) else "other"
    return events.Customer(identifiers=(events.Identifier(kind=kind, value=caller),))


_UNKNOWN_CUSTOMER: Final = events.Customer()


def split(line: bytes) -> Line | None:
    """The fields of a line, or None if it is empty.

    Raises:
        UnreadableLineError: it is no line of a queue_log.
    """
    if len(line) > MAX_LINE_BYTES:
        raise UnreadableLineError(f"longer than {MAX_LINE_BYTES} bytes")
    if b"\0" in line:
        raise UnreadableLineError(
            "holds NUL bytes: not text, or a file that was cut while being written"
        )
    try:
        text = line.decode().rstrip("\r")
    except UnicodeDecodeError as error:
        raise UnreadableLineError(f"not UTF-8 at byte {error.start + 1}") from None
    if not text:
        return None
    # isprintable is the cheaper question, but has no love for some spaces that are allowed.
    control = None if text.isprintable() else _CONTROL.search(text)
    if control:
        raise UnreadableLineError(f"control character {control[0]!r} at column {control.end()}")
    fields = text.split("|")
    if len(fields) < 5:
        raise UnreadableLineError(
            f"{len(fields)} fields, expected at least 5: epoch|call|queue|agent|EVENT"
        )
    epoch, call, queue, agent, name = fields[:5]
    if not (epoch.isascii() and epoch.isdecimal() and len(epoch) <= 12):
        raise UnreadableLineError(f"time is {quoted(epoch)}, expected whole seconds since 1970")
    at = int(epoch)
    if not _EARLIEST <= at <= _LATEST:
        years = f"{events.EARLIEST_YEAR} to {events.LATEST_YEAR}"
        raise UnreadableLineError(f"time is {quoted(epoch)}, which is not in the years {years}")
    if not _NAME.fullmatch(name):
        raise UnreadableLineError(f"event is {quoted(name)}, expected a name in capitals")
    if len(call) > _LONGEST_ID:
        raise UnreadableLineError(f"call id is longer than {_LONGEST_ID} characters")
    queue = "" if queue in _NOBODY else queue
    return Line(at, call, queue, agent_of(agent), name, fields[5:])


def quoted(found: object) -> str:
    """What was found, short enough for a message."""
    text = repr(found)
    return text if len(text) <= 60 else text[:57] + "…"
