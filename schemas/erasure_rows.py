"""The rows that erasing a customer leaves behind. Same conventions as `schemas.rows`. Pure."""

from typing import Annotated

from schemas.rows import U32, U64, Instant, Row, Str, Symbol

Counts = Annotated[dict[str, int], "Map(String, UInt64)"]
"""Table -> rows."""


class ErasureMarkRow(Row):
    """Something that was erased, as a keyed hash: what happened up to `erased_at` stays away."""

    TABLE = "erasure_marks"
    KEY = ("tenant", "mark")
    tenant: Symbol
    mark: Str
    erased_at: Instant
    version: U64


class ErasureRow(Row):
    """That a customer was erased, without saying who: how much there was, and what is left."""

    TABLE = "erasures"
    KEY = ("tenant", "erasure_id")
    tenant: Symbol
    erasure_id: Str
    erased_at: Instant
    identifiers: U32
    contacts: U32
    deleted: Counts
    found_after: Counts
    version: U64
