"""Each rule on queues fires when it should, and only then, by `promtool test rules`.

Every rule that compares with a threshold is held to the same laws.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.queue_rules import (
    ALERTS,
    STEP,
    Segments,
    case,
    check,
    fired,
    promtool,
    queue,
    series,
)


def seconds_of(value: float) -> str:
    """Like humanizeDuration, as far as it is needed here."""
    minutes, seconds = divmod(value, 60)
    return f"{minutes:g}m {seconds:g}s" if minutes else f"{seconds:g}s"


def share_of(value: float) -> str:
    """Like humanizePercentage."""
    return f"{value * 100:.4g}%"


@dataclass(frozen=True)
class Crossing:
    """A rule that compares a KPI with thresholds, and values around a warning's."""

    alert: str
    kpi: str
    metric: str
    labels: Mapping[str, str]
    after: int
    better: float
    closes: float
    between: float
    opens: float
    worse: float
    summary: Callable[[float], str]
    description: Callable[[float, float, str], str]
    since_now: bool = False

    def values(self, segments: Segments) -> list[dict[str, str]]:
        """The KPI's series."""
        return [series(self.metric, segments, self.since_now, **self.labels)]

    def thresholds(self, segments: Segments, severity: str = "warning") -> list[dict[str, str]]:
        """Opening and closing, wherever `segments` have a value."""
        kpi = {"kpi": self.kpi, "severity": severity}
        return [
            series(name, [(s, None if value is None else at) for s, value in segments], **kpi)
            for name, at in (
                ("queue_threshold", self.opens),
                ("queue_closing_threshold", self.closes),
            )
        ]

    def expected(self, value: float, severity: str = "warning") -> dict[str, Any]:
        """The alert at a value."""
        return fired(
            self.alert,
            {"kpi": self.kpi, "severity": severity},
            self.summary(value),
            self.description(value, self.opens, severity),
        )


CROSSINGS = [
    Crossing(
        "SwitchboardLongWait", "longest_wait_now_seconds",
        "queue_oldest_enqueued_timestamp_seconds", {}, 5, 10, 60, 90, 120, 150,
        lambda v: f"Somebody has waited in support for {seconds_of(v)}",
        lambda v, t, s: "The contact that waits longest in support (acme) has waited"
        f" {seconds_of(v)}; the {s} threshold is {seconds_of(t)}.",
        since_now=True,
    ),
    Crossing(
        "SwitchboardManyWaiting", "waiting", "queue_waiting", {}, 5, 0, 6, 8, 10, 25,
        lambda v: f"{v:g} contacts wait in support",
        lambda v, t, s: f"{v:g} contacts wait in support (acme); the {s} threshold is {t:g}.",
    ),
    Crossing(
        "SwitchboardSlowAnswer", "average_speed_of_answer_seconds",
        "queue_judged_value", {"kpi": "average_speed_of_answer_seconds"}, 60, 5, 20, 25, 30, 45,
        lambda v: f"support answers after {seconds_of(v)}",
        lambda v, t, s: "The mean wait of contacts offered to support (acme) in its alert's window"
        f" and answered is {seconds_of(v)}; the {s} threshold is {seconds_of(t)}.",
    ),
    Crossing(
        "SwitchboardAbandonment", "abandonment_ratio", "queue_judged_value",
        {"kpi": "abandonment_ratio"}, 60, 0.01, 0.05, 0.08, 0.1, 0.25,
        lambda v: f"{share_of(v)} of support hang up",
        lambda v, t, s: "Of the contacts offered to support (acme) in its alert's window"
        f" {share_of(v)} hung up while they waited; the {s} threshold is {share_of(t)}.",
    ),
    Crossing(
        "SwitchboardServiceLevelLow", "service_level_ratio", "queue_judged_value",
        {"kpi": "service_level_ratio"}, 60, 0.95, 0.8, 0.75, 0.7, 0.5,
        lambda v: f"The service level of support is {share_of(v)}",
        lambda v, t, s: "Of the contacts offered to support (acme) in its alert's window"
        f" {share_of(v)} were answered within the target, by the queue's preset; the {s} threshold"
        f" is {share_of(t)}.",
    ),
    Crossing(
        "SwitchboardFewAgents", "agents_available", "queue_agents", {"state": "available"}, 30,
        9, 5, 4, 3, 1,
        lambda v: f"{v:g} agents are available for support",
        lambda v, t, s: f"{v:g} agents are available for support (acme);"
        f" the {s} threshold is {t:g}.",
    ),
    Crossing(
        "SwitchboardForecastBreach", "forecast_breach_probability",
        "queue_forecast_breach_probability", {"horizon": "15m"}, 120, 0.1, 0.4, 0.5, 0.6, 0.9,
        lambda _: "support will probably miss its target",
        lambda v, t, s: "The probability that support (acme) misses its service level in the next"
        f" 15 minutes is {share_of(v)}; the {s} threshold is {share_of(t)}.",
    ),
]  # fmt: skip


