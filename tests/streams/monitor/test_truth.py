"""Stage 1 and 2 together know of every queue what the simulated contact centre knows itself."""

from collections.abc import Iterator

import pytest

from schemas.queues import QueueSettings
from simulator.run import Run
from simulator.truth import Visit
from streams.fold.rules import DAY_MS, FoldRules
from tests.simulator.centres import tiny
from tests.support.monitor import Stages

INSTANTS = 100


def visits_of(run: Run) -> Iterator[Visit]:
    for contact in run.truth.contacts:
        yield from contact.visits


@pytest.mark.parametrize("partitions", [1, 2, 4])
def test_live_queues_are_those_of_the_centre(partitions: int) -> None:
    run = Run(tiny(seed=partitions, overtime_seconds=600))
    begin = round(run.settings.start_at.timestamp() * 1000)
    instants = [6 * 3_600_000 + 517_317 * number for number in range(INSTANTS)]
    horizons = dict.fromkeys(("call", "chat", "email", "social"), 30 * DAY_MS)
    stages = Stages(lambda _: QueueSettings(), partitions, FoldRules(horizons_ms=horizons))
    seen = []
    events = list(run.deliveries())
    due = 0
    for instant in instants:
        while due < len(events) and events[due].due_at <= instant:
            told = events[due]
            stages.happens(told.topic, told.subject.encode(), told.value, begin + told.due_at)
            due += 1
        stages.tell(begin + instant)
        stages.tick(begin + instant)
        seen.append({live.queue: live for live, _ in stages.monitor.lives()})
    for instant, known in zip(instants, seen, strict=True):
        waiting: dict[str, list[int]] = {}
        offered: dict[str, int] = {}
        for visit in visits_of(run):
            if visit.entered_at > instant:
                continue
            offered[visit.queue] = offered.get(visit.queue, 0) + 1
            left = visit.wait_ms is not None and visit.entered_at + visit.wait_ms <= instant
            if not left:
                waiting.setdefault(visit.queue, []).append(begin + visit.entered_at)
        for queue, live in known.items():
            if not queue:
                continue
            assert live.current
            assert live.waiting == len(waiting.get(queue, ())), (instant, queue)
            assert live.oldest_enqueued_at == min(waiting.get(queue, ()), default=None)
            assert live.windows["day"].offered == offered.get(queue, 0)
        assert waiting.keys() <= known.keys()
