"""What can go wrong with ClickHouse, sorted by what a caller has to do about it.

Pure: the codes and the classes; `sinks.store` raises them.

- `StoreUnavailable`: wait, then do the same again. Nothing is wrong with what was asked.
- `StoreMisconfigured`: the server answers, but a person has to act (a missing table, a wrong
  password, a grant). Waiting is safe; giving rows up is not, because no row is at fault.
- `StoreRefused`: what was asked is wrong, and will be wrong again: rows that the server or the
  driver cannot take, or a faulty statement.
"""

from typing import Final

RETRYABLE_CODES: Final[dict[int, str]] = {
    74: "CANNOT_READ_FROM_FILE_DESCRIPTOR",
    75: "CANNOT_WRITE_TO_FILE_DESCRIPTOR",  # a full disk, among others
    76: "CANNOT_OPEN_FILE",
    159: "TIMEOUT_EXCEEDED",
    173: "CANNOT_ALLOCATE_MEMORY",
    201: "QUOTA_EXCEEDED",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    203: "NO_FREE_CONNECTION",
    209: "SOCKET_TIMEOUT",
    210: "NETWORK_ERROR",
    225: "NO_ZOOKEEPER",
    236: "ABORTED",
    241: "MEMORY_LIMIT_EXCEEDED",
    242: "TABLE_IS_READ_ONLY",  # a replica that lost its keeper
    243: "NOT_ENOUGH_SPACE",
    252: "TOO_MANY_PARTS",
    279: "ALL_CONNECTION_TRIES_FAILED",
    285: "TOO_FEW_LIVE_REPLICAS",
    286: "UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE",
    319: "UNKNOWN_STATUS_OF_INSERT",
    394: "QUERY_WAS_CANCELLED",
    425: "SYSTEM_ERROR",
    439: "CANNOT_SCHEDULE_TASK",
    473: "DEADLOCK_AVOIDED",
    999: "KEEPER_EXCEPTION",
}
"""ClickHouse error codes after which the same statement may succeed."""

MISCONFIGURED_CODES: Final[dict[int, str]] = {
    16: "NO_SUCH_COLUMN_IN_TABLE",
    36: "BAD_ARGUMENTS",  # a setting or an engine's start, never the value of a row
    60: "UNKNOWN_TABLE",
    81: "UNKNOWN_DATABASE",
    115: "UNKNOWN_SETTING",
    164: "READONLY",
    192: "UNKNOWN_USER",
    193: "WRONG_PASSWORD",
    194: "REQUIRED_PASSWORD",
    291: "DATABASE_ACCESS_DENIED",
    452: "SETTING_CONSTRAINT_VIOLATION",
    497: "ACCESS_DENIED",
    516: "AUTHENTICATION_FAILED",
    732: "USER_EXPIRED",
}
"""ClickHouse error codes that speak of the server, the user or the schema: a person has to act."""

WHAT_TO_DO: Final[dict[int, str]] = {
    16: "run `switchboard migrate`: the tables are older than this program",
    60: "run `switchboard migrate`: the tables are not there yet",
    81: "run `switchboard migrate`: the database is not there yet",
    164: "the user may only read; give it the ingest role or another user",
    243: "free disk space on the ClickHouse server",
    252: "merges fall behind: look at system.parts and the server's disks",
    497: "grant the user what the message names",
    516: "check [clickhouse] user and password",
}
"""Advice by code, for the cases that operators meet."""


class StoreError(Exception):
    """Base. `code` is ClickHouse's error code where it gave one, `words` what it said."""

    def __init__(self, place: str, words: str, code: int | None = None) -> None:
        self.place = place
        self.words = words
        self.code = code
        advice = WHAT_TO_DO.get(code) if code is not None else None
        super().__init__(f"{place}: {words}" + (f" ({advice})" if advice else ""))


class StoreUnavailable(StoreError):
    """The store is away or overloaded: the same statement may succeed later."""


class StoreMisconfigured(StoreError):
    """The store answers, but cannot serve this program until a person acts."""


class StoreRefused(StoreError):
    """The store judged the statement or its rows to be wrong."""
