"""What a fold has to say: rows by table, and what it counted. Pure.

Rows are plain tuples in the column order of `schemas.rows`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from schemas.encoded import EncodedRows
from schemas.fact_rows import AgentStateRow, EventFactRow
from schemas.native import NativeBlock
from schemas.rows import (
    AgentPaneRow,
    ConversationPaneRow,
    CustomerInteractionRow,
    EventRow,
    InteractionRow,
    KpiPaneRow,
    Row,
    WatermarkRow,
)
from streams.fold.customers import customer_key
from streams.fold.heard import Heard, Record
from streams.fold.interaction_state import InteractionState
from streams.fold.known import Interaction

RowTuple = tuple[Any, ...]
Rows = dict[type[Row], Sequence[RowTuple]]

READ_BY_THE_STORE_ALONE: Final[frozenset[type[Row]]] = frozenset(
    {
        *(EventRow, EventFactRow, AgentStateRow, InteractionRow, CustomerInteractionRow),
        *(KpiPaneRow, AgentPaneRow, ConversationPaneRow, WatermarkRow),
    }
)
"""Tables whose rows are encoded as they are made; the others are announced before, as tuples."""

_NOTHING: Final[list[int]] = []
_NO_NAMES: Final[list[str]] = []
_NO_CONVERSATION: Final = (
    *(0, 0, 0, 0, None, 0, 0),
    *(_NOTHING, _NOTHING, _NO_NAMES, None, "", None, _NOTHING, _NO_NAMES, _NOTHING),
)
"""From `messages_by_customer` to `reopened_at`, of an interaction without messages or tickets."""


class Place(NamedTuple):
    """Where a fold's records lie."""

    topic: str
    partition: int
    log: str


@dataclass(slots=True)
class Output:
    """What a fold's `drain` hands over: rows that are due, and counts since the last time."""

    rows: Rows
    counts: Counter[tuple[str, str]]
    """By (what, which): ("event", "stored" | "dead_letter"), ("late", "applied" | "unknown"),
    ("skewed", source), ("repeated", ""), ("dead_letter", reason)."""
    latest: dict[str, int]
    """By source, the latest time (milliseconds) that its stored events say."""


class Pending:
    """Rows and counts that wait to be handed over."""

    def __init__(self) -> None:
        self._read: dict[type[Row], list[RowTuple]] = {}
        self._encoded: dict[type[Row], NativeBlock] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        self.latest: dict[str, int] = {}

    def __len__(self) -> int:
        rows = sum([len(rows) for rows in self._read.values()])
        return rows + sum([len(block) for block in self._encoded.values()])

    def add(self, table: type[Row], row: RowTuple) -> None:
        """Put a row to its table's."""
        block = self._encoded.get(table)
        if block is not None:
            block.append(row)
            return
        if table in READ_BY_THE_STORE_ALONE:
            block = self._encoded[table] = NativeBlock(table)
            block.append(row)
            return
        rows = self._read.get(table)
        if rows is None:
            self._read[table] = [row]
        else:
            rows.append(row)

    def take(self) -> Output:
        """Hand over everything, and begin anew."""
        rows: Rows = {}
        for table, block in self._encoded.items():
            rows[table] = EncodedRows([block])
        for table, read in self._read.items():
            rows[table] = read
        if EventRow in rows:
            self.counts["event", "stored"] = len(rows[EventRow])
        output = Output(rows, self.counts, self.latest)
        self._read, self._encoded = {}, {}
        self.counts, self.latest = Counter(), {}
        return output


def event_row(place: Place, heard: Heard, payload: bytes, version: int) -> RowTuple:
    """The row of `EventRow`."""
    topic, partition, log = place
    return (
        heard.tenant,
        heard.subject,
        heard.happened_at,
        heard.source,
        heard.id,
        heard.type,
        topic,
        payload,
        heard.produced_at,
        log,
        partition,
        heard.offset,
        version,
    )


