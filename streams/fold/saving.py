"""Which contacts changed since they were serialised, and which have rested since. Pure.

A checkpoint of many contacts takes long, and everything else stands still meanwhile. So what it
will hold is serialised ahead, a few contacts at a time, and it only joins what is there. A contact
that changes once more before it does is serialised twice: worth beginning with shortly before.

One that is let go meanwhile stays listed, empty: to find it would cost more than to pass it over.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

from streams.fold.interaction_state import InteractionState

_ALL: Final = 1 << 62


class Saving:
    """The contacts of one partition that are to be serialised.

    Args:
        contacts: those that are held already.
    """

    def __init__(self, contacts: Iterable[InteractionState]) -> None:
        self._unsaved = deque(contact for contact in contacts if not contact.is_saved)
        """Each once; those that changed long ago come first, and will rarely change again."""
        self._saved: list[InteractionState] = []
        """For the next checkpoint, since the last one."""
        self._resting: list[InteractionState] = []
        """For the last checkpoint: as they still are, the saved form is all that is needed."""

    def changes(self, contact: InteractionState) -> None:
        """A contact is new, or about to change."""
        if contact.is_saved or not contact.changed:
            self._unsaved.append(contact)

    def prepare(self, most: int) -> int:
        """Go on with so many at most; how many are left."""
        while most > 0 and self._resting:
            contact = self._resting.pop()
            if contact.is_saved:
                contact.pack()
            most -= 1
        while most > 0 and self._unsaved:
            contact = self._unsaved.popleft()
            if not contact.is_gone:
                contact.save()
                self._saved.append(contact)
                most -= 1
        return len(self._unsaved) + len(self._resting)

    def saved(self) -> None:
        """All go into a checkpoint now."""
        self.prepare(_ALL)
        self._saved, self._resting = self._resting, self._saved