@pytest.mark.parametrize("rule", CROSSINGS, ids=lambda rule: rule.alert)
def test_a_threshold(rule: Crossing, tmp_path: Path) -> None:
    """Beyond, at, and short of it; with hysteresis, without data, across restarts."""
    name, wait = rule.alert, rule.after
    always: Segments = [(900, 1)]
    known = [*queue(always), *rule.thresholds(always)]
    worse = rule.values([(900, rule.worse)])
    late = 60 + wait
    rises: Segments = [(60, rule.better), (840, rule.worse)]
    swings: Segments = [
        (late + 60, rule.worse), (120, rule.between), (120, rule.closes), (300, rule.between),
    ]  # fmt: skip
    gone: Segments = [(late + 60, 1), (240, None), (300, 1)]
    gone_value: Segments = [(late + 60, rule.worse), (240, None), (300, rule.worse)]
    cases = [
        case(
            "beyond it, after `for`",
            [*known, *rule.values(rises)],
            check(name, 55),
            *([check(name, 60 + wait - STEP)] if wait > STEP else []),
            check(name, 60 + wait, rule.expected(rule.worse)),
        ),
        case(
            "at the threshold exactly",
            [*known, *rule.values([(900, rule.opens)])],
            check(name, 240, rule.expected(rule.opens)),
        ),
        case("short of it", [*known, *rule.values([(900, rule.between)])], check(name, 240)),
        case(
            "critical as well as a warning",
            [*known, *rule.thresholds(always, "critical"), *worse],
            check(
                name, 240, rule.expected(rule.worse, "critical"), rule.expected(rule.worse)
            ),
        ),
        case(
            "it stays until the closing threshold, and is not opened again short of it",
            [*known, *rule.values(swings)],
            check(name, late + 120, rule.expected(rule.between)),
            check(name, late + 240),
            check(name, late + 480),
        ),
        case("no data is no alert", known, check(name, 240)),
        case(
            "no threshold is no alert", [*queue(always), *worse],
            check(name, 240),
        ),
        case(
            "a queue that was never known is not judged",
            [*rule.thresholds(always), *worse],
            check(name, 240),
        ),
        case(
            "a worker that catches up, or replays a past day, is not judged",
            [*queue(always, current=0), *rule.thresholds(always), *worse],
            check(name, 240),
        ),
        case(
            "outside business hours nobody is told",
            [*queue(always, is_open=0), *rule.thresholds(always), *worse],
            check(name, 240),
        ),
        case(
            "a restart of the worker neither ends it nor begins it again",
            [*queue(gone), *rule.thresholds(gone), *rule.values(gone_value)],
            check(name, late + 50, rule.expected(rule.worse)),
            *(
                check(name, second, rule.expected(rule.worse))
                for second in range(late + 60, late + 500, 20)
            ),
        ),
    ]  # fmt: skip
    promtool(tmp_path, cases)


def test_an_hour_without_a_worker_ends_what_fires(tmp_path: Path) -> None:
    """It is held until then by a rule that all share."""
    (rule,) = (one for one in CROSSINGS if one.kpi == "waiting")
    there: Segments = [(60, 1), (3_900, None)]
    gone = rule.values([(60, rule.worse), (3_900, None)])
    promtool(
        tmp_path,
        [
            case(
                "an hour",
                [*queue(there), *rule.thresholds(there), *gone],
                check(rule.alert, 3_600, rule.expected(rule.worse)),
                check(rule.alert, 3_720),
            )
        ],
    )


