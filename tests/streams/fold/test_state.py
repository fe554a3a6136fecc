"""Saved states."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.fold import state as state_module
from streams.fold.interaction_state import InteractionState
from streams.fold.panes import Pane
from streams.fold.partition import PartitionFold
from streams.fold.state import STATE_VERSION, State, StateUnreadable, restore, snapshot
from tests.support.contact_centre import HASTY, chaos
from tests.support.fold import Record

NOT_SAVED = {"told", "listed", "named", "expected", "saved", "_saved", "pane", "names", "put_off"}
"""What stage 2 knows of a pane: after a restart it is told once more (`streams.fold.live`). Whether
it is to come up: the ledger of a restored state finds that out. What was serialised already,
where a contribution's pane is (it is found by its key), how sources are named, and whether a
contact was put off: all of a restored state are."""


@given(chaos())
def test_what_is_restored_is_what_was_saved(log: list[Record]) -> None:
    fold = PartitionFold("events.call", 0, "log", 1, HASTY)
    fold.apply(log)
    fold.drain()
    assert plain(restore(fold.snapshot())) == plain(fold.state)


def plain(value: Any) -> Any:
    """The value with objects as dicts of their attributes, so that they can be compared."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, InteractionState):
        assert value.facts  # makes them anew, where they were packed
    if isinstance(value, Pane):
        assert value.counts  # likewise
    # Compiled, a class has its attributes' names elsewhere.
    names = getattr(value, "__mypyc_attrs__", None) or getattr(value, "__slots__", None)
    kept = [name for name in names or () if name not in NOT_SAVED]
    return {name: plain(getattr(value, name)) for name in kept} if names else value


@given(chaos())
def test_what_is_saved_in_parts_is_what_is_saved_at_once(log: list[Record]) -> None:
    fold = PartitionFold("events.call", 0, "log", 1, HASTY)
    fold.apply(log)
    saved = fold.snapshot()
    assert msgspec.msgpack.encode(msgspec.msgpack.decode(saved)) == saved


@given(chaos(), st.data())
def test_what_was_packed_goes_on_as_if_it_had_not_been(
    log: list[Record], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(log)))
    untouched, packed = (PartitionFold("events.call", 0, "log", 1, HASTY) for _ in range(2))
    packed.apply(log[:at])
    for _ in range(3):  # saved, as it was for the last one, and packed
        packed.snapshot()
    packed.apply(log[at:])
    untouched.apply(log)
    found, expected = packed.drain().rows, untouched.drain().rows
    assert {t: list(rows) for t, rows in found.items()} == {
        t: list(rows) for t, rows in expected.items()
    }
    assert packed.snapshot() == untouched.snapshot()


@given(chaos())
def test_what_is_restored_is_as_if_nothing_had_been_asked_of_it(log: list[Record]) -> None:
    fold = PartitionFold("events.call", 0, "log", 1, HASTY)
    fold.apply(log)
    saved = fold.snapshot()
    state = restore(saved)
    assert all(contact.is_saved for contact in state.interactions.values())
    assert snapshot(state) == saved
    begun = PartitionFold("events.call", 0, "log", 1, HASTY, state)
    assert begun.prepare(0) == 0
    assert begun.snapshot() == saved


@pytest.mark.parametrize(
    ("place", "of"), [(4, ["default", "call-1"]), (6, [["default", "ada", 0], "seven"])]
)
def test_damage_within_a_contact_or_a_pane_is_told_as_such(place: int, of: list[Any]) -> None:
    fields = msgspec.msgpack.decode(snapshot(State()))
    fields[place] = [of]
    with pytest.raises(StateUnreadable, match="damaged"):
        restore(msgspec.msgpack.encode(fields))


def test_an_empty_state_is_saved_too() -> None:
    assert snapshot(restore(snapshot(State()))) == snapshot(State())


@pytest.mark.parametrize("damaged", [b"", b"\xff", b"\x90", snapshot(State())[:-1]])
def test_damage_is_told_as_such(damaged: bytes) -> None:
    with pytest.raises(StateUnreadable, match="damaged"):
        restore(damaged)


@pytest.mark.parametrize("version", [STATE_VERSION + 1, 0])
def test_a_version_that_is_not_known_is_told_with_the_one_that_is(version: int) -> None:
    with pytest.raises(StateUnreadable, match=f"version {version}.*reads version {STATE_VERSION}"):
        restore(snapshot(State()), version)


def test_older_versions_are_upgraded_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two formats that never were: the older one kept the offset as text.
    def from_minus_1(saved: bytes) -> bytes:
        fields = msgspec.msgpack.decode(saved)
        return msgspec.msgpack.encode([int(fields[0]), *fields[1:]])

    monkeypatch.setitem(state_module._UPGRADES, STATE_VERSION - 2, from_minus_1)
    monkeypatch.setitem(state_module._UPGRADES, STATE_VERSION - 1, lambda saved: saved)
    fields = msgspec.msgpack.decode(snapshot(State()))
    oldest = msgspec.msgpack.encode(["17", *fields[1:]])
    assert restore(oldest, STATE_VERSION - 2).next_offset == 17
