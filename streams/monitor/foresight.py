"""A queue's forecasts: made from what is measured, remembered, and scored when they are due. Pure.

All follows from the queue's state at ticks, so whoever reads the log again forecasts and scores
alike. What is remembered is bounded: one forecast in five minutes and horizon until it is due, and
the sums of scores by hour for a day.
"""

import zlib
from typing import Final

import msgspec

from schemas.live import EVERY_QUEUE, HORIZONS
from schemas.rows import QUEUE_PANE_SECONDS
from streams.monitor.forecast import (
    Load,
    agents_needed,
    arrivals_between,
    breach_probability,
    course,
    most_present,
)
from streams.monitor.live import AT_WORK
from streams.monitor.queue import Queue
from streams.monitor.rules import MonitorRules, is_open
from streams.monitor.stacking import BEGIN, Evidence, Weights, learn, log_odds, weighed
from streams.monitor.vectors import (
    ABANDONED,
    ENDED,
    HANDLE,
    OFFERED,
    WAIT_ABANDONED,
    WAIT_ANSWERED,
    WAIT_EXITED,
    WIDTH,
    met_and_counted,
)

MADE_EVERY_MS: Final = 15_000
REMEMBERED_EVERY_MS: Final = 300_000
LATELY_SECONDS: Final = 900
DAY_SECONDS: Final = 86_400
LATE_MS: Final = 15_000
"""How long after the last contact is decided a forecast is scored: what is told late is in then."""
LONGEST_TARGET_MS: Final = 1_800_000
"""Targets beyond the longest horizon are not forecast: who comes within it is decided later."""
MOST_WAITING: Final = 500
"""Contacts that wait, or are served at once, beyond which following them costs too much."""
MOST_PRESENT: Final = 3_000
"""So many contacts, at most, may come to be there within a horizon: the worker does other work."""
ENOUGH: Final = 20
"""Contacts of the last hour from which handle times and patience are taken; else the day's."""
DAY_HOURS: Final = 24
HOUR_MS: Final = 3_600_000


class Forecast(msgspec.Struct, array_like=True):
    """One that has not come due: of the contacts offered from `begin` (seconds) on."""

    begin: int
    horizon: str
    probability: float
    evidence: Evidence


class Scores(msgspec.Struct, array_like=True):
    """Squared differences of the forecasts of one horizon that came due in one hour."""

    hour: int
    horizon: str
    forecasts: int = 0
    squares: float = 0.0


