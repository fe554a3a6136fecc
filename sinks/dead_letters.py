"""Dead letters as they are stored: found, shown, and fetched to be replayed. Reads the store given.

A replay of a record that is refused again becomes a dead letter of its own, which names the one it
replays in a header (`schemas.derived`). Here the two are one `DeadLetter`: the record where it lay
first, the verdict of the last time.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from schemas.derived import X_REPLAY_OF, place_name
from sinks.store import Store

if TYPE_CHECKING:
    from schemas.decode import Event

FETCH_BYTES: Final = 32 << 20
"""How much of records is fetched at a time; one larger record comes alone."""
FETCH_LETTERS: Final = 500
_TABLE_SUFFIX: Final = " (table)"
"""How `sinks.refused` names what is a row of a table, and no record of a topic."""


class Place(NamedTuple):
    """Where a record lies: in which incarnation (`log`) of its topic, too."""

    topic: str
    partition: int
    offset: int
    log: str

    @property
    def name(self) -> str:
        """As it stands in the header of a replay."""
        return place_name(*self)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that was set aside. `size_bytes` is that of its value.

    `reason`, `error_path` and `error` are the last verdict, of `judged_at` (when the record, or its
    last replay, was produced); `replays` how many replays of it were refused again.
    """

    place: Place
    key: bytes
    size_bytes: int
    produced_at: datetime
    judged_at: datetime
    reason: str
    error_path: str
    error: str
    replays: int

    @property
    def is_record(self) -> bool:
        """Whether it is a record of a topic; otherwise it is a row that the store refused."""
        return not self.place.topic.endswith(_TABLE_SUFFIX)


@dataclass(frozen=True, slots=True)
class Original:
    """What a dead letter's record was: value and headers as they came."""

    value: bytes
    headers: list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters are meant. Reason and time are those of the last verdict; "" is any.

    `lies_at` is a partition and an offset: that of the record, or of one of its replays.
    """

    topic: str = ""
    reason: str = ""
    since: datetime | None = None
    lies_at: tuple[int, int] | None = None


_NAME: Final = "concat(topic, '/', source_partition, '/', source_offset, '/', log)"
_REPLAY_OF: Final = f"arrayFirst(h -> h.1 = '{X_REPLAY_OF}', headers).2"
_GROUPED: Final = f"""
SELECT
    argMin((topic, source_partition, source_offset, log), age) AS place,
    argMin(hex(key), age) AS key_hex,
    argMin(length(value), age) AS size_bytes,
    min(produced_at) AS first_at,
    max(produced_at) AS judged_at,
    argMax(reason, age) AS last_reason,
    argMax(error_path, age) AS last_path,
    argMax(error, age) AS last_error,
    count() - 1 AS replays
FROM
(
    SELECT
        *,
        {_REPLAY_OF} AS replay_of,
        -- The one replayed is older than its replays, whatever the clocks say.
        (replay_of != '', produced_at, source_offset) AS age,
        if(replay_of = '', {_NAME}, replay_of) AS origin
    FROM dead_letters FINAL
    WHERE topic = {{topic:String}} OR {{topic:String}} = ''
)
GROUP BY origin, if(endsWith(topic, '{_TABLE_SUFFIX}'), key, '')
HAVING (last_reason = {{reason:String}} OR {{reason:String}} = '')
    AND judged_at >= fromUnixTimestamp64Milli({{since_ms:Int64}})
    AND ({{anywhere:Bool}}
        OR countIf(source_partition = {{partition:UInt32}}
            AND source_offset = {{offset:UInt64}}) > 0)
ORDER BY judged_at DESC, place
"""  # noqa: S608 -- constants; values are bound


def find_dead_letters(
    store: Store, selection: Selection, *, limit: int | None = None
) -> list[DeadLetter]:
    """The dead letters selected, the last judged first; at most `limit`, None for all.

    Raises `sinks.errors.StoreError`.
    """
    partition, offset = selection.lies_at or (0, 0)
    rows = store.query(
        _GROUPED + ("" if limit is None else " LIMIT {limit:UInt64}"),
        {
            "topic": selection.topic,
            "reason": selection.reason,
            "since_ms": 0 if selection.since is None else round(selection.since.timestamp() * 1000),
            "anywhere": selection.lies_at is None,
            "partition": partition,
            "offset": offset,
            "limit": limit or 0,
        },
    )
    return [_letter(row) for row in rows]


def reason_counts(store: Store) -> dict[str, int]:
    """How many letters there are by reason, the most frequent first; replays included."""
    rows = store.query(
        "SELECT reason, count() AS n FROM dead_letters FINAL"
        " GROUP BY reason ORDER BY n DESC, reason"
    )
    return {row["reason"]: row["n"] for row in rows}


def originals(
    store: Store, letters: Sequence[DeadLetter]
) -> Iterator[list[tuple[DeadLetter, Original]]]:
    """Fetch the letters' records, some at a time: at most `FETCH_BYTES` or one.

    A letter that is gone meanwhile is left out.
    """
    for part in _parts(letters):
        rows = store.query(
            "SELECT topic, source_partition, source_offset, log, hex(key) AS key_hex, value,"
            " arrayMap(h -> (hex(h.1), hex(h.2)), headers) AS headers_hex FROM dead_letters FINAL"
            " WHERE (topic, source_partition, source_offset, log) IN"
            " {places:Array(Tuple(String, UInt32, UInt64, String))}",
            {"places": [tuple(letter.place) for letter in part]},
            bytes_columns=("value",),
        )
        found = {_identity(row): _original(row) for row in rows}
        pairs = ((letter, found.get((letter.place, letter.key))) for letter in part)
        yield [(letter, original) for letter, original in pairs if original is not None]


def stored_events(store: Store, events: "Iterable[Event]") -> set[tuple[str, str]]:
    """The (source, id) of those events that are in `events` already."""
    asked = list(events)
    if not asked:
        return set()
    rows = store.query(
        "SELECT DISTINCT source, event_id FROM events"
        " WHERE (tenant, subject) IN {subjects:Array(Tuple(String, String))}"
        " AND (source, event_id) IN {ids:Array(Tuple(String, String))}",
        {
            "subjects": list({(event.tenant, event.subject) for event in asked}),
            "ids": list({(event.source, event.id) for event in asked}),
        },
    )
    return {(row["source"], row["event_id"]) for row in rows}


def _parts(letters: Sequence[DeadLetter]) -> Iterator[list[DeadLetter]]:
    part: list[DeadLetter] = []
    size = 0
    for letter in letters:
        if part and (size + letter.size_bytes > FETCH_BYTES or len(part) == FETCH_LETTERS):
            yield part
            part, size = [], 0
        part.append(letter)
        size += letter.size_bytes
    if part:
        yield part


def _letter(row: dict[str, Any]) -> DeadLetter:
    return DeadLetter(
        place=Place(*row["place"]),
        key=bytes.fromhex(row["key_hex"]),
        size_bytes=row["size_bytes"],
        produced_at=row["first_at"],
        judged_at=row["judged_at"],
        reason=row["last_reason"],
        error_path=row["last_path"],
        error=row["last_error"],
        replays=row["replays"],
    )


def _identity(row: dict[str, Any]) -> tuple[Place, bytes]:
    place = Place(row["topic"], row["source_partition"], row["source_offset"], row["log"])
    return place, bytes.fromhex(row["key_hex"])


def _original(row: dict[str, Any]) -> Original:
    headers = [
        (bytes.fromhex(name).decode(), bytes.fromhex(value)) for name, value in row["headers_hex"]
    ]
    return Original(row["value"], headers)