def agents(state: str, count: float, seconds: int = 600) -> dict[str, str]:
    return series("queue_agents", [(seconds, count)], state=state)


@pytest.mark.parametrize("rule", CROSSINGS[:2], ids=lambda rule: rule.alert)
def test_who_waits_is_told_with_who_is_at_work(rule: Crossing, tmp_path: Path) -> None:
    """Where that is known; the alert stays the same when agents come and go."""
    always: Segments = [(600, 1)]
    there = [("available", 2), ("on_contact", 1), ("wrapup", 1), ("paused", 8), ("offline", 16)]
    described = rule.expected(rule.worse)
    described["exp_annotations"]["description"] += " Agents at work: 4."
    promtool(
        tmp_path,
        [
            case(
                "agents",
                [
                    *(*queue(always), *rule.thresholds(always)),
                    *rule.values([(600, rule.worse)]),
                    *(agents(state, number) for state, number in there),
                ],
                check(rule.alert, 240, described),
            )
        ],
    )


def test_nobody_at_work(tmp_path: Path) -> None:
    name = "SwitchboardNoAgents"
    known = queue([(600, 1)])
    waits = series("queue_waiting", [(600, 2)])
    states = ("available", "on_contact", "wrapup", "paused", "offline")
    nobody = [agents(state, 3 if state in ("paused", "offline") else 0) for state in states]
    alert = fired(
        name,
        {"severity": "critical", "kpi": "waiting_without_agents"},
        "2 contacts wait in support and no agent is at work",
        "2 contacts wait in support (acme); of its agents none is available, on a contact or in"
        " wrap-up, where one is the least.",
    )
    cases = [
        case(
            "contacts wait and nobody works",
            [*known, waits, *nobody],
            check(name, 25),
            check(name, 30, alert),
        ),
        case(
            "nobody waits", [*known, series("queue_waiting", [(600, 0)]), *nobody], check(name, 300)
        ),
        case("nobody was ever told to be there", [*known, waits], check(name, 300)),
        *(
            case(f"one is {state}", [*known, waits, agents(state, 1)], check(name, 300))
            for state in ("available", "on_contact", "wrapup")
        ),
        case("closed", [*queue([(600, 1)], is_open=0), waits, *nobody], check(name, 300)),
        case(
            "a restart",
            [
                *queue([(60, 1), (120, None), (120, 1)]),
                series("queue_waiting", [(60, 2), (120, None), (120, 2)]),
                *(
                    series("queue_agents", [(60, 0), (120, None), (120, 0)], state=state)
                    for state in states
                ),
            ],
            *(check(name, second, alert) for second in range(40, 280, 20)),
        ),
    ]
    promtool(tmp_path, cases)


def test_alerts_of_ones_own_are_passed_on(tmp_path: Path) -> None:
    name = "SwitchboardBreach"
    given = {"kpi": "crowd", "severity": "critical"}
    alert = fired(
        name,
        given,
        "support: crowd",
        "The condition of the configured alert crowd holds in support (acme). Its values are in"
        " queue.breaches and on the board of live queues.",
    )
    held = series(
        "queue_breaches_open", [(60, 0), (120, 1), (120, None), (60, 1), (60, 0)], **given
    )
    known = queue([(180, 1), (120, None), (120, 1)])
    cases = [
        case(
            "held, across a restart, and over",
            [*known, held],
            check(name, 55),
            check(name, 60),
            *(check(name, second, alert) for second in range(65, 360, 15)),
            check(name, 365),
        ),
        case(
            "one that has a rule of its own is not told twice",
            [
                *queue([(300, 1)]),
                series("queue_breaches_open", [(300, 1)], kpi="waiting", severity="critical"),
                series("queue_threshold", [(300, 9)], kpi="waiting", severity="critical"),
            ],
            check(name, 200),
        ),
    ]
    promtool(tmp_path, cases)


def test_every_rule_is_held_to_something() -> None:
    alone = {
        "SwitchboardNoAgents", "SwitchboardBreach", "SwitchboardServiceLevelBurning",
        "SwitchboardServiceLevelMissed",
    }  # fmt: skip
    assert {rule.alert for rule in CROSSINGS} | alone == set(ALERTS)