def late_event_row(
    place: Place, heard: Heard, watermark: int, *, applied: bool, version: int
) -> RowTuple:
    """The row of `LateEventRow`; `applied` says that the event counts."""
    return (
        place.topic,
        place.partition,
        heard.offset,
        place.log,
        heard.tenant,
        heard.subject,
        heard.type,
        heard.at,
        watermark,
        int(applied),
        version,
    )


def dead_letter_row(
    place: Place, record: Record, reason: str, path: str, message: str, version: int
) -> RowTuple:
    """The row of `DeadLetterRow`; `path` is where in the document the fault lies."""
    return (
        place.topic,
        place.partition,
        record.offset,
        place.log,
        reason,
        path,
        message,
        record.key or b"",
        record.value or b"",
        [(name, value or b"") for name, value in record.headers],
        record.timestamp,
        version,
    )


def interaction_row(
    state: InteractionState,
    known: Interaction,
    shown: tuple[str, ...],
    best: str,
    channel: str,
    place: Place,
    version: int,
) -> RowTuple:
    """The row of an interaction as it is known now; `shown` are its identifiers, normalised."""
    visits = known.visits
    wait_ms = talk_ms = hold_ms = wrapup_ms = 0
    for leg in visits + [leg for leg in known.legs if not leg.queue]:
        wait_ms += leg.wait_ms or 0
        talk_ms += leg.talk_ms or 0
        hold_ms += leg.hold_ms
        wrapup_ms += leg.wrapup_ms or 0
    return (
        state.tenant,
        state.interaction_id,
        channel,
        known.direction,
        known.purpose,
        known.language,
        known.site,
        state.opened_at,
        known.started_at,
        known.last_event_at,
        known.ended_at if known.status != "open" else None,
        known.status,
        known.ended_by,
        known.disposition,
        None if known.resolved is None else int(known.resolved),
        known.topic,
        known.linked_to,
        customer_key(state.tenant, best),
        known.customer_name,
        list(shown),
        list(known.agents),
        wait_ms,
        talk_ms,
        hold_ms,
        wrapup_ms,
        len(known.misses),
        known.transfers,
        *_conversation_columns(known),
        known.disagreements,
        len(state.facts),
        [visit.queue for visit in visits],
        [visit.entered_at for visit in visits],
        [visit.exited_at for visit in visits],
        [visit.concluded_at for visit in visits],
        [visit.outcome or "open" for visit in visits],
        [visit.agent for visit in visits],
        [visit.wait_ms for visit in visits],
        [visit.talk_ms for visit in visits],
        [visit.hold_ms for visit in visits],
        [visit.holds for visit in visits],
        [visit.wrapup_ms for visit in visits],
        [visit.ring_ms for visit in visits],
        [visit.missed_rings for visit in visits],
        [visit.transfer for visit in visits],
        place.log,
        place.partition,
        version,
    )


def _conversation_columns(known: Interaction) -> tuple[Any, ...]:
    talk = known.conversation
    if talk is None:
        return _NO_CONVERSATION
    return (
        *talk.messages,
        talk.first_response_ms,
        talk.replies,
        talk.reply_ms,
        [response[0] for response in talk.responses],
        [response[4] for response in talk.responses],
        [response[2] for response in talk.responses],
        talk.waiting_since if known.status == "open" else None,
        talk.ticket_status,
        talk.ticket_status_at,
        [at for at, _, _ in talk.solved],
        [agent for _, _, agent in talk.solved],
        talk.reopened_at.copy(),
    )


def customer_rows(
    state: InteractionState,
    known: Interaction,
    shown: tuple[str, ...],
    best: str,
    channel: str,
    version: int,
) -> list[RowTuple]:
    """The rows of `CustomerInteractionRow`: one for each identifier that was shown.

    All but the strongest are written as deleted, whether or not one of them ever was the strongest:
    which of them was so when a row was written is not the log's affair.
    """
    tenant = state.tenant
    return [
        (
            tenant,
            customer_key(tenant, identifier),
            state.interaction_id,
            known.started_at,
            channel,
            version,
            int(identifier != best),
        )
        for identifier in shown
    ]
