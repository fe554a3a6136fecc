"""What the fold keeps of one interaction between two events, and its saved form. Pure.

Contacts are held for hours after their last event, as objects that a checkpoint would go through
and the collector, too. So the saved form is kept until something changes, and once it went into a
checkpoint and is due for the next, or came out of one, it is all that is kept.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Raw
from mypy_extensions import i64, mypyc_attr

from streams.fold.expiry import minute_of
from streams.fold.facts import Fact, SavedFact
from streams.fold.panes import Contribution, PaneKey, SavedContribution

Subject = tuple[str, ...]
"""tenant and interaction, or tenant and agent: of fixed length to mypyc it would be made anew for
each look into a dictionary"""

# Saved as tuples: compiled (deploy/compile_fold.py), a msgspec structure would be saved otherwise.
_Saved = tuple[str, str, str, int, list[SavedFact], list[SavedContribution], int, int]
"""tenant, interaction, source, opened_at, facts, contributions, expires_at, changed"""

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Saved)
_head_decoder: Final = msgspec.msgpack.Decoder(tuple[str, str, str, int, Raw, Raw, int, int])
"""All but facts and contributions."""
_keys_decoder: Final = msgspec.msgpack.Decoder(
    tuple[Raw, Raw, Raw, Raw, Raw, list[tuple[PaneKey, Raw, Raw]], Raw, Raw]
)
"""Which panes it contributes to: the rest is passed over."""

_NO_FACTS: Final[dict[int, Fact]] = {}
_NO_CONTRIBUTIONS: Final[list[Contribution]] = []
"""In place of those of packed contacts, which are made anew before anybody sees them: each packed
contact with empty ones of its own was 120 bytes and two objects for the collector to count."""


@mypyc_attr(acyclic=True)
class InteractionState:
    """Everything the fold keeps of one interaction.

    `source` is the source of its first event: its clock decides when the interaction is let go.
    `contributions` are those now contained in panes. `expires_at` is the event time (milliseconds)
    of its source at which it may be let go, `changed` the version under which its latest fact was
    taken in. `put_off` is not saved: `streams.fold.clocks` says what it is.

    There are as many as contacts are held: `subject` is the key under which they are, and that all
    else has of them, and numbers are kept in place.

    Once it is packed, its saved form is all that is kept: facts and contributions are made again of
    it when they are asked for. Facts are added by `add` alone.
    """

    __slots__ = (
        "_changed",
        "_contributions",
        "_expires_at",
        "_facts",
        "_packed",
        "_saved",
        "is_gone",
        "opened_at",
        "put_off",
        "source",
        "subject",
    )

    def __init__(
        self, subject: Subject, source: str, opened_at: int, facts: dict[int, Fact]
    ) -> None:
        self.subject: Final = subject
        self.source = source
        self.opened_at: i64 = opened_at
        self._facts = facts
        self._contributions: list[Contribution] = []
        self._expires_at: i64 = 0
        self._changed: i64 = 0
        self._saved = b""
        self._packed = False
        self.is_gone = False
        self.put_off = False

    @property
    def tenant(self) -> str:
        """Whose it is."""
        return self.subject[0]

    @property
    def interaction_id(self) -> str:
        """Its name in its source."""
        return self.subject[1]

    @property
    def facts(self) -> dict[int, Fact]:
        """By key."""
        if self._packed:
            self._unpack()
        return self._facts

    def add(self, fact: Fact) -> None:
        """Keep a fact."""
        self.facts[fact.key] = fact
        self._saved = b""

    @property
    def contributions(self) -> list[Contribution]:
        """Those now contained in panes; one that was packed meanwhile does not know in which."""
        if self._packed:
            self._unpack()
        return self._contributions

    @contributions.setter
    def contributions(self, contributions: list[Contribution]) -> None:
        if self._packed:
            self._unpack()
        self._contributions = contributions
        self._saved = b""

    @property
    def expires_at(self) -> int:
        """When it may be let go."""
        return self._expires_at

    @expires_at.setter
    def expires_at(self, expires_at: int) -> None:
        if self._packed:
            self._unpack()
        self._expires_at = expires_at
        self._saved = b""

    @property
    def changed(self) -> int:
        """The version under which its latest fact was taken in."""
        return self._changed

    @changed.setter
    def changed(self, changed: int) -> None:
        if self._packed:
            self._unpack()
        self._changed = changed
        self._saved = b""

    @property
    def due(self) -> int:
        """The minute of its source's event time at which it is let go."""
        return minute_of(self._expires_at) + 1

    @property
    def is_saved(self) -> bool:
        """Whether its saved form is kept, because nothing changed since."""
        return bool(self._saved)

    def save(self) -> bytes:
        """The saved form."""
        if not self._saved:
            self._saved = _encoder.encode(
                (
                    *self.subject,
                    self.source,
                    self.opened_at,
                    [fact.save() for fact in self._facts.values()],
                    [contribution.save() for contribution in self._contributions],
                    self._expires_at,
                    self._changed,
                )
            )
        return self._saved

    def rest(self, saved: bytes, expires_at: int, changed: int) -> None:
        """Nothing is known of it but this saved form."""
        self._expires_at = expires_at
        self._changed = changed
        self._saved = saved
        self.pack()

    def pack(self) -> None:
        """Keep the saved form alone, if it is kept at all."""
        if self._saved and not self._packed:
            self._packed = True
            self._facts = _NO_FACTS
            self._contributions = _NO_CONTRIBUTIONS

    def let_go(self) -> list[Contribution]:
        """It is not held any more; its contributions, but for what they count if it was packed.

        What lists it still, until the next checkpoint, keeps nothing of it: who works off a backlog
        lets go of many times the contacts that it holds.
        """
        held = self._contributions
        if self._packed:
            # Most are packed by then, and only their panes are asked for.
            held = [Contribution(key, ()) for key in self.pane_keys]
        self.is_gone = True
        self._facts = _NO_FACTS
        self._contributions = _NO_CONTRIBUTIONS
        self._saved = b""
        self._packed = False
        return held

    @property
    def pane_keys(self) -> list[PaneKey]:
        """Of its contributions; of one that is packed without making those anew."""
        if not self._packed:
            return [contribution.key for contribution in self._contributions]
        return [key for key, _, _ in _keys_decoder.decode(self._saved)[5]]

    def _unpack(self) -> None:
        saved: _Saved = _decoder.decode(self._saved)
        self._facts = _facts_of(saved[4])
        self._contributions = [Contribution(key, counts, waits) for key, counts, waits in saved[5]]
        self._packed = False


def at_rest(saved: bytes, named: Callable[[str], str]) -> InteractionState:
    """An interaction of its saved form alone: most will not be asked for anything.

    `named` gives the name of a tenant or a source as all have it. Raises `msgspec.MsgspecError`
    if the bytes are damaged.
    """
    tenant, interaction_id, source, opened_at, _, _, expires_at, changed = _head_decoder.decode(
        saved
    )
    subject = (named(tenant), interaction_id)
    interaction = InteractionState(subject, named(source), opened_at, _NO_FACTS)
    interaction.rest(saved, expires_at, changed)
    return interaction


def _facts_of(saved: list[SavedFact]) -> dict[int, Fact]:
    """Facts that were saved, by key."""
    facts: dict[int, Fact] = {}
    for at, rank, key, kind, queue, agent, measured_ms, detail in saved:
        facts[key] = Fact(at, rank, key, kind, queue, agent, measured_ms, _frozen(detail))
    return facts


def _frozen(value: Any) -> Any:
    """Lists as tuples, all the way down: what was a tuple when it was saved."""
    if isinstance(value, list):
        return tuple([_frozen(v) for v in value])
    return value
