"""What a checkpoint holds is serialised ahead, and what rested since the last is kept as that."""

from collections.abc import Iterable

from streams.fold.interaction_state import InteractionState
from streams.fold.partition import PartitionFold
from tests.support.contact_centre import HASTY
from tests.support.fold import Happening, records_of

LOTS = 1_000_000
CONTACTS = 5
DAY_MS = 86_400_000


def _entered(subjects: Iterable[str], at: int = 0) -> list[Happening]:
    return [Happening(at, "queue.entered", subject, {"queue": "support"}) for subject in subjects]


class Telling:
    """A fold that is told of contacts."""

    def __init__(self) -> None:
        self.fold = PartitionFold("events.call", 0, "log", 1, HASTY)

    def tell(self, happenings: Iterable[Happening]) -> None:
        self.fold.apply(records_of(happenings, self.fold.next_offset))

    def contact(self, subject: str) -> InteractionState:
        (found,) = [c for c in self.fold.state.interactions.values() if c.interaction_id == subject]
        return found

    def saved(self) -> list[str]:
        held = self.fold.state.interactions.values()
        return [contact.interaction_id for contact in held if contact.is_saved]


def test_those_that_changed_first_are_serialised_first_and_no_more_than_asked_for() -> None:
    told = Telling()
    names = [f"c{n}" for n in range(CONTACTS)]
    told.tell(_entered(names))
    assert told.fold.prepare(0) == CONTACTS
    assert told.fold.prepare(2) == CONTACTS - 2
    assert told.saved() == names[:2]
    told.tell([Happening(1_000, "agent.connected", "c0", {"agent": "a"})])
    assert told.fold.prepare(0) == CONTACTS - 1
    assert told.fold.prepare(CONTACTS - 2) == 1
    assert told.saved() == names[1:]


def test_what_was_serialised_ahead_is_what_a_checkpoint_would_have_held() -> None:
    ahead, at_once = Telling(), Telling()
    for told in (ahead, at_once):
        told.tell(_entered(["c0", "c1", "c2"]))
        if told is ahead:
            told.fold.prepare(2)
        told.tell([Happening(1_000, "agent.connected", "c1", {"agent": "a"})])
    assert ahead.fold.prepare(LOTS) == 0
    assert ahead.fold.snapshot() == at_once.fold.snapshot()


def test_a_contact_is_packed_for_the_second_checkpoint_that_it_goes_into_as_it_is() -> None:
    told = Telling()
    told.tell(_entered(["rests", "goes on"]))
    told.fold.snapshot()
    assert told.fold.prepare(0) == 2  # to see whether they rest
    told.tell([Happening(1_000, "agent.connected", "goes on", {"agent": "a"})])
    assert told.fold.prepare(LOTS) == 0
    packed = [told.contact(name)._packed for name in ("rests", "goes on")]
    assert packed == [True, False]
    told.fold.snapshot()
    told.fold.snapshot()
    assert told.contact("goes on")._packed
    assert told.fold.prepare(0) == 0


def test_nothing_is_kept_or_serialised_of_one_that_was_let_go() -> None:
    told = Telling()
    told.tell(_entered(["goes"]))
    gone = told.contact("goes")
    told.tell([Happening(500, "interaction.ended", "goes", {"by": "customer"})])
    told.tell(_entered(["stays"], at=DAY_MS))
    told.tell(_entered(["stays, too"], at=DAY_MS + 1_000))
    assert gone.is_gone
    assert not gone.facts
    assert not gone.contributions
    assert told.fold.prepare(1) == 1, "the one that went is no work"
    assert told.saved() == ["stays"]
    told.fold.snapshot()
    assert not gone.is_saved


def test_one_that_goes_packed_lets_go_of_the_panes_that_it_would_have_let_go_of_as_it_was() -> None:
    packed, as_it_was = Telling(), Telling()
    for told in (packed, as_it_was):
        told.tell(_entered(["goes"]))
        told.tell([Happening(500, "interaction.ended", "goes", {"by": "customer"})])
        if told is packed:
            told.fold.snapshot()
            told.fold.snapshot()
            assert told.contact("goes")._packed
        told.fold.drain()
        told.tell(_entered(["stays"], at=DAY_MS))
        told.tell(_entered(["stays, too"], at=DAY_MS + 1_000))
    assert len(packed.fold.state.panes) == 1, "the last one's alone"
    assert packed.fold.snapshot() == as_it_was.fold.snapshot()
