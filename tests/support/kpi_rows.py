"""Queue visits for tests of KPIs: as rows, as panes, and counted in plain Python.

Shares nothing with the SQL or the fold but the row models: the formulas here are written from
their definitions, over lists of visits, with exact fractions.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from schemas.rows import InteractionRow, KpiPaneRow
from tests.support.rows import row

LOG = "log-1"
FLOWED_OUT = {
    "timed_out": "timed_out",
    "overflowed": "overflowed",
    "key_pressed": "key_pressed",
    "callback_accepted": "callback_accepted",
    "emptied": "emptied",
    "transferred": "transferred_waiting",
}


@dataclass(frozen=True)
class Visit:
    """One queue visit. Instants and durations in milliseconds; `wait_ms` None while waiting."""

    entered_at: int
    outcome: str = "open"
    wait_ms: int | None = None
    talk_ms: int | None = None
    hold_ms: int = 0
    holds: int = 0
    wrapup_ms: int | None = None
    ring_ms: int | None = None
    missed_rings: int = 0
    transfer: str = ""
    queue: str = "IT"
    channel: str = "call"
    direction: str = "inbound"
    agent: str = ""

    @property
    def exited_at(self) -> int | None:
        return None if self.wait_ms is None else self.entered_at + self.wait_ms

    @property
    def concluded_at(self) -> int | None:
        if self.exited_at is None or (self.outcome == "answered" and self.talk_ms is None):
            return None
        return self.exited_at + (self.talk_ms or 0) + (self.wrapup_ms or 0)


def interaction_row(
    tenant: str,
    interaction_id: str,
    visits: Sequence[Visit],
    *,
    customer: str = "",
    topic: str = "",
    last_event_at: int | None = None,
    version: int = 1,
) -> tuple[Any, ...]:
    """The row of an interaction with these visits."""
    began = visits[0].entered_at
    return row(
        InteractionRow,
        tenant=tenant,
        interaction_id=interaction_id,
        channel=visits[0].channel,
        direction=visits[0].direction,
        opened_at=began,
        started_at=began,
        last_event_at=began if last_event_at is None else last_event_at,
        topic=topic,
        customer_key=customer,
        agents=sorted({v.agent for v in visits if v.agent}),
        visits_queue=[v.queue for v in visits],
        visits_entered_at=[v.entered_at for v in visits],
        visits_exited_at=[v.exited_at for v in visits],
        visits_ended_at=[v.concluded_at for v in visits],
        visits_outcome=[v.outcome for v in visits],
        visits_agent=[v.agent for v in visits],
        visits_wait_ms=[v.wait_ms for v in visits],
        visits_talk_ms=[v.talk_ms for v in visits],
        visits_hold_ms=[v.hold_ms for v in visits],
        visits_holds=[v.holds for v in visits],
        visits_wrapup_ms=[v.wrapup_ms for v in visits],
        visits_ring_ms=[v.ring_ms for v in visits],
        visits_missed_rings=[v.missed_rings for v in visits],
        visits_transfer=[v.transfer for v in visits],
        version=version,
    )


def pane_rows(
    tenant: str,
    visits: Iterable[Visit],
    thresholds_ms: Sequence[int],
    *,
    partitions: int = 1,
    version: int = 1,
) -> list[tuple[Any, ...]]:
    """The panes of both cohorts, as if the visits had been spread over `partitions` in turn."""
    groups: defaultdict[tuple[Any, ...], list[Visit]] = defaultdict(list)
    for number, v in enumerate(visits):
        for cohort, at in (("offered", v.entered_at), ("ended", v.concluded_at)):
            if at is not None:
                place = (tenant, v.queue, v.channel, v.direction, cohort, at // 10_000 * 10)
                groups[(*place, LOG, number % partitions, number % 2)].append(v)
    columns = KpiPaneRow.columns()
    names = [name for name in columns[: columns.index("offered")] if name != "version"]
    return [
        row(
            KpiPaneRow,
            **dict(zip(names, key, strict=True)),
            **_pane(group, thresholds_ms),
            version=version,
        )
        for key, group in groups.items()
    ]


def _pane(visits: Sequence[Visit], thresholds_ms: Sequence[int]) -> dict[str, Any]:
    done = [v for v in visits if v.outcome != "open"]
    answered = [v for v in done if v.outcome == "answered"]
    abandoned = [v for v in done if v.outcome == "abandoned"]
    callbacks = [v for v in done if v.outcome == "callback_accepted"]
    ended = [v for v in answered if v.talk_ms is not None]
    held = [v for v in done if v.holds]
    bins: defaultdict[int, int] = defaultdict(int)
    for v in done:
        bins[_bin(v.wait_ms or 0)] += 1

    def within(group: Sequence[Visit]) -> dict[int, int]:
        return {t: sum((v.wait_ms or 0) <= t for v in group) for t in thresholds_ms}

    return {
        "offered": len(visits),
        "answered": len(answered),
        "abandoned": len(abandoned),
        **{c: sum(v.outcome == o for v in done) for o, c in FLOWED_OUT.items()},
        "ended": len(ended),
        "wait_answered_ms": sum(v.wait_ms or 0 for v in answered),
        "wait_abandoned_ms": sum(v.wait_ms or 0 for v in abandoned),
        "wait_exited_ms": sum(v.wait_ms or 0 for v in done if v.outcome in FLOWED_OUT),
        "talk_ms": sum(v.talk_ms or 0 for v in ended),
        "hold_ms": sum(v.hold_ms for v in held),
        "held": len(held),
        "wrapup_ms": sum(v.wrapup_ms or 0 for v in done),
        "wrapped_up": sum(v.wrapup_ms is not None for v in done),
        "ring_ms": sum(v.ring_ms or 0 for v in done),
        "rung": sum(v.ring_ms is not None for v in done),
        "missed_rings": sum(v.missed_rings for v in visits),
        **{
            f"transferred_{kind}": sum(v.transfer == kind for v in ended)
            for kind in ("blind", "consult", "recall")
        },
        "answered_within": within(answered),
        "abandoned_within": within(abandoned),
        "callback_within": within(callbacks),
        "ended_within": within(ended),
        "wait_bins": dict(bins),
    }


def _bin(wait_ms: int) -> int:
    """By search, not by logarithm: the first bin whose upper edge is not below the wait."""
    if wait_ms == 0:
        return -1
    gamma = 1.01 / 0.99
    index = max(0, int(math.log(wait_ms) / math.log(gamma)) - 2)
    while gamma**index < wait_ms:
        index += 1
    return index


def _over(part: int, whole: int) -> Fraction | None:
    return Fraction(part, whole) if whole else None


def _seconds(total_ms: int, count: int) -> Fraction | None:
    return Fraction(total_ms, count * 1000) if count else None


def expected_kpis(
    visits: Sequence[Visit], target_ms: int, short_ms: int
) -> dict[str, int | Fraction | None]:
    """Every KPI of queues over these visits, but for the quantiles."""
    done = [v for v in visits if v.outcome != "open"]
    a = [v for v in done if v.outcome == "answered"]
    b = [v for v in done if v.outcome == "abandoned"]
    f = [v for v in done if v.outcome in FLOWED_OUT]
    ended = [v for v in a if v.talk_ms is not None]

    def in_target(group: Sequence[Visit], limit: int = target_ms) -> int:
        return sum((v.wait_ms or 0) <= limit for v in group)

    a_t, b_t, b_s, ended_t = in_target(a), in_target(b), in_target(b, short_ms), in_target(ended)
    callback_t = in_target([v for v in f if v.outcome == "callback_accepted"])
    na, nb, nf = len(a), len(b), len(f)
    held, wrapped = [v for v in done if v.holds], [v for v in done if v.wrapup_ms is not None]
    rung = [v for v in done if v.ring_ms is not None]
    talk = sum(v.talk_ms or 0 for v in ended)
    hold = sum(v.hold_ms for v in held)
    wrapup = sum(v.wrapup_ms or 0 for v in wrapped)
    kinds = {k: sum(v.transfer == k for v in ended) for k in ("blind", "consult", "recall")}
    missed = sum(v.missed_rings for v in visits)
    waits = [v.wait_ms or 0 for v in done]
    return {
        "offered": len(visits),
        "answered": na,
        "abandoned": nb,
        **{c: sum(v.outcome == o for v in f) for o, c in FLOWED_OUT.items()},
        "open": len(visits) - len(done),
        "ended": len(ended),
        "abandonment_ratio": _over(nb, na + nb + nf),
        "abandonment_net_of_short_ratio": _over(nb - b_s, na + nb + nf - b_s),
        "lost_ratio": _over(nb + sum(v.outcome == "timed_out" for v in f), na + nb + nf),
        "answered_in_target": a_t,
        "abandoned_in_target": b_t,
        "abandoned_short": b_s,
        "service_level_ratio.offered": _over(a_t, na + nb + nf),
        "service_level_ratio.answered_abandoned": _over(a_t, na + nb),
        "service_level_ratio.short_abandons_removed": _over(a_t, na + nb - b_s),
        "service_level_ratio.abandons_in_target_removed": _over(a_t, na + nb - b_t),
        "service_level_ratio.answered_only": _over(a_t, na),
        "service_level_ratio.all_exits": _over(a_t + b_t + callback_t, na + nb + nf),
        "service_level_ratio.asterisk_perf": _over(ended_t, len(ended)),
        "service_level_ratio.asterisk_perf2": _over(ended_t + b_t, len(ended) + nb),
        "service_level_ratio.cisco_ignored": _over(a_t, na + nb + nf - b_t),
        "service_level_ratio.cisco_negative": _over(a_t, na + nb + nf),
        "service_level_ratio.cisco_positive": _over(a_t + b_t, na + nb + nf),
        "average_speed_of_answer_seconds": _seconds(sum(v.wait_ms or 0 for v in a), na),
        "average_time_to_abandon_seconds": _seconds(sum(v.wait_ms or 0 for v in b), nb),
        "longest_wait_seconds": Fraction(max(waits), 1000) if waits else None,
        "average_talk_seconds": _seconds(talk, len(ended)),
        "average_hold_seconds": _seconds(hold, len(ended)),
        "average_hold_per_held_seconds": _seconds(hold, len(held)),
        "average_wrapup_seconds": _seconds(wrapup, len(ended)),
        "average_wrapup_per_wrapped_up_seconds": _seconds(wrapup, len(wrapped)),
        "average_handle_seconds": _seconds(talk + hold + wrapup, len(ended)),
        "average_ring_seconds": _seconds(sum(v.ring_ms or 0 for v in rung), len(rung)),
        **{f"transferred_{kind}": n for kind, n in kinds.items()},
        "transferred": sum(kinds.values()),
        "transfer_ratio": _over(sum(kinds.values()), len(ended)),
        "missed_rings": missed,
        "missed_rings_per_offered": _over(missed, len(visits)),
    }


def expected_quantile_seconds(visits: Sequence[Visit], share: float) -> float | None:
    """The exact lower quantile of the concluded waits; the sketch is within 1 % of it."""
    waits = sorted(v.wait_ms or 0 for v in visits if v.outcome != "open")
    return waits[math.floor(share * (len(waits) - 1))] / 1000 if waits else None
