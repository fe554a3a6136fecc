"""One interaction as it is stored: its facts, and its events in order. Reads the store given."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sinks.store import Store

SIMILAR: Final = 5
"""How many ids are offered where the one asked for is not there."""

_NOT_FACTS: Final = ("log", "source_partition", "version")


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event. `data` is what it says, as JSON was decoded; `occurred_at` is aware, in UTC."""

    occurred_at: datetime
    type: str
    source: str
    event_id: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredInteraction:
    """One contact. Instants are aware, durations in `facts` and `visits` seconds (`*_seconds`).

    `facts` has the columns of `interactions` but for its parallel arrays: `visits_*` are `visits`,
    one dict a queue visit in order, and `responses_*` are `responses`, one dict a response.
    """

    facts: dict[str, Any]
    visits: tuple[dict[str, Any], ...]
    responses: tuple[dict[str, Any], ...]
    events: tuple[StoredEvent, ...]


def find_interaction(store: Store, tenant: str, interaction_id: str) -> StoredInteraction | None:
    """What is stored of an interaction; None where nothing is. Raises `sinks.errors.StoreError`."""
    asked = {"tenant": tenant, "id": interaction_id}
    rows = store.query(
        "SELECT * FROM interactions FINAL"
        " WHERE tenant = {tenant:String} AND interaction_id = {id:String}",
        asked,
    )
    if not rows:
        return None
    facts = {name: value for name, value in rows[0].items() if name not in _NOT_FACTS}
    visits, responses = _items(facts, "visits_"), _items(facts, "responses_")
    # Events of one second lie in the order in which their source wrote them.
    events = store.query(
        "SELECT occurred_at, type, source, event_id, payload FROM events FINAL"
        " WHERE tenant = {tenant:String} AND subject = {id:String}"
        " ORDER BY occurred_at, bitShiftRight(version, 44), source_partition, source_offset",
        asked,
        bytes_columns=("payload",),
    )
    return StoredInteraction(
        facts=_in_seconds(facts),
        visits=tuple(map(_in_seconds, visits)),
        responses=tuple(map(_in_seconds, responses)),
        events=tuple(
            StoredEvent(
                occurred_at=row["occurred_at"],
                type=row["type"],
                source=row["source"],
                event_id=row["event_id"],
                data=_data(row["payload"]),
            )
            for row in events
        ),
    )


def similar_interactions(store: Store, tenant: str, text: str) -> list[str]:
    """Ids that contain `text`, or else the latest ones; a few, the latest first."""
    for wanted in (text, ""):
        rows = store.query(
            "SELECT interaction_id FROM interactions FINAL WHERE tenant = {tenant:String}"
            " AND positionCaseInsensitive(interaction_id, {text:String}) > 0"
            " ORDER BY started_at DESC, interaction_id LIMIT {limit:UInt8}",
            {"tenant": tenant, "text": wanted, "limit": SIMILAR},
        )
        if rows:
            return [row["interaction_id"] for row in rows]
    return []


def _items(facts: dict[str, Any], prefix: str) -> list[dict[str, Any]]:
    """What the parallel arrays of a prefix hold, which are taken out of the facts."""
    names = [name for name in facts if name.startswith(prefix)]
    arrays = {name.removeprefix(prefix): facts.pop(name) for name in names}
    return [dict(zip(arrays, values, strict=True)) for values in zip(*arrays.values(), strict=True)]


def _in_seconds(row: dict[str, Any]) -> dict[str, Any]:
    return {
        (f"{name.removesuffix('_ms')}_seconds" if name.endswith("_ms") else name): (
            value / 1000 if name.endswith("_ms") and value is not None else value
        )
        for name, value in row.items()
    }


def _data(payload: bytes) -> dict[str, Any]:
    """What an event says: in structured mode a part of the payload, in binary mode all of it."""
    found = json.loads(payload) if payload else {}
    data = found.get("data") if "specversion" in found else found
    return dict(data or {})
