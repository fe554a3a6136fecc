"""Who missed the target of a queue lately: what breaches of its ratios name. Pure.

Kept are the newest that left without an answer, and the newest that were answered late, as many as
a breach names. Sums do not come from here; they are those of panes.
"""

from collections.abc import Callable, Iterable
from typing import Final

from schemas.live import MOST_CAUSES
from streams.monitor.messages import Missed, PanePart
from streams.monitor.rules import ServiceLevel

ANSWERED: Final = "answered"
ABANDONED: Final = "abandoned"


class Causes:
    """By outcome, the newest contacts of a queue that missed its target.

    Args:
        saved: as `save` gave them.
    """

    def __init__(self, saved: Iterable[Missed] = ()) -> None:
        self._missed: dict[str, dict[str, Missed]] = {}
        for one in saved:
            self._missed.setdefault(one[1], {})[one[0]] = one

    def take(self, pane: PanePart, target_ms: int) -> None:
        """Take in what is said of a pane: whoever it names stands there as it says, or not."""
        there = {one[0] for one in pane.waiting} | {one[0] for one in pane.serving}
        for name in there.union(pane.gone):
            for of_outcome in self._missed.values():
                of_outcome.pop(name, None)
        for one in pane.missed:
            name, outcome, _, wait_ms = one
            if outcome == ANSWERED and wait_ms <= target_ms:
                continue
            of_outcome = self._missed.setdefault(outcome, {})
            of_outcome[name] = one
            if len(of_outcome) > MOST_CAUSES:
                del of_outcome[min(of_outcome, key=lambda name: _left(of_outcome[name]))]

    def of_service_level(
        self, begin_ms: int, rule: ServiceLevel, target_ms: int, short_ms: int
    ) -> tuple[str, ...]:
        """Those entered since `begin_ms` that count as missed by a preset, the newest first."""
        return self._newest(
            one
            for one in self.save()
            if one[2] >= begin_ms and _is_missed(one[1], one[3], rule, target_ms, short_ms)
        )

    def of_abandonment(self, begin_ms: int) -> tuple[str, ...]:
        """Those entered since that hung up, the newest first."""
        return self._newest(one for one in self._of(ABANDONED) if one[2] >= begin_ms)

    def of_answer(self, begin_ms: int) -> tuple[str, ...]:
        """Those entered since that were answered late, the longest waits first."""
        late = [one for one in self._of(ANSWERED) if one[2] >= begin_ms]
        return tuple(one[0] for one in sorted(late, key=lambda one: (-one[3], one[0])))

    def forget(self, is_erased: Callable[[str, int], bool]) -> int:
        """Forget erased contacts; how many. Asked with a name and when it entered."""
        gone = [one for one in self.save() if is_erased(one[0], one[2])]
        for one in gone:
            del self._missed[one[1]][one[0]]
        return len(gone)

    def save(self) -> list[Missed]:
        """What makes it again."""
        return [one for of_outcome in self._missed.values() for one in of_outcome.values()]

    def _of(self, outcome: str) -> Iterable[Missed]:
        return self._missed.get(outcome, {}).values()

    def _newest(self, found: Iterable[Missed]) -> tuple[str, ...]:
        newest = sorted(found, key=_left, reverse=True)
        return tuple(one[0] for one in newest[:MOST_CAUSES])


def _left(one: Missed) -> tuple[int, str]:
    return one[2] + one[3], one[0]


def _is_missed(
    outcome: str, wait_ms: int, rule: ServiceLevel, target_ms: int, short_ms: int
) -> bool:
    """Whether a preset counts it without counting it as met (`vectors.met_and_counted`)."""
    in_target = wait_ms <= target_ms
    if outcome == ANSWERED:
        return not in_target
    if outcome == ABANDONED:
        removed = (rule.short_abandons_removed and wait_ms <= short_ms) or (
            in_target and (rule.in_target_abandons_removed or rule.abandoned_in_target_met)
        )
        return rule.abandoned_counted and not removed
    met = outcome == "callback_accepted" and rule.callback_in_target_met and in_target
    return rule.flowed_out_counted and not met
