"""What the figures of agents are made of: contacts, and stretches of time. Reads the store given.

Rows of contacts do not say what each of several agents did in them, and panes hold sums. So
contacts and changes of state are folded again from what was told, by the fold's own functions: what
is listed adds up to the panes, but for events that came too late to change them, and contacts of
customers who were erased.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sinks.kpis.catalogue import known
from sinks.kpis.contacts import MOST, Behind
from sinks.kpis.intervals import EVER_FROM, EVER_TO, instant_literal
from sinks.store import Store
from sinks.timeline import ContactRef, events_of
from streams.fold.agents import AgentTimeline
from streams.fold.contributions import contributions_of, state_contributions
from streams.fold.facts import key_of
from streams.fold.interaction import interaction_of
from streams.fold.panes import AGENT_COUNTS, Contribution
from streams.timeline.contact import told_facts
from streams.timeline.happenings import instant
from streams.timeline.reader import readable

CONTACTS_AT_ONCE: Final = 500
_OF_AGENT: Final = 3
"""How long the key of an agent's pane is."""

_CONTACTS: Final = """
SELECT interaction_id, toString(channel) AS channel,
  toUnixTimestamp64Milli(started_at) AS started_ms
FROM interactions FINAL
WHERE tenant = {tenant:String}
  AND started_at < {to_at:DateTime64(3, 'UTC')} AND last_event_at >= {from_at:DateTime64(3, 'UTC')}
  AND (missed_rings > 0 OR direction = 'outbound'
    OR if({agent:String} = '', notEmpty(agents), has(agents, {agent:String})))
ORDER BY started_at, interaction_id"""
_STATES: Final = """
SELECT toString(agent) AS agent, toUnixTimestamp64Milli(counted_at) AS at_ms,
  toString(source) AS source, event_id, toString(queue) AS queue, toString(state) AS state
FROM agent_states FINAL
WHERE tenant = {tenant:String} AND counted_at < {to_at:DateTime64(3, 'UTC')}
  AND ({agent:String} = '' OR agent = {agent:String})
ORDER BY agent, counted_at"""


def behind_agents(
    store: Store,
    tenant: str,
    kpi_id: str,
    from_: datetime | None = None,
    to: datetime | None = None,
    agent: str = "",
    *,
    max_skew_seconds: float = 300,
) -> list[Behind]:
    """What adds to a KPI's counts, by time: contacts, and stretches (of no contact) in a state.

    Each counts in the five minutes in which it happened, and is listed at their beginning; a
    stretch at its own, with as much of it as lies in the time. `agent` restricts to one. At most
    `MOST` are listed. Raises `UnknownKpi`, `StoreError`.
    """
    words = set(re.findall(r"\w+", known(kpi_id).expression))
    columns = {at: name for at, name in enumerate(AGENT_COUNTS) if name in words}
    asked = {
        "tenant": tenant,
        "agent": agent,
        "from_at": instant_literal(from_ or EVER_FROM),
        "to_at": instant_literal(to or EVER_TO),
    }
    span = (from_ or EVER_FROM).timestamp(), (to or EVER_TO).timestamp()
    found: list[Behind] = []
    if any(not name.startswith("state_") for name in columns.values()):
        for interaction_id, made in _of_contacts(store, tenant, asked, max_skew_seconds):
            found += _rows(made, interaction_id, columns, span, agent)
    if any(name.startswith("state_") for name in columns.values()):
        found += _of_states(store, tenant, asked, columns, span)
    return sorted(found, key=lambda one: (one.at, one.interaction_id))[:MOST]


def _of_contacts(
    store: Store, tenant: str, asked: dict[str, Any], max_skew_seconds: float
) -> Iterator[tuple[str, list[Contribution]]]:
    refs = [ContactRef(**row) for row in store.query(_CONTACTS, asked)]
    for first in range(0, len(refs), CONTACTS_AT_ONCE):
        part = refs[first : first + CONTACTS_AT_ONCE]
        records = events_of(store, tenant, part)
        for ref in part:
            told = records.get(ref.interaction_id, ())
            events = readable(ref.interaction_id, told, round(max_skew_seconds * 1000))
            facts = [fact for fact, _, _ in told_facts(events)]
            if facts:
                made = contributions_of(interaction_of(facts), tenant, ref.channel)
                yield ref.interaction_id, made


def _of_states(
    store: Store,
    tenant: str,
    asked: dict[str, Any],
    columns: dict[int, str],
    span: tuple[float, float],
) -> Iterator[Behind]:
    timelines: dict[str, AgentTimeline] = {}
    for row in store.query(_STATES, asked):
        agent = row["agent"]
        timeline = timelines.setdefault(agent, AgentTimeline(tenant, agent))
        key = key_of(row["source"], row["event_id"])
        timeline.take((row["at_ms"], key, row["queue"], row["state"]))
    for agent, timeline in timelines.items():
        for stretch in timeline.stretches:
            parts = _rows(state_contributions(tenant, agent, [stretch]), "", columns, span, agent)
            adds: dict[str, int] = defaultdict(int)
            for part in parts:
                for name, ms in part.adds.items():
                    adds[name] += ms
            if adds:
                at = max(stretch[0], round(span[0] * 1000))
                yield Behind("", instant(at), {"agent": agent}, dict(adds))


def _rows(
    made: Sequence[Contribution],
    interaction_id: str,
    columns: dict[int, str],
    span: tuple[float, float],
    only: str,
) -> Iterator[Behind]:
    for contribution in made:
        key, counts = contribution.key, contribution.counts
        if len(key) != _OF_AGENT or not span[0] <= key[2] < span[1] or only not in ("", key[1]):
            continue
        pairs = ((counts[at], counts[at + 1]) for at in range(0, len(counts), 2))
        adds = {columns[column]: value for column, value in pairs if column in columns and value}
        if adds:
            yield Behind(interaction_id, instant(key[2] * 1000), {"agent": key[1]}, adds)
