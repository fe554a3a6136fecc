"""The panes that may still change: what is added, taken back, and let go. Pure.

A pane is let go once no interaction that is still held contributes to it and the partition's event
time is past it. Whatever comes later begins the pane anew, under another generation, with only the
difference: partials of a pane add up.
"""

from collections.abc import Iterable, Sequence

from streams.fold.expiry import Expiry, minute_of
from streams.fold.panes import Contribution, Pane, PaneKey, empty_pane
from streams.fold.rules import FoldRules


class PaneLedger:
    """Keeps `panes` (of a fold's state, changed in place), and which of them changed."""

    def __init__(self, panes: dict[PaneKey, Pane], rules: FoldRules) -> None:
        self._panes = panes
        self._rules = rules
        self._changed: list[tuple[PaneKey, Pane]] = []
        # Every pane without references is in it at least once.
        self._expiry = Expiry[PaneKey]()
        for key, pane in panes.items():
            if not pane.references:
                self._expect(key)

    @property
    def changed(self) -> int:
        """How many panes `take_changed` would give, at most."""
        return len(self._changed)

    def take_changed(self) -> list[tuple[PaneKey, Pane]]:
        """The panes that changed since the last call, as they are now."""
        noted, self._changed = self._changed, []
        # The others were let go since, and handed over then.
        changed = [(key, pane) for key, pane in noted if pane.changed]
        for _, pane in changed:
            pane.changed = False
        return changed

    def exchange(
        self,
        old: Sequence[Contribution],
        new: Sequence[Contribution],
        offset: int,
        *,
        held: bool,
    ) -> None:
        """Take back what is only in `old` and add what is only in `new`, each as often as it is.

        Panes that begin with this are of generation `offset`: of the record that is being applied.
        `held` says that `release` will be called for what is new, and was not yet for what is old.
        """
        references = int(held)
        gone = list(old)
        for contribution in new:
            if contribution in gone:
                gone.remove(contribution)
                continue
            key = contribution[0]
            pane = self._pane(key, offset, held)
            pane.add(contribution, 1)
            pane.references += references
        for contribution in gone:
            key = contribution[0]
            pane = self._pane(key, offset, held)
            pane.add(contribution, -1)
            if held:
                self._release(key, pane)

    def release(self, contributions: Iterable[Contribution]) -> None:
        """These will not change any more: their interaction is let go."""
        for contribution in contributions:
            key = contribution[0]
            self._release(key, self._panes[key])

    def let_go_due(self, minute: int) -> list[tuple[PaneKey, Pane]]:
        """Let panes go whose time has come; those that changed last are handed over."""
        unwritten = []
        for key in self._expiry.due(minute):
            pane = self._panes.get(key)
            if pane is None or pane.references:
                continue
            del self._panes[key]
            if pane.changed:
                pane.changed = False
                unwritten.append((key, pane))
        return unwritten

    def _pane(self, key: PaneKey, offset: int, held: bool) -> Pane:
        """The pane, about to change."""
        pane = self._panes.get(key)
        if pane is None:
            pane = empty_pane(key, offset, self._rules)
            self._panes[key] = pane
            if not held:
                self._expect(key)
        if not pane.changed:
            pane.changed = True
            self._changed.append((key, pane))
        return pane

    def _release(self, key: PaneKey, pane: Pane) -> None:
        pane.references -= 1
        if pane.references == 0:
            self._expect(key)

    def _expect(self, key: PaneKey) -> None:
        """Let the pane come up once the partition's event time is past it."""
        self._expiry.expect(key, minute_of(key[-1] * 1000 + self._rules.lateness_ms) + 1)
