"""Which contacts changed since they were serialised, and which have rested since. Pure.

A checkpoint of many contacts takes long, and everything else stands still meanwhile. So what it
will hold is serialised ahead, a few contacts at a time, and it only joins what is there. A contact
that changes once more before it does is serialised twice: worth beginning with shortly before.

Of one that came to its end hardly anything more is heard, and it is kept for hours. So that is
serialised soon after, and nothing else of it is kept: what a fold takes does not hang on how often
there are checkpoints.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

from streams.fold.state import InteractionState

LINGERING: Final = 1_000
"""So many that ended last stay as they are: wrap-up and a survey often follow."""
_ALL: Final = 1 << 62


class Saving:
    """The contacts of one partition that are to be serialised.

    Args:
        contacts: those that are held already, of none of which the saved form is kept.
    """

    def __init__(self, contacts: Iterable[InteractionState]) -> None:
        self._unsaved: deque[InteractionState] = deque(contacts)
        """Each once; those that changed long ago come first, and will rarely change again."""
        self._saved: list[InteractionState] = []
        """For the next checkpoint, since the last one."""
        self._resting: list[InteractionState] = []
        """For the last checkpoint: as they still are, the saved form is all that is needed."""
        self._ended: deque[InteractionState] = deque()

    def changes(self, contact: InteractionState) -> None:
        """A contact is new, or about to change."""
        if contact.is_saved or not contact.changed:
            self._unsaved.append(contact)
        # One for each change: all at once would hold everything up.
        self.rest(LINGERING)

    def ended(self, contact: InteractionState) -> None:
        """A contact has come to its end, and its rows were drained."""
        self._ended.append(contact)

    def rest(self, lingering: int) -> None:
        """If more than so many ended, of the one that ended first only keep the saved form."""
        if len(self._ended) <= lingering:
            return
        contact = self._ended.popleft()
        if not contact.is_saved:
            contact.save()
            self._saved.append(contact)
        contact.pack()

    def prepare(self, most: int) -> int:
        """Go on with so many at most; how many are left, those that ended among them."""
        while most > 0 and self._resting:
            contact = self._resting.pop()
            if contact.is_saved:
                contact.pack()
            most -= 1
        while most > 0 and self._unsaved:
            contact = self._unsaved.popleft()
            if not contact.is_saved:
                contact.save()
                self._saved.append(contact)
                most -= 1
        return len(self._unsaved) + len(self._resting)

    def saved(self) -> None:
        """All go into a checkpoint now."""
        self.prepare(_ALL)
        self._saved, self._resting = self._resting, self._saved

    def forget(self, contacts: set[InteractionState]) -> None:
        """They were erased, and are to be found nowhere."""
        self._unsaved = deque([one for one in self._unsaved if one not in contacts])
        self._saved = [one for one in self._saved if one not in contacts]
        self._resting = [one for one in self._resting if one not in contacts]
        self._ended = deque([one for one in self._ended if one not in contacts])
