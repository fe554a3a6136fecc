"""The panes that may still change: what is added, taken back, and let go. Pure.

A pane is let go once no interaction that is still held contributes to it and the partition's event
time is past it. Whatever comes later begins the pane anew, under another generation, with only the
difference: partials of a pane add up.
"""

from collections.abc import Iterable

from streams.fold.expiry import MINUTE_SECONDS, Expiry
from streams.fold.panes import Contribution, Pane, PaneKey, empty_pane
from streams.fold.rules import FoldRules


class PaneLedger:
    """Keeps `panes` (of a fold's state, changed in place), and which of them changed."""

    def __init__(self, panes: dict[PaneKey, Pane], rules: FoldRules) -> None:
        self._panes = panes
        self._rules = rules
        # Panes begin at whole seconds: what is less changes no minute.
        self._lateness_seconds = rules.lateness_ms // 1000
        self._changed: list[Pane] = []
        self._untold: list[Pane] = []
        # Every pane without references is in it once.
        self._expiry = Expiry[Pane]()
        for pane in panes.values():
            if not pane.references:
                self._expect(pane)

    @property
    def changed(self) -> int:
        """How many panes `take_changed` would give, at most."""
        return len(self._changed)

    def take_changed(self) -> list[Pane]:
        """The panes that changed since the last call, as they are now."""
        noted, self._changed = self._changed, []
        # The others were let go since, and handed over then.
        changed = [pane for pane in noted if pane.changed]
        for pane in changed:
            pane.changed = False
        return changed

    def take_untold(self) -> list[Pane]:
        """The panes that changed since the last call to this, for who is told of them sooner."""
        untold, self._untold = self._untold, []
        for pane in untold:
            pane.told = True
        return untold

    def exchange(
        self,
        old: list[Contribution],
        new: list[Contribution],
        offset: int,
        *,
        held: bool,
    ) -> None:
        """Take back what is only in `old` and add what is only in `new`, each as often as it is.

        Panes that begin with this are of generation `offset`: of the record that is being applied.
        `held` says that `release` will be called for what is new, and was not yet for what is old.
        """
        gone: list[Contribution] = []
        come: list[Contribution] = []
        # Most often the next event of a contact changes some, in their places, and adds others.
        together = min(len(old), len(new))
        for at in range(together):
            before, after = old[at], new[at]
            if after.equals(before):
                after.pane = before.pane
            elif held and after.key == before.key:
                self._replace(before, after)
            else:
                gone.append(before)
                come.append(after)
        if len(old) > together:
            gone += old[together:]
        if len(new) > together:
            come += new[together:]
        if gone:
            come = _only_new(gone, come)
        for contribution in come:
            for at, other in enumerate(gone):
                if held and contribution.key == other.key:
                    self._replace(other, contribution)
                    del gone[at]
                    break
            else:
                pane = self._pane(contribution.key, offset, held)
                pane.add(contribution, 1)
                if held:
                    pane.references += 1
                    contribution.pane = pane
        for contribution in gone:
            pane = self._pane(contribution.key, offset, held)
            pane.add(contribution, -1)
            if held:
                self._release(pane)

    def _replace(self, old: Contribution, new: Contribution) -> None:
        """Let the pane that holds `old` hold `new` in its place."""
        pane = self._holding(old)
        pane.replace(old, new)
        new.pane = pane
        self._touch(pane)

    def release(self, contributions: Iterable[Contribution]) -> None:
        """These will not change any more: their interaction is let go."""
        for contribution in contributions:
            self._release(self._holding(contribution))

    def let_go_due(self, minute: int) -> list[Pane]:
        """Let panes go whose time has come; those that changed last are handed over."""
        unwritten = []
        for pane in self._expiry.due(minute):
            pane.expected = False
            if pane.references:
                continue
            del self._panes[pane.key]
            if pane.changed:
                pane.changed = False
                unwritten.append(pane)
        return unwritten

    def _pane(self, key: PaneKey, offset: int, held: bool) -> Pane:
        """The pane, about to change."""
        pane = self._panes.get(key)
        if pane is None:
            pane = empty_pane(key, offset, self._rules)
            self._panes[key] = pane
            if not held:
                self._expect(pane)
        self._touch(pane)
        return pane

    def _holding(self, contribution: Contribution) -> Pane:
        """The pane in which the contribution is held: it stays as long."""
        pane = contribution.pane
        return self._panes[contribution.key] if pane is None else pane

    def _touch(self, pane: Pane) -> None:
        if not pane.changed:
            pane.changed = True
            self._changed.append(pane)
        if pane.told:
            pane.told = False
            self._untold.append(pane)

    def _release(self, pane: Pane) -> None:
        pane.references -= 1
        if pane.references == 0:
            self._expect(pane)

    def _expect(self, pane: Pane) -> None:
        """Let the pane come up once the partition's event time is past it."""
        if not pane.expected:
            pane.expected = True
            pane_at: int = pane.key[-1]
            # In seconds: the product in milliseconds would be an object to compiled code.
            self._expiry.expect(pane, (pane_at + self._lateness_seconds) // MINUTE_SECONDS + 1)


def _only_new(gone: list[Contribution], come: list[Contribution]) -> list[Contribution]:
    """Those of `come` that are not in `gone`, as often as they are; the others leave `gone`."""
    found: list[Contribution] = []
    for contribution in come:
        for at, other in enumerate(gone):
            if contribution.equals(other):
                contribution.pane = other.pane
                del gone[at]
                break
        else:
            found.append(contribution)
    return found
