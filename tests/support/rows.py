"""Rows for tests: valid by default, changed by keyword."""

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.erasure_rows import ErasureMarkRow, ErasureRow
from schemas.fact_rows import AgentStateRow, EventFactRow
from schemas.identity_rows import (
    IdentityEdgeRow,
    IdentityLinkRow,
    IdentityMapRow,
    IdentityMemberRow,
)
from schemas.live import QueueBreachRow, QueueLiveRow
from schemas.rows import (
    AgentPaneRow,
    CheckpointRow,
    ConversationPaneRow,
    CustomerInteractionRow,
    DeadLetterRow,
    EventRow,
    InteractionRow,
    KpiPaneRow,
    LateEventRow,
    QueueSettingRow,
    Row,
    TopicLogRow,
    WatermarkRow,
)
from schemas.tables import ROWS
from sinks.store import Store

NOON = 1_750_000_000_000

_BY_TYPE: dict[str, Any] = {
    "LowCardinality(String)": "",
    "String": "",
    "DateTime64(3, 'UTC')": NOON,
    "DateTime('UTC')": NOON // 1000,
    "Float64": 0.0,
}
_NAMED: dict[type[Row], dict[str, Any]] = {
    EventRow: {"tenant": "t", "subject": "call-1", "event_id": "e-1", "topic": "events.call"},
    EventFactRow: {"tenant": "t", "subject": "call-1", "event_id": "e-1"},
    AgentStateRow: {"tenant": "t", "agent": "ada", "event_id": "e-1", "state": "available"},
    InteractionRow: {"tenant": "t", "interaction_id": "call-1", "channel": "call"},
    CustomerInteractionRow: {"tenant": "t", "customer_key": "c", "interaction_id": "call-1"},
    IdentityLinkRow: {"tenant": "t", "customer_key": "c", "other_key": "d", "rule": "interaction"},
    IdentityEdgeRow: {"tenant": "t", "customer_key": "c", "other_key": "d", "state": "applied"},
    IdentityMapRow: {"tenant": "t", "customer_key": "d", "customer_id": "c"},
    IdentityMemberRow: {"tenant": "t", "customer_id": "c", "customer_key": "d"},
    KpiPaneRow: {"tenant": "t", "queue": "support", "channel": "call"},
    AgentPaneRow: {"tenant": "t", "agent": "ada"},
    ConversationPaneRow: {"tenant": "t", "queue": "support", "channel": "email"},
    DeadLetterRow: {"topic": "events.call", "reason": "invalid_json"},
    LateEventRow: {"topic": "events.call"},
    WatermarkRow: {"topic": "events.call"},
    CheckpointRow: {"pipeline": "stage1", "topic": "events.call"},
    TopicLogRow: {"topic": "events.call", "log": "a"},
    ErasureMarkRow: {"tenant": "t", "mark": "m"},
    ErasureRow: {"tenant": "t", "erasure_id": "e"},
    QueueSettingRow: {"tenant": "t", "timezone": "UTC"},
    QueueLiveRow: {"tenant": "t", "queue": "support"},
    QueueBreachRow: {"tenant": "t", "queue": "support", "breach_id": "b"},
}


def _default(row_type: type[Row], name: str, kind: str) -> Any:
    if name in _NAMED[row_type]:
        return _NAMED[row_type][name]
    if kind.startswith("Nullable"):
        return None
    if kind.startswith("Map"):
        return {}
    if kind.startswith("Array"):
        return []
    if row_type.model_fields[name].annotation is bytes:
        return b""
    return _BY_TYPE.get(kind, 0)


def row(row_type: type[Row], **changed: Any) -> tuple[Any, ...]:
    """A row of `row_type` in column order, with the named fields changed."""
    if unknown := changed.keys() - set(row_type.columns()):
        raise KeyError(f"{row_type.TABLE} has no {', '.join(sorted(unknown))}")
    return tuple(
        changed.get(name, _default(row_type, name, kind))
        for name, kind in zip(row_type.columns(), row_type.types(), strict=True)
    )


def store_rows(store: Store, rows: Mapping[type[Row], Sequence[tuple[Any, ...]]]) -> None:
    """Store what a fold has to say, without what is only announced on topics."""
    for row_type in ROWS:
        store.insert(row_type, rows.get(row_type, []))
