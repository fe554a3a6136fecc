"""Every KPI that the store knows beside its truth. Reads the store it is given."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Final, TypeVar

from schemas.sketch import RELATIVE_ACCURACY
from simulator.customers import caller_figures, first_contact_figures, known
from simulator.estimates import estimate_figures, estimates
from simulator.figures import (
    Cohort,
    Figures,
    Key,
    Stay,
    Value,
    agent_figures,
    instant_of,
    queue_figures,
    stays,
)
from simulator.outcomes import (
    HOUR_MS,
    Chatting,
    OpenFor,
    always_open,
    backlog_figures,
    chat_figures,
    chats,
    done_figures,
    done_for,
    solution_figures,
    solutions,
)
from simulator.run import Run
from simulator.truth import Contact
from sinks.kpis.catalogue import FAMILIES
from sinks.kpis.families import ESTIMATES
from sinks.kpis.query import KpiResult, Queries, agent_table, kpi_table
from tests.truth.asked_once import AskedOnce
from tests.truth.families import churn_from, churn_truth, family_truth

One = TypeVar("One")

TENANT: Final = "default"
QUANTILE: Final = re.compile(r".*_p[0-9]+_seconds")
LAST_DIGIT: Final = 1e-12
"""A quotient of two whole numbers, computed twice, may differ in its last digit."""
HALF_HOUR_MS: Final = 1_800_000
NOT_IN_TRUTH: Final = {
    "presumed_lost": "a judgement of the moment of reading: who is silent for too long by then"
}
"""KPIs of the catalogue that no truth has, with the reason."""
COHORTS: Final[tuple[Cohort, ...]] = ("offered", "ended")


@dataclass(frozen=True, slots=True)
class Compared:
    """One KPI at one place: what it is in truth, and what the store says."""

    kpi: str
    splits: dict[str, str]
    truth: Value
    measured: Value

    @property
    def difference(self) -> float | None:
        """Measured less truth; None where one of them is not a number."""
        if self.truth is None or self.measured is None:
            return None
        return self.measured - self.truth

    @property
    def holds(self) -> bool:
        """Whether it is as exact as it is promised to be: counts and sums exactly."""
        if self.truth is None or self.measured is None or isinstance(self.truth, int):
            return self.truth == self.measured
        if QUANTILE.fullmatch(self.kpi):
            # In decimals: of a wait of 1 ms the sketch says 0.99, which binary fractions put beyond
            # the bound.
            measured, truth, bound = map(_decimal, (self.measured, self.truth, RELATIVE_ACCURACY))
            return abs(measured - truth) <= bound * abs(truth)
        return abs(self.measured - self.truth) <= LAST_DIGIT * abs(self.truth)

    def __str__(self) -> str:
        """For a list of what is wrong."""
        where = " ".join(f"{name}={value}" for name, value in self.splits.items())
        return f"{self.kpi} {where}: {self.measured}, in truth {self.truth}"


def _decimal(value: float) -> Fraction:
    return Fraction(repr(value))


def everything(
    store: Queries,
    run: Run,
    repeat_seconds: int = 4 * 3600,
    open_for: OpenFor = always_open,
) -> Iterator[Compared]:
    """All KPIs of the catalogue, by all that they are split by, of a store that does not change."""
    store = AskedOnce(store)
    yield from of_queues(store, run)
    yield from of_intervals(store, run)
    yield from of_customers(store, run, repeat_seconds)
    yield from of_conversations(store, run, repeat_seconds, open_for)
    yield from of_backlog(store, run)
    yield from of_thresholds(store, run)
    yield from of_agents(store, run)
    yield from of_families(store, run)


def of_families(store: Queries, run: Run) -> Iterator[Compared]:
    """KPIs of surveys, menus, self-service, … by what each is split by first."""
    for names, truth in family_truth(run).items():
        measured = _by_dimensions(kpi_table(store, TENANT, split=names, families=FAMILIES), names)
        yield from _beside(truth, measured, names, all_places=False)
    if left_at := churn_from(run):
        since = run.settings.start_at + timedelta(milliseconds=left_at)
        (total,) = kpi_table(store, TENANT, split=(), from_=since, families=FAMILIES)
        yield from _beside({(): churn_truth(run)}, {(): total.values}, ())


def wrong(compared: Iterable[Compared]) -> list[str]:
    """Those that do not hold, in words."""
    return [str(one) for one in compared if not one.holds]


def of_queues(store: Queries, run: Run) -> Iterator[Compared]:
    """KPIs of queues over all the time, by all that the simulation knows them to be split by."""
    skills = {queue.name: queue.skill for queue in run.settings.queues}

    def hour(at: int) -> str:
        return f"{(run.settings.start_at + timedelta(milliseconds=at)).astimezone(UTC):%H}"

    keys: dict[tuple[str, ...], Callable[[Stay], Key]] = {
        ("queue", "channel"): lambda stay: (stay.visit.queue, stay.contact.channel),
        ("channel", "direction"): lambda stay: (stay.contact.channel, stay.contact.direction),
        (): lambda _: (),
        ("language", "site"): lambda stay: (stay.contact.language, stay.contact.site),
        ("agent",): lambda stay: (stay.visit.leg.agent if stay.visit.leg else "",),
        ("skill",): lambda stay: (skills.get(stay.visit.queue, ""),),
        ("purpose", "hour"): lambda stay: (stay.contact.purpose, hour(stay.visit.entered_at)),
    }
    estimate = estimates(run.truth)
    for names, key in keys.items():
        results = kpi_table(store, TENANT, split=names, families=(ESTIMATES,))
        truth = queue_figures(run.truth, key)
        for place, group in _grouped(stays(run.truth), key).items():
            truth[place] |= estimate_figures(group, estimate)
        yield from _beside(truth, _by_dimensions(_offered(results), names), names)


def of_intervals(store: Queries, run: Run) -> Iterator[Compared]:
    """KPIs of queues by half hour, as contacts were offered and as they ended."""
    for cohort in COHORTS:
        measured = {}
        for result in _offered(kpi_table(store, TENANT, interval="30m", cohort=cohort)):
            at = _milliseconds(result.interval_start, run)
            measured[result.dimensions["queue"], at // HALF_HOUR_MS] = result.values
        truth = queue_figures(run.truth, _half_hour(cohort))
        yield from _beside(truth, measured, ("queue", f"half hour, {cohort}"))


def of_customers(store: Queries, run: Run, repeat_seconds: int) -> Iterator[Compared]:
    """Callers and first contacts, where customers are as far as they can be known."""
    names = ("queue", "channel")
    results = kpi_table(store, TENANT, split=names, repeat_seconds=repeat_seconds)
    who = known(run.truth)
    truth: dict[Key, Figures] = dict(caller_figures(run.truth, who))
    latest_at = _latest(store, run)
    for place, figures in first_contact_figures(run.truth, latest_at, repeat_seconds, who).items():
        if place in truth:  # not of those who met no queue
            truth[place] = truth[place] | figures
    yield from _beside(truth, _by_dimensions(results, names), names, all_places=False)


def of_conversations(
    store: Queries, run: Run, repeat_seconds: int, open_for: OpenFor
) -> Iterator[Compared]:
    """Messages and tickets: over all the time, and what was done by half hour."""
    written = [c for c in run.truth.contacts if c.messages or c.ticket]
    skills = {queue.name: queue.skill for queue in run.settings.queues}
    whose: dict[tuple[str, ...], Callable[[Contact], Key]] = {
        ("queue", "channel"): lambda contact: (_queue(contact), contact.channel),
        ("channel", "direction"): lambda contact: (contact.channel, contact.direction),
        ("purpose", "language"): lambda contact: (contact.purpose, contact.language),
        ("site",): lambda contact: (contact.site,),
        ("skill",): lambda contact: (skills.get(_queue(contact), ""),),
        (): lambda _: (),
    }
    for names, key in whose.items():
        of_contacts = _of_written(
            run, store, written, open_for, repeat_seconds, _of_the_contact(key)
        )
        for place, group in _grouped(written, key).items():
            of_contacts.setdefault(place, {}).update(backlog_figures(group, _latest(store, run)))
        results = kpi_table(store, TENANT, split=names, repeat_seconds=repeat_seconds)
        yield from _of_places(of_contacts, results, names)
    by_agent = _of_written(
        run, store, written, open_for, repeat_seconds, lambda _c, _at, agent: (agent,)
    )
    for place, group in _grouped(written, lambda contact: (_had_last(contact),)).items():
        by_agent.setdefault(place, {}).update(backlog_figures(group, _latest(store, run)))
    results = kpi_table(store, TENANT, split=("agent",), repeat_seconds=repeat_seconds)
    yield from _of_places(by_agent, results, ("agent",))
    by_hour = _of_written(
        run,
        store,
        written,
        open_for,
        repeat_seconds,
        lambda _c, at, _agent: (f"{(run.settings.start_at + timedelta(milliseconds=at)):%H}",),
    )
    results = kpi_table(store, TENANT, split=("hour",), repeat_seconds=repeat_seconds)
    yield from _of_places(by_hour, results, ("hour",))
    done = _grouped(
        ((_queue(contact), one) for contact in written for one in done_for(contact)),
        lambda pair: (pair[0], pair[1].at // HALF_HOUR_MS),
    )
    measured = {
        (result.dimensions["queue"], _milliseconds(result.interval_start, run) // HALF_HOUR_MS): (
            result.values
        )
        for result in kpi_table(store, TENANT, interval="30m")
    }
    in_truth = {place: done_figures(one for _, one in pairs) for place, pairs in done.items()}
    yield from _beside(in_truth, measured, ("queue", "half hour"), all_places=False)


def _of_the_contact(key: Callable[[Contact], Key]) -> Callable[[Contact, int, str], Key]:
    return lambda contact, _at, _agent: key(contact)


def of_backlog(store: Queries, run: Run) -> Iterator[Compared]:
    """What was to do at the end of each hour, by queue and channel."""
    names = ("queue", "channel")
    written = [c for c in run.truth.contacts if c.messages or c.ticket]
    latest_at = _latest(store, run)
    measured = {
        (*(result.dimensions[name] for name in names), _milliseconds(result.interval_start, run)): (
            result.values
        )
        for result in kpi_table(store, TENANT, interval="1h", split=names)
    }
    truth: dict[Key, Figures] = {}
    for place, group in _grouped(written, lambda c: (_queue(c), c.channel)).items():
        for at in range(0, latest_at, HOUR_MS):
            figures = backlog_figures(group, min(at + HOUR_MS, latest_at))
            figures = {kpi: n for kpi, n in figures.items() if kpi.startswith("backlog")}
            if any(figures.values()) or (*place, at) in measured:
                truth[*place, at] = figures
    yield from _beside(truth, measured, ("queue", "channel", "hour"), all_places=False)


def _of_written(
    run: Run,
    store: Queries,
    written: list[Contact],
    open_for: OpenFor,
    repeat_seconds: int,
    key: Callable[[Contact, int, str], Key],
) -> dict[Key, Figures]:
    """By contact, instant and agent: what was done, solved, and how many chats there were at once.

    Chats are cut at full hours, so that `key` may be the hour.
    """
    done = _grouped(
        ((c, one) for c in written for one in done_for(c)),
        lambda pair: key(pair[0], pair[1].at, pair[1].agent),
    )
    solved = _grouped(solutions(written), lambda one: key(one.contact, one.at, one.agent))
    chatting = _grouped(
        (part for one in chats(written) for part in _by_hours(one)),
        lambda one: key(one.contact, one.began_at, one.agent),
    )
    latest_at, window_ms = _latest(store, run), repeat_seconds * 1000
    return {
        place: {
            **done_figures(one for _, one in done.get(place, ())),
            **solution_figures(solved.get(place, ()), latest_at, window_ms, open_for),
            **chat_figures(chatting.get(place, ())),
        }
        for place in done.keys() | solved.keys() | chatting.keys()
    }


def _of_places(
    truth: dict[Key, Figures], results: Iterable[KpiResult], names: tuple[str, ...]
) -> Iterator[Compared]:
    # Of mentions, which nobody answers and nobody has to, nothing is counted.
    something = {place: figures for place, figures in truth.items() if any(figures.values())}
    yield from _beside(something, _by_dimensions(results, names), names, all_places=False)


def _by_hours(one: Chatting) -> Iterator[Chatting]:
    began_at = one.began_at
    while began_at < one.ended_at:
        ended_at = min(one.ended_at, (began_at // HOUR_MS + 1) * HOUR_MS)
        yield one._replace(began_at=began_at, ended_at=ended_at)
        began_at = ended_at


def _had_last(contact: Contact) -> str:
    """The agent who answered a contact last."""
    answered = [visit.leg.agent for visit in contact.visits if visit.leg is not None]
    return (answered or [leg.agent for leg in contact.legs] or [""])[-1]


def _grouped(ones: Iterable[One], key: Callable[[One], Key]) -> dict[Key, list[One]]:
    groups: dict[Key, list[One]] = {}
    for one in ones:
        groups.setdefault(key(one), []).append(one)
    return groups


def of_thresholds(store: Queries, run: Run) -> Iterator[Compared]:
    """KPIs of queues for thresholds that nobody configured."""
    names = ("queue", "channel")
    results = kpi_table(store, TENANT, split=names, target=47, short=2.5)
    truth = queue_figures(run.truth, target_seconds=47, short_seconds=2.5)
    measured = _by_dimensions(_offered(results), names)
    yield from _beside(truth, measured, ("queue", "channel, T 47 s"))


def of_agents(store: Queries, run: Run) -> Iterator[Compared]:
    """KPIs of agents, in all and by half hour."""
    whole = {(r.dimensions["agent"], 0): r.values for r in agent_table(store, TENANT)}
    yield from _beside(agent_figures(run.truth), whole, ("agent", "from"))
    parts = {
        (r.dimensions["agent"], _milliseconds(r.interval_start, run)): r.values
        for r in agent_table(store, TENANT, interval="30m")
        if any(r.values.values())
    }
    spans = [(at, at + HALF_HOUR_MS) for at in range(0, run.ends_at + 1, HALF_HOUR_MS)]
    yield from _beside(agent_figures(run.truth, spans), parts, ("agent", "half hour"))


def _latest(store: Queries, run: Run) -> int:
    (latest,) = store.query("SELECT max(last_event_at) AS at FROM interactions FINAL")
    return _milliseconds(latest["at"], run)


def _offered(results: Iterable[KpiResult]) -> list[KpiResult]:
    """Those of places where a contact was offered; elsewhere there are only messages."""
    return [result for result in results if result.values["offered"]]


def _queue(contact: Contact) -> str:
    """The queue of a written contact, which stays where it is."""
    return contact.visits[-1].queue if contact.visits else ""


def _half_hour(cohort: Cohort) -> Callable[[Stay], Key | None]:
    def key(stay: Stay) -> Key | None:
        at = instant_of(stay, cohort)
        return None if at is None else (stay.visit.queue, at // HALF_HOUR_MS)

    return key


def _milliseconds(at: datetime | None, run: Run) -> int:
    if at is None:
        raise ValueError("an interval without a beginning cannot be compared")
    return round((at - run.settings.start_at).total_seconds() * 1000)


def _by_dimensions(
    results: Iterable[KpiResult], names: tuple[str, ...]
) -> dict[Key, Mapping[str, Value]]:
    return {tuple(r.dimensions[name] for name in names): r.values for r in results}


def _beside(
    truth: Mapping[Key, Figures],
    measured: Mapping[Key, Mapping[str, Value]],
    names: tuple[str, ...],
    *,
    all_places: bool = True,
) -> Iterator[Compared]:
    """One for every KPI of every place; a place that only one of them knows counts for itself."""
    places = truth.keys() | measured.keys() if all_places else truth.keys()
    for place in sorted(places, key=str):
        splits = dict(zip(names, map(str, place), strict=True))
        if place not in truth or place not in measured:
            yield Compared("places", splits, int(place in truth), int(place in measured))
            continue
        for kpi, value in truth[place].items():
            yield Compared(kpi, splits, value, measured[place].get(kpi))