class Foresight(msgspec.Struct, array_like=True):
    """What was last forecast of a queue, what has not come due, and how good it was."""

    made_at: int = 0
    remembered_at: int = 0
    probability: dict[str, float | None] = {}
    agents_needed: int | None = None
    due: list[Forecast] = []
    scores: list[Scores] = []
    weights: dict[str, Weights] = {}

    def brier(self, now: int) -> dict[str, float]:
        """By horizon, the mean squared difference of the forecasts that came due within a day."""
        found: dict[str, float] = {}
        if not self.scores:
            return found
        for horizon in HORIZONS:
            of = [s for s in self.scores if s.horizon == horizon and _recent(s, now)]
            forecasts = sum(s.forecasts for s in of)
            if forecasts:
                found[horizon] = sum(s.squares for s in of) / forecasts
        return found

    def tick(self, queue: Queue, rules: MonitorRules, *, current: bool) -> None:
        """It is the queue's present instant: score what is due, and forecast where it is time."""
        if not current:
            self.probability, self.agents_needed = {}, None
            return
        self._score(queue, rules)
        if queue.now - self.made_at >= MADE_EVERY_MS:
            # Queues take turns within the quarter of a minute, however many begin at once.
            turn = zlib.crc32("\0".join(queue.name).encode()) % MADE_EVERY_MS
            self.made_at = (queue.now - turn) // MADE_EVERY_MS * MADE_EVERY_MS + turn
            self._make(queue, rules)

    def _make(self, queue: Queue, rules: MonitorRules) -> None:
        by_model, self.agents_needed = forecast(queue, rules)
        self.probability = {}
        remembering = bool(by_model) and queue.now - self.remembered_at >= REMEMBERED_EVERY_MS
        if remembering:
            self.remembered_at = queue.now
        begin = -(-queue.now // (QUEUE_PANE_SECONDS * 1000)) * QUEUE_PANE_SECONDS
        lately = _sign(went(queue, rules, begin - LATELY_SECONDS, begin))
        for horizon, probability in by_model.items():
            day_before = begin - DAY_SECONDS
            before = _sign(went(queue, rules, day_before, day_before + HORIZONS[horizon]))
            evidence = log_odds(probability), lately, before
            weights = self.weights.setdefault(horizon, list(BEGIN))
            self.probability[horizon] = weighed(weights, evidence)
            if remembering:
                made = Forecast(begin, horizon, weighed(weights, evidence), evidence)
                self.due.append(made)

    def _score(self, queue: Queue, rules: MonitorRules) -> None:
        wait_ms = rules.queue(queue.name[1]).target_ms + LATE_MS
        left = []
        for made in self.due:
            end = made.begin + HORIZONS[made.horizon]
            if queue.now < end * 1000 + wait_ms:
                left.append(made)
            elif queue.now < (end + HORIZONS[made.horizon]) * 1000 + wait_ms + HOUR_MS:
                missed = went(queue, rules, made.begin, end) is False
                learn(self.weights[made.horizon], made.evidence, breached=missed)
                self._count(made.horizon, queue.now, (made.probability - missed) ** 2)
        if len(left) < len(self.due):
            self.due = left

    def _count(self, horizon: str, now: int, square: float) -> None:
        hour = now // HOUR_MS
        for scores in self.scores:
            if scores.hour == hour and scores.horizon == horizon:
                break
        else:
            self.scores = [s for s in self.scores if _recent(s, now)]
            scores = Scores(hour, horizon)
            self.scores.append(scores)
        scores.forecasts += 1
        scores.squares += square


def forecast(queue: Queue, rules: MonitorRules) -> tuple[dict[str, float], int | None]:
    """The model's probability of a breach by horizon, and the agents that would keep the target.

    Nothing where agents are unknown, nothing was measured, the queue is closed, or its target is
    longer than the longest horizon.
    """
    settings = rules.queue(queue.name[1])
    agents = queue.agents_by_state()
    if (
        queue.name[1] == EVERY_QUEUE
        or agents is None
        or settings.target_ms > LONGEST_TARGET_MS
        or not is_open(queue.now, settings)
    ):
        return {}, None
    load, waiting = measured(queue, rules), len(queue.standing().waiting)
    if load is None or waiting > MOST_WAITING or load.arrivals * load.handle > MOST_WAITING:
        return {}, None
    # Agents may work for other queues, too: those that serve others now are not here.
    elsewhere = max(0, agents.get("on_contact", 0) - queue.standing().serving)
    at_work = sum(agents.get(state, 0) for state in AT_WORK) - elsewhere
    present = at_work - agents.get("available", 0) + waiting
    if most_present(load, at_work, present) > MOST_PRESENT:
        return {}, None
    ratio = settings.target_ratio
    found = dict.fromkeys(HORIZONS, 0.0)
    counted = max(1.0, load.arrivals * HORIZONS["30m"])
    for possible, weight in arrivals_between(load, counted):
        shares = course(possible, at_work, present)
        for (horizon, seconds), share in zip(HORIZONS.items(), shares, strict=True):
            contacts = possible.arrivals * seconds
            found[horizon] += weight * breach_probability(contacts, share, ratio)
    return found, agents_needed(load, present, ratio)


def measured(queue: Queue, rules: MonitorRules) -> Load | None:
    """What comes to a queue, by its last half hour and hour; None where no contact was concluded.

    Patience is the time waited by all, for each that left: those who were answered before they lost
    it count with as long as they had it.
    """
    windows = {window.name: window.sums for window in queue.windows}
    hour, day = windows["1h"], windows["day"]
    ended = hour if hour[ENDED] >= ENOUGH else day
    if not ended[ENDED] or not ended[HANDLE]:
        return None
    waits = hour if hour[ABANDONED] >= ENOUGH else day
    waited = waits[WAIT_ANSWERED] + waits[WAIT_ABANDONED] + waits[WAIT_EXITED]
    patience = waited / waits[ABANDONED] / 1000 if waits[ABANDONED] and waited else None
    arrivals = 2 * windows["30m"][OFFERED] / 1_800 + hour[OFFERED] / 3_600
    settings = rules.queue(queue.name[1])
    return Load(
        arrivals=arrivals / 3,
        handle=ended[HANDLE] / ended[ENDED] / 1000,
        patience=patience,
        target=settings.target_ms / 1000,
        leavers_count=rules.service_level(queue.name[1]).abandoned_counted,
    )


def went(queue: Queue, rules: MonitorRules, begin: int, end: int) -> bool | None:
    """Whether contacts offered between two instants (seconds) met the target; None without any.

    Who still waits past the target has missed it.
    """
    settings = rules.queue(queue.name[1])
    sums = [0] * WIDTH
    for vector, _ in queue.between(begin, end):
        for at, n in enumerate(vector):
            sums[at] += n
    met, counted = met_and_counted(sums, rules.service_level(queue.name[1]))
    counted += sum(
        begin <= entered // 1000 < end and queue.now - entered > settings.target_ms
        for entered, _ in queue.standing().waiting
    )
    return met >= settings.target_ratio * counted if counted else None


def _sign(met: bool | None) -> float:
    return 0.0 if met is None else -1.0 if met else 1.0


def _recent(scores: Scores, now: int) -> bool:
    return scores.hour > now // HOUR_MS - DAY_HOURS
