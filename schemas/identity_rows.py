"""The rows that say which identifiers are one customer, and why. Conventions as in `schemas.rows`.

`customer_key` is the hash of one identifier of one tenant (`streams.fold.customers`), and
`customer_id` the smallest key of the customer that it belongs to. Facts and interactions carry keys
and are never rewritten; these tables bind keys to customers when they are read. Pure.
"""

from schemas.rows import U8, U32, U64, Bytes, Instant, MaybeInstant, Row, Str, Symbol


class IdentityLinkRow(Row):
    """Evidence: somebody said, or an interaction showed, that two identifiers are one customer's.

    Two rows for each, one from either end, so that both find it by key. `rule` is `interaction`
    (both were shown on one), `customer.identified`, `customer.linked` or `customer.unlinked`;
    `detail` the rule that the event itself names; `evidence` the id of the interaction, or source
    and id of the event. Written by the folds of source partitions, published on `identity.links`.
    """

    TABLE = "identity_links"
    KEY = ("tenant", "customer_key", "other_key", "rule", "evidence")
    tenant: Symbol
    customer_key: Str
    other_key: Str
    identifier: Str
    other_identifier: Str
    rule: Symbol
    detail: Str
    evidence: Str
    happened_at: Instant
    log: Symbol
    source_partition: U32
    version: U64


class IdentityEdgeRow(Row):
    """What became of all evidence for two identifiers: `applied`, `quarantined` or `unlinked`.

    Two rows an edge, one from either end. `reason` says why it is quarantined; `seen_at`, `rule`
    and `evidence` are those of its earliest evidence. Written by the resolver, as the next two are.

    Their `version` is the epoch of the log of `identity.links`, and under it a clock that goes from
    one partition of it to the other with the evidence: of two rows, the one that knows more wins.
    """

    TABLE = "identity_edges"
    KEY = ("tenant", "customer_key", "other_key")
    tenant: Symbol
    customer_key: Str
    other_key: Str
    state: Symbol
    reason: Symbol
    seen_at: Instant
    rule: Symbol
    evidence: Str
    unlinked_at: MaybeInstant
    version: U64


class IdentityMapRow(Row):
    """The customer that a key belongs to. A key without a row (or a deleted one) is its own."""

    TABLE = "identity_map"
    KEY = ("tenant", "customer_key")
    tenant: Symbol
    customer_key: Str
    customer_id: Str
    version: U64
    is_deleted: U8


class IdentityMemberRow(Row):
    """The way back: keys that belong to a customer, or once did. `identity_map` decides."""

    TABLE = "identity_members"
    KEY = ("tenant", "customer_id", "customer_key")
    tenant: Symbol
    customer_id: Str
    customer_key: Str
    version: U64


class IdentityMessage(Row):
    """A record for `identity.links`: published with the block that it belongs to, in no table."""

    TABLE = ""
    KEY = ()
    key: Bytes
    value: Bytes
