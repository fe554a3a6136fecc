"""The one access to ClickHouse: a server over HTTP, or the embedded engine in this process.

Everything that reads or writes ClickHouse goes through a `Store`; nothing else imports the client
library. The same statements run on both engines. May touch: the network, the embedded engine's
directory. Rows go in column by column (`schemas.native`); values are always bound as parameters.
"""

import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Final, Self
from urllib.parse import urlencode, urlsplit

from clickhouse_connect import get_client
from clickhouse_connect.driver.compression import get_compressor
from clickhouse_connect.driver.exceptions import (
    ClickHouseError,
    DataError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)

from schemas.encoded import encoded
from schemas.native_columns import ENCODING_ERRORS
from schemas.rows import Row
from sinks.errors import (
    MISCONFIGURED_CODES,
    RETRYABLE_CODES,
    StoreError,
    StoreMisconfigured,
    StoreRefused,
    StoreUnavailable,
)

EMBEDDED: Final = "embedded"

SESSION_SETTINGS: Final = {"session_timezone": "UTC"}
"""The embedded engine otherwise takes the host's time zone for zoneless times."""

ENGINE_SETTINGS: Final = {
    # Merges share the worker's cores here, come in bursts, and nobody waits for them: a thread that
    # reads gets three times as much of a core that both want (docs/decisions/0103).
    "os_threads_nice_value_merge_mutate": 5,
}
"""What a server has in its configuration, for the embedded engine."""

INSERT_SETTINGS: Final = {
    # An asynchronous insert is acknowledged before it is stored or with other people's rows; a
    # checkpoint that follows it would promise too much.
    "async_insert": 0,
    # In a cluster, the answer to an insert must mean that the shards have it, not their queue.
    "distributed_foreground_insert": 1,
    # A backfill of old data spreads one block over many months; the limit of 100 would refuse it
    # for ever, under the same code as an overloaded server.
    "max_partitions_per_insert_block": 0,
    # Replacing within a block is left to the merges, which do it anyhow, and one thread serves one
    # insert: together 3 to 5 µs of processor time less an event, of 17.
    "optimize_on_insert": 0,
    "max_threads": 1,
    "max_insert_threads": 1,
    # Every column is told. The embedded engine otherwise tells itself what stands in for one that
    # is not, column by column: 0.3 ms a statement.
    "input_format_defaults_for_omitted_fields": 0,
}

_RETRYABLE_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_STATUS = re.compile(r"HTTP status (\d{3})")
_URL_NOTE = re.compile(r" \(for url \S+\)$")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# Every failure is raised from here with its reason; the driver's own lines would repeat it, with a
# traceback, at every retry and every step of a bisection.
logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)

_embedded_lock = Lock()
_embedded_open: dict[str, int] = {}
"""Engine path -> open stores. ClickHouse's embedded engine has one path a process."""


class Store:
    """A connection to ClickHouse. Calls block; a store may be shared between threads.

    On the embedded engine the calls of one store run one after another: open a second store on
    the same path for reading while a writer works.
    """

    def __init__(
        self, client: Any, place: str, database: str, embedded_path: str | None = None
    ) -> None:
        self._client = client
        self._embedded_path = embedded_path
        self.place = place
        self.database = database
        client.database = database

    def command(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        settings: Mapping[str, str | int] | None = None,
        *,
        use_database: bool = True,
    ) -> None:
        """Run a statement that returns nothing. Raises a `StoreError`."""
        try:
            self._client.command(
                sql,
                parameters=dict(parameters or {}),
                settings=dict(settings or {}),
                use_database=use_database,
            )
        except (ClickHouseError, OSError) as error:
            raise _translated(self.place, error) from error

    def query(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        bytes_columns: Sequence[str] = (),
        settings: Mapping[str, str | int] | None = None,
    ) -> list[dict[str, Any]]:
        """Run a query; one dict a row, times aware. Parameters are written `{name:Type}`.

        `bytes_columns` are returned as bytes; other strings are decoded as UTF-8. Raises a
        `StoreError`.
        """
        try:
            result = self._client.query(
                sql,
                parameters=dict(parameters or {}),
                settings=dict(settings or {}),
                column_formats=dict.fromkeys(bytes_columns, "bytes"),
                query_tz="UTC",
            )
            names = result.column_names
            return [dict(zip(names, row, strict=True)) for row in result.result_rows]
        except (ClickHouseError, OSError) as error:
            raise _translated(self.place, error) from error

    def insert(self, row_type: type[Row], rows: Sequence[tuple[Any, ...]]) -> None:
        """Store rows (tuples in the order of `row_type.columns()`) in one insert.

        Returns when the server has stored them. After an error some or all of them may be stored
        as well: every table replaces by key and version, so doing it again is right.
        Raises a `StoreError`; `StoreRefused` when a value is not of its column's type.
        """
        if not rows:
            return
        try:
            block = encoded(row_type, rows)
        except ENCODING_ERRORS as error:
            words = f"cannot encode a row of {row_type.TABLE}: {error!r}"
            raise StoreRefused(self.place, words) from error
        compression = self._client.write_compression
        try:
            self._client.raw_insert(
                row_type.TABLE,
                column_names=row_type.columns(),
                insert_block=_compressed(block, compression),
                settings=INSERT_SETTINGS,
                fmt="Native",
                compression=compression,
            )
        except (ClickHouseError, OSError) as error:
            raise _translated(self.place, error) from error

    def create_database(self, on_cluster: str = "") -> None:
        """Create this store's database if it is not there."""
        self.command(
            f"CREATE DATABASE IF NOT EXISTS `{self.database}`{on_cluster}", use_database=False
        )

    def ping(self) -> bool:
        """Whether the store answers now."""
        try:
            return bool(self._client.ping())
        except ClickHouseError:
            return False

    @property
    def version(self) -> str:
        """The engine's version, as it was when the store was opened."""
        return str(self._client.server_version)

    @property
    def embedded(self) -> bool:
        """Whether the engine runs in this process."""
        return self._embedded_path is not None

    def close(self) -> None:
        """Give the connection back. Idempotent."""
        self._client.close()
        if self._embedded_path is not None:
            path, self._embedded_path = self._embedded_path, None
            with _embedded_lock:
                _embedded_open[path] -= 1
                if not _embedded_open[path]:
                    del _embedded_open[path]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_store(
    url: str,
    *,
    path: Path | None = None,
    user: str = "",
    password: str = "",
    database: str = "switchboard",
    timeout_seconds: int = 60,
) -> Store:
    """Open ClickHouse at `url`: `embedded` (with `path`, a directory) or `http(s)://host:port`.

    The database need not exist yet (`Store.create_database`). `timeout_seconds` bounds one
    answer of a server. Raises `StoreUnavailable` when nothing answers, `StoreMisconfigured` on a
    refused login, an unusable URL, or an embedded path that another process holds.
    """
    if not _IDENTIFIER.fullmatch(database):
        words = f"database {database!r} must be letters, digits and underscores"
        raise StoreMisconfigured(url, words)
    if url == EMBEDDED:
        if path is None:
            raise StoreMisconfigured(url, "the embedded engine needs a data directory")
        return _open_embedded(path, database)
    return _open_server(url, user, password, database, timeout_seconds)


