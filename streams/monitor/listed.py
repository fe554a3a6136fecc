"""Who waits and who is served in one pane, as one source tells it. Pure.

A source names everyone in a pane, or some of them, each time under its version. Of a contact what
was said under the greatest version counts, and naming everyone speaks of those who are not named,
too: they have gone. So any order and repetition of what was said leads to the same. Who has gone
must be remembered only until everyone is named again: something older may still come.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Final

from msgspec.structs import replace

from streams.monitor.messages import PanePart, Serving, Waiting

FOR_EVER: Final = 1 << 62


class Open:
    """Contacts that wait and that are served. Instants in milliseconds.

    `waits` has, by name, (entered, presumed lost) of every stay with the queue, `serves` when each
    is presumed lost.
    """

    __slots__ = ("_counted_at", "_holds_until", "_lost", "_served", "serves", "waits")

    def __init__(self, waiting: Iterable[Waiting] = (), serving: Iterable[Serving] = ()) -> None:
        self.waits: dict[str, tuple[tuple[int, int], ...]] = {}
        self.serves: dict[str, tuple[int, ...]] = {}
        self._served = 0
        # From `_counted_at` on, and before `_holds_until`, `_lost` of them are presumed lost.
        self._lost = 0
        self._counted_at = self._holds_until = 0
        for name, entered_at, lost_at in waiting:
            self.waits[name] = (*self.waits.get(name, ()), (entered_at, lost_at))
        for name, lost_at in serving:
            self.serves[name] = (*self.serves.get(name, ()), lost_at)
            self._served += 1

    def __bool__(self) -> bool:
        """Whether there is anybody."""
        return bool(self.waits or self.serves)

    def names(self) -> set[str]:
        """Who is there."""
        return self.waits.keys() | self.serves.keys()

    def copy(self, name: str, other: "Open") -> None:
        """Let it stand with a contact as it does in another; out of both, if it is not there."""
        waits = other.waits.get(name)
        if waits is not None:
            self.waits[name] = waits
        else:
            self.waits.pop(name, None)
        before = self.serves.pop(name, ())
        serves = other.serves.get(name, ())
        if serves:
            self.serves[name] = serves
        self._served += len(serves) - len(before)
        # Who left may have been one of the lost.
        self._holds_until = 0 if self._lost else min((self._holds_until, *serves))

    def without(self, names: Collection[str]) -> "Open":
        """All but these."""
        waiting, serving = self.save()
        return Open(
            [item for item in waiting if item[0] not in names],
            [item for item in serving if item[0] not in names],
        )

    def waiting(self) -> Iterator[tuple[str, int, int]]:
        """Who waits, since when, and when they are presumed lost."""
        for name, stays in self.waits.items():
            for entered_at, lost_at in stays:
                yield name, entered_at, lost_at

    def served(self, now: int) -> tuple[int, int, int]:
        """How many are served, how many of those told are presumed lost, and until when that holds
        if nobody comes or goes.
        """
        # Counted anew only when one more is: who never ended may be there in thousands, for days.
        if not self._counted_at <= now < self._holds_until:
            all_lost_at = [lost_at for stays in self.serves.values() for lost_at in stays]
            self._lost = sum(lost_at <= now for lost_at in all_lost_at)
            self._counted_at = now
            later = (lost_at for lost_at in all_lost_at if lost_at > now)
            self._holds_until = min(later, default=FOR_EVER)
        return self._served - self._lost, self._lost, self._holds_until

    def save(self) -> tuple[list[Waiting], list[Serving]]:
        """What makes it again: `Open(*saved)`."""
        serving = [(name, at) for name, stays in self.serves.items() for at in stays]
        return list(self.waiting()), serving


NOBODY = Open()


class Listed:
    """The open contacts of one pane of a source; `carried` were open in an earlier log.

    Args:
        whole: the version under which everyone was named last.
        said: by contact that was named since, gone ones included, the version of that.
    """

    __slots__ = ("carried", "own", "said", "whole")

    def __init__(self, whole: int, said: dict[str, int], own: Open, carried: Open) -> None:
        self.whole = whole
        self.said = said
        self.own = own
        self.carried = carried

    def __bool__(self) -> bool:
        """Whether somebody waits, or is served."""
        return bool(self.own or self.carried)

    def take(self, version: int, pane: PanePart) -> None:
        """Take in what was said of the pane under a version."""
        if version <= self.whole:
            return
        own = Open(pane.waiting, pane.serving)
        carried = Open(pane.carried_waiting, pane.carried_serving)
        if pane.changes:
            for name in own.names() | carried.names() | set(pane.gone):
                if self.said.get(name, 0) < version:
                    self.said[name] = version
                    self.own.copy(name, own)
                    self.carried.copy(name, carried)
            return
        self.whole = version
        self.said = {name: at for name, at in self.said.items() if at > version}
        for name in self.said:
            own.copy(name, self.own)
            carried.copy(name, self.carried)
        self.own, self.carried = own, carried

    def forget(self, is_erased: Callable[[str, int], bool], known_at: int) -> int:
        """Forget erased contacts; how many.

        `is_erased` is asked with a name and an instant at which the contact was known, `known_at`
        where nothing else says one.
        """
        gone = 0
        for name in self.own.names() | self.carried.names() | self.said.keys():
            stays = self.own.waits.get(name) or self.carried.waits.get(name) or ()
            if is_erased(name, min((entered_at for entered_at, _ in stays), default=known_at)):
                gone += 1
                self.said.pop(name, None)
                self.own.copy(name, NOBODY)
                self.carried.copy(name, NOBODY)
        return gone

    def save(self) -> tuple[Any, ...]:
        """What `restored` makes it of again."""
        return self.whole, self.said, self.own.save(), self.carried.save()


def without_erased(pane: PanePart, is_erased: Callable[[str, int], bool]) -> PanePart:
    """What was said of a pane, without those who must not come back; asked as in `forget`."""
    known_at = pane.pane_at * 1000

    def waits(said: tuple[Waiting, ...]) -> tuple[Waiting, ...]:
        return tuple(one for one in said if not is_erased(one[0], one[1]))

    def serves(said: tuple[Serving, ...]) -> tuple[Serving, ...]:
        return tuple(one for one in said if not is_erased(one[0], known_at))

    return replace(
        pane,
        waiting=waits(pane.waiting),
        serving=serves(pane.serving),
        carried_waiting=waits(pane.carried_waiting),
        carried_serving=serves(pane.carried_serving),
        gone=tuple(name for name in pane.gone if not is_erased(name, known_at)),
        missed=tuple(one for one in pane.missed if not is_erased(one[0], one[2])),
    )


def nobody() -> Listed:
    """What is known of a pane before anything was said of it."""
    return Listed(0, {}, Open(), Open())


def restored(saved: Iterable[Any]) -> Listed:
    """What was saved."""
    whole, said, own, carried = saved
    return Listed(whole, said, Open(*own), Open(*carried))
