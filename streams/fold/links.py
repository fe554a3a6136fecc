"""What a fold says of identifiers that belong together: the rows of `IdentityLinkRow`. Pure.

Every two identifiers of an interaction are linked, not only the strongest with the others: which is
the strongest may change with the next event, and the links must not depend on when they were made.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import Final

from schemas.decode import Event
from streams.fold.customers import customer_key
from streams.fold.output import Place, RowTuple
from streams.identity.edges import IDENTIFIED, LINKED, SHOWN, UNLINKED
from streams.identity.normalise import Identifiers, identifier_texts

LINKING: Final = frozenset({IDENTIFIED, LINKED, UNLINKED})
"""Types of events that link identifiers, or take that back."""


def interaction_links(
    tenant: str, interaction_id: str, shown: tuple[str, ...], at: int, place: Place, version: int
) -> Iterator[RowTuple]:
    """The links that an interaction shows. `at` is when it began: it only ever becomes earlier."""
    for one, other in combinations(shown, 2):
        said = (SHOWN, "", interaction_id, at)
        yield from _both_ways(tenant, one, other, said, place, version)


def event_links(
    event: Event, at: int, identifiers: Identifiers, place: Place, version: int
) -> Iterator[RowTuple]:
    """The links that an event of `LINKING` states."""
    data, tenant = event.data, event.tenant
    if event.type == IDENTIFIED:
        named, detail = identifier_texts(data.identifiers), ""
    else:
        named, detail = identifier_texts((data.a, data.b)), data.rule
    said = (event.type, detail, f"{event.source} {event.id}", at)
    for one, other in combinations(identifiers.of(tenant, named), 2):
        yield from _both_ways(tenant, one, other, said, place, version)


def _both_ways(
    tenant: str, one: str, other: str, said: tuple[str, str, str, int], place: Place, version: int
) -> Iterator[RowTuple]:
    where = (place.log, place.partition, version)
    keys = customer_key(tenant, one), customer_key(tenant, other)
    yield (tenant, *keys, one, other, *said, *where)
    yield (tenant, *reversed(keys), other, one, *said, *where)
