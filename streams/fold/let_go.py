"""Contacts that were counted and let go while other partitions of the same log lay behind. Pure.

A log that takes over from another begins with the clocks of its slowest partition, because what
that one had not read is still to come. What a further partition had counted and let go by then must
not count again: its events are late by the clocks of the partition that knew it, until the clocks
of the new log are as far. Of everything that is not named here nothing was ever counted.
"""

from collections.abc import Iterable, Mapping

from streams.fold.facts import key_of


class LetGo:
    """What one partition of an earlier log had let go.

    `clocks` is, by source, the greatest event time that it had seen (milliseconds); `subjects` has
    the `subject_key` of each contact.
    """

    __slots__ = ("clocks", "subjects")

    def __init__(self, clocks: dict[str, int], subjects: set[int]) -> None:
        self.clocks = clocks
        self.subjects = subjects


def subject_key(tenant: str, subject: str) -> int:
    """The 64-bit key of a contact: of millions of them, no two are taken for one another."""
    return key_of(tenant, subject)


def clock_of(
    let_go: Iterable[LetGo], tenant: str, subject: str, source: str, otherwise: int
) -> int:
    """How far `source` was where the contact was let go; `otherwise` if that is not known."""
    key = subject_key(tenant, subject)
    known = [f.clocks[source] for f in let_go if source in f.clocks and key in f.subjects]
    return max(known, default=otherwise)


def furthest(let_go: Iterable[LetGo], source: str, latest: int) -> int:
    """The greatest event time of `source`: `latest`, or what an earlier log had seen."""
    return max([latest, *(f.clocks[source] for f in let_go if source in f.clocks)])


def still_ahead(let_go: Iterable[LetGo], latest: Mapping[str, int]) -> list[LetGo]:
    """Those of which some clock is ahead of `latest` (by source): the others say nothing more."""
    return [f for f in let_go if any(latest[source] < clock for source, clock in f.clocks.items())]
