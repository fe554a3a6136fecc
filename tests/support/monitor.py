"""A contact centre's sources and stage 2 in memory: records in, what is known of queues out."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from schemas.live import BreachNotice, BreachRecord
from schemas.queues import QueueSettings
from streams.fold.partition import PartitionFold
from streams.fold.rules import FoldRules
from streams.monitor.fold import MonitorFold
from streams.monitor.live import Live
from streams.monitor.messages import Tick, rendered
from streams.monitor.rules import MonitorRules
from tests.support.fold import Record


class Stages:
    """Folds of sources by (topic, partition), and one of `kpi.panes`, whose log is kept."""

    def __init__(
        self,
        settings: Callable[[str], QueueSettings] = lambda _: QueueSettings(),
        partitions: int = 1,
        fold_rules: FoldRules | None = None,
    ) -> None:
        self.rules = MonitorRules(queue=settings)
        self.partitions = partitions
        self.fold_rules = fold_rules or FoldRules()
        self.folds: dict[tuple[str, int], PartitionFold] = {}
        self._ends: defaultdict[tuple[str, int], int] = defaultdict(int)
        self.log: list[Record] = []
        self.monitor = self.begun()
        self.notices: list[BreachNotice] = []

    def begun(self, saved: bytes | None = None) -> MonitorFold:
        """A fold of `kpi.panes`, from its beginning or from a snapshot."""
        state = None if saved is None else (saved, MonitorFold.state_version)
        return MonitorFold("kpi.panes", 0, "monitor-log", 1, self.rules, state)

    def happens(self, topic: str, key: bytes, value: bytes, at: int) -> None:
        """An event is published at an instant (milliseconds), and applied."""
        place = topic, sum(key) % self.partitions
        fold = self.folds.get(place)
        if fold is None:
            log = f"{topic}-log"
            fold = self.folds[place] = PartitionFold(*place, log, 1, self.fold_rules)
        fold.apply([Record(self._ends[place], at, key, value)])
        self._ends[place] += 1

    def tell(self, at: int) -> None:
        """Pass on to stage 2 what changed."""
        for fold in self.folds.values():
            for key, value in fold.take_partials():
                self.say(key, value, at)

    def tick(self, at: int, current: Mapping[str, Sequence[int]] | None = None) -> None:
        """Tell stage 2 what time it is; without `current` every partition is read to its end."""
        if current is None:
            found: dict[str, list[int]] = {}
            for topic, partition in self.folds:
                found.setdefault(topic, []).append(partition)
            current = found
        said = Tick(at, {topic: tuple(numbers) for topic, numbers in current.items()})
        self.say(b"", rendered(said), at)

    def say(self, key: bytes, value: bytes, at: int) -> None:
        """Lay a record on `kpi.panes`, and apply it."""
        record = Record(len(self.log), at, key, value)
        self.log.append(record)
        self.monitor.apply([record])

    def drained(self) -> Mapping[Any, Any]:
        """The rows of stage 2; its notices are kept."""
        rows = self.monitor.drain().rows
        self.notices += notices_of(rows)
        return rows

    def live(self, queue: str) -> Live:
        """A queue as it is known now."""
        return next(live for live, _ in self.monitor.lives() if live.queue == queue)


def notices_of(rows: Mapping[Any, Any]) -> Iterator[BreachNotice]:
    """What a drain published of breaches."""
    for _, value in rows.get(BreachRecord, ()):
        yield BreachNotice.model_validate_json(value)
