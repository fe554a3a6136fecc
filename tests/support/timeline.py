"""For tests of customers' pages: what was told, folded and stored as a worker would."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from schemas.identity_rows import IdentityLinkRow, IdentityMapRow, IdentityMemberRow
from sinks.store import Store
from streams.fold.customers import customer_key
from streams.fold.partition import PartitionFold
from streams.fold.rules import FoldRules
from tests.support.fold import Happening, log_of
from tests.support.rows import row, store_rows

NEVER_LET_GO = FoldRules(
    lateness_ms=1 << 40,
    horizons_ms=dict.fromkeys(("call", "chat", "email", "social"), 1 << 40),
    forget_open_ms=1 << 40,
)


def tell(store: Store, tenant: str, happenings: Iterable[Happening]) -> None:
    """Store everything that comes of these events, which are the tenant's."""
    told = [replace(happening, tenant=tenant) for happening in happenings]
    for (topic, partition), records in log_of(told).items():
        fold = PartitionFold(topic, partition, f"log of {topic}", 1, NEVER_LET_GO)
        fold.apply(records)
        store_rows(store, fold.drain().rows)


def join(store: Store, tenant: str, identifiers: Iterable[str], version: int = 1) -> str:
    """Make these identifiers (as they are stored) one customer; returns its id."""
    texts = {customer_key(tenant, text): text for text in identifiers}
    customer_id = min(texts)
    others = [key for key in texts if key != customer_id]
    store.insert(IdentityMapRow, [(tenant, key, customer_id, version, 0) for key in others])
    store.insert(IdentityMemberRow, [(tenant, customer_id, key, version) for key in texts])
    for one in texts:
        other = customer_id if one != customer_id else others[0]
        store.insert(IdentityLinkRow, [_link(tenant, one, other, texts, version)])
    return customer_id


def part(store: Store, tenant: str, identifier: str, customer_id: str, version: int) -> None:
    """Take back that the identifier is the customer's."""
    key = customer_key(tenant, identifier)
    store.insert(IdentityMapRow, [(tenant, key, customer_id, version, 1)])


def _link(
    tenant: str, one: str, other: str, texts: Mapping[str, str], version: int
) -> tuple[object, ...]:
    return row(
        IdentityLinkRow,
        tenant=tenant,
        customer_key=one,
        other_key=other,
        identifier=texts[one],
        other_identifier=texts[other],
        rule="customer.linked",
        evidence="test",
        version=version,
    )
