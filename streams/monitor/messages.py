"""What travels on `kpi.panes`: partials of queues, and ticks. Pure.

Values are JSON. A partial is keyed by tenant and queue, absolute, and the newest of a source and
pane counts, and of a contact in it: repeats, and any order, lead to the same. A tick lies on each
partition, once a second from each worker: it is the only clock of stage 2, so whoever reads the log
again judges as before.
"""

from typing import Final

import msgspec

from streams.derived_fold import Unreadable

Waiting = tuple[str, int, int]
"""interaction, when it entered, when it is presumed lost (milliseconds)"""
Serving = tuple[str, int]
"""interaction, when it is presumed lost"""


Missed = tuple[str, str, int, int]
"""interaction, how it left the queue, when it entered, how long it waited (milliseconds)"""


class PanePart(msgspec.Struct, frozen=True):
    """What one source partition knows of the contacts offered to a queue in ten seconds.

    `counts` are columns of `kpi_panes`, without zeroes. `waiting` and `serving` are those still
    open; the `carried_` ones were open in an earlier log already and did not speak since. They are
    all that are open there or, of `changes`, only some: those that are named are as they stand
    there, `gone` ones neither wait nor are served in this pane, and of others nothing is said.
    `missed` are those of whom there is news that left without an answer, or had a late one.
    """

    channel: str
    direction: str
    pane_at: int
    generation: int
    counts: dict[str, int] = {}
    answered_within: dict[int, int] = {}
    abandoned_within: dict[int, int] = {}
    callback_within: dict[int, int] = {}
    ended_within: dict[int, int] = {}
    wait_bins: dict[int, int] = {}
    waiting: tuple[Waiting, ...] = ()
    serving: tuple[Serving, ...] = ()
    carried_waiting: tuple[Waiting, ...] = ()
    carried_serving: tuple[Serving, ...] = ()
    changes: bool = False
    gone: tuple[str, ...] = ()
    missed: tuple[Missed, ...] = ()


class Partial(msgspec.Struct, frozen=True, tag_field="type", tag="partial"):
    """What one source partition has to tell of a queue; `agents` (state -> number) is absolute.

    `heard` names what was carried over from an earlier log and has spoken in this one: whoever
    spoke for it before does so no more.
    """

    tenant: str
    queue: str
    topic: str
    partition: int
    log: str
    epoch: int
    version: int
    event_time: int
    produced_at: int
    panes: tuple[PanePart, ...] = ()
    heard: tuple[str, ...] = ()
    agents: dict[str, int] | None = None
    carried_agents: dict[str, str] = {}


class Tick(msgspec.Struct, frozen=True, tag_field="type", tag="tick"):
    """It is `at` (milliseconds). A worker has read these source partitions to their ends, and what
    it read there last happened when it was told: not a past day.
    """

    at: int
    current: dict[str, tuple[int, ...]]


_decoder: Final[msgspec.json.Decoder[Partial | Tick]] = msgspec.json.Decoder(Partial | Tick)
_encoder: Final = msgspec.json.Encoder()


def read(value: bytes | None) -> Partial | Tick:
    """The message in a record's value.

    Raises:
        Unreadable: it holds none.
    """
    try:
        return _decoder.decode(value or b"")
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Unreadable(str(error)) from error


def rendered(tick: Tick) -> bytes:
    """The value of a tick's record."""
    return _encoder.encode(tick)