def _open_embedded(path: Path, database: str) -> Store:
    directory = os.path.realpath(path)
    place = f"embedded ClickHouse in {directory}"
    with _embedded_lock:
        other = next((held for held in _embedded_open if held != directory), None)
        if other is not None:
            words = f"this process already has the embedded engine open on {other}; it has one"
            raise StoreMisconfigured(place, words + " path at a time: close that store first")
        try:
            Path(directory).mkdir(parents=True, exist_ok=True)
            client = get_client(
                interface="chdb",
                path=f"{directory}?{urlencode(ENGINE_SETTINGS)}",
                tz_mode="aware",
                settings=SESSION_SETTINGS,
            )
        except (ClickHouseError, OSError) as error:
            words = f"cannot be opened: {error}"
            hint = "another process may hold it (one process at a time), or it is not writable"
            raise StoreMisconfigured(place, f"{words}; {hint}") from error
        _embedded_open[directory] = _embedded_open.get(directory, 0) + 1
    return Store(client, place, database, embedded_path=directory)


def _open_server(url: str, user: str, password: str, database: str, timeout: int) -> Store:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        words = "must be `embedded` or like http://host:8123"
        raise StoreMisconfigured(f"[clickhouse] url {url!r}", words)
    place = f"ClickHouse at {parts.scheme}://{parts.hostname}:{parts.port or ''}".rstrip(":")
    try:
        client = get_client(
            interface=parts.scheme,
            host=parts.hostname,
            port=parts.port or (8443 if parts.scheme == "https" else 8123),
            proxy_path=parts.path,
            username=user or None,
            password=password,
            tz_mode="aware",
            settings=SESSION_SETTINGS,
            connect_timeout=10,
            send_receive_timeout=timeout,
            query_retries=0,  # the writer decides when to try again, and counts it
            autogenerate_session_id=False,  # a session serves one call at a time
            dedicated_pool=True,
        )
    except ClickHouseError as error:
        raise _translated(place, error) from error
    return Store(client, place, database)


def _compressed(block: bytes, method: str | None) -> bytes:
    """As the driver sends what it encodes itself: a server is asked to take it compressed."""
    compressor = get_compressor(method)
    return bytes(compressor.compress_block(block)) + bytes(compressor.flush() or b"")


def _translated(place: str, error: Exception) -> StoreError:
    """The driver's error, sorted by what the caller has to do."""
    if isinstance(error, OSError):  # such as no space for what is handed to the embedded engine
        return StoreUnavailable(place, str(error))
    code: int | None = getattr(error, "code", None)
    words = _URL_NOTE.sub("", str(error)).rpartition("server response: ")[2]
    if isinstance(error, OperationalError) and error.__cause__ is not None:
        words = f"no answer: {getattr(error.__cause__, 'reason', error.__cause__)}"
    if code in RETRYABLE_CODES:
        return StoreUnavailable(place, words, code)
    if code in MISCONFIGURED_CODES:
        return StoreMisconfigured(place, words, code)
    if code is not None:
        return StoreRefused(place, words, code)
    if isinstance(error, (DataError, NotSupportedError, ProgrammingError)):
        return StoreRefused(place, words)
    status = _STATUS.search(str(error))
    if status:
        words = f"HTTP status {status[1]}: {words}"
    if status and int(status[1]) not in _RETRYABLE_STATUSES:
        # No ClickHouse code: a proxy in front answered. 413 is about the size of the block;
        # any other is about the way there.
        kind = StoreRefused if status[1] == "413" else StoreMisconfigured
        return kind(place, words)
    return StoreUnavailable(place, words)
