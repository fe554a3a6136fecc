"""Erasing a customer everywhere: tables, the state in checkpoints, and what may be read again.

`Erasure.run` first marks what is theirs, so that whoever reads it again passes over it: running
workers learn the marks within `LEARN_SECONDS` and erase their own state. Then it deletes the rows,
rewrites the checkpoints without them, has old parts removed from disk, and looks everywhere.

Topics are not changed: Kafka keeps what it has until its retention ends. May touch the store, and
the key's file in `data_dir`. Blocks.
"""

import hashlib
import json
import logging
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

import zstandard

from schemas.erasure_rows import ErasureMarkRow, ErasureRow
from schemas.rows import CheckpointRow
from schemas.settings import Settings
from schemas.topics import IDENTITY_LINKS, KPI_PANES
from sinks import erasure as stored
from sinks.erasure import Person
from sinks.store import Store
from sinks.timeline import customer_of, linked_identifiers
from streams.fold.customers import customer_key
from streams.fold.partition import PartitionFold
from streams.fold.rules import FoldRules
from streams.fold.state import restore
from streams.folds import Fold
from streams.identity.erased import Erased, What, mark_of
from streams.identity.fold import LinksFold
from streams.identity.guards import Limits
from streams.identity.normalise import Identifiers, guessed, spelt
from streams.monitor.fold import MonitorFold
from streams.monitor.rules import MonitorRules

logger = logging.getLogger(__name__)

KEY_FILE: Final = "erasure.key"
LEARN_SECONDS: Final = 5.0
"""How often a worker asks for new marks."""
CLEAN_SECONDS: Final = 120.0
"""How long to wait for running workers to write checkpoints without what was erased."""


class ErasureImpossible(Exception):
    """Erasing cannot begin; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class ErasureReport:
    """What was done. Rows count as often as they are stored, replaced ones included.

    `found_after` is what is left anywhere, by table, `checkpoints` among them; `old_parts` how many
    parts of tables wait to be removed from disk.
    """

    identifiers: int
    contacts: int
    deleted: dict[str, int] = field(default_factory=dict)
    found_after: dict[str, int] = field(default_factory=dict)
    old_parts: int = 0

    @property
    def nothing_left(self) -> bool:
        """Whether the customer was found nowhere afterwards."""
        return not self.found_after and not self.old_parts


def erasure_key(settings: Settings, *, make: bool = False) -> bytes:
    """The key of marks; `b""` where there is none yet.

    With the embedded engine it is kept in `data_dir`, and made there when it is asked for.

    Raises:
        ErasureImpossible: it is to be made for a server.
    """
    configured = settings.identity.erasure_key
    if configured is not None:
        return hashlib.blake2b(configured.get_secret_value().encode()).digest()
    file = settings.data_dir / KEY_FILE
    if file.exists():
        return bytes.fromhex(file.read_text())
    if not make:
        return b""
    if not settings.clickhouse.embedded:
        raise ErasureImpossible(
            "erasing needs identity.erasure_key (SWITCHBOARD_IDENTITY__ERASURE_KEY), the same for"
            " all workers and kept out of the database: without it events that are read again would"
            " bring the customer back"
        )
    key = secrets.token_bytes(32)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
        made.write(key.hex())
    return key


def stored_marks(store: Store) -> dict[str, int]:
    """The marks that hold: mark -> milliseconds up to which it does. Raises `StoreError`."""
    rows = store.query(
        "SELECT mark, max(toUnixTimestamp64Milli(erased_at)) AS at FROM erasure_marks GROUP BY mark"
    )
    return {row["mark"]: row["at"] for row in rows}


class Erasure:
    """Erases one customer of a tenant from a store.

    Args:
        rules: those of the folds; what is read of `identifiers`, and `erased` is what this marks.
    """

    def __init__(self, store: Store, settings: Settings, rules: FoldRules, limits: Limits) -> None:
        self._store = store
        self._settings = settings
        self._rules = rules
        self._limits = limits

    def find(self, tenant: str, asked: str) -> Person:
        """Who is known by the identifier `asked`, in any usual form. Raises `StoreError`.

        Nobody, without keys, where it stands for nobody in particular.
        """
        how = self._rules.identifiers
        text = how.one(tenant, asked)
        if not text:  # its key would be that of all who are unknown
            return Person(tenant, frozenset(), frozenset())
        keys = frozenset(customer_of(self._store, tenant, customer_key(tenant, text)).keys)
        linked = linked_identifiers(self._store, tenant, sorted(keys))
        person = Person(tenant, keys, frozenset({text, *linked}) - {""})
        person = replace(person, contacts=stored.contacts_showing(self._store, person))
        forms = {value_of(one) for one in (*person.identifiers, guessed(asked))}
        person = replace(person, forms=frozenset(spellings(forms)))
        written = self._written(person, how)
        return replace(person, forms=frozenset(spellings({*forms, *written})))

    def count(self, person: Person) -> dict[str, int]:
        """Table -> rows that would be deleted. Raises `StoreError`."""
        return {table: n for table, n in stored.count(self._store, person).items() if n}

    def run(self, person: Person, now_ms: int) -> ErasureReport:
        """Erase what is stored of a person up to now. Doing it again does no harm.

        Raises:
            ErasureImpossible: see `erasure_key`.
            StoreError: the store failed in between; run it again.
        """
        if self._settings.clickhouse.cluster:
            raise ErasureImpossible("erasing is not done across the shards of a cluster yet")
        key = erasure_key(self._settings, make=True)
        self._mark(person, key, now_ms)
        deleted = self.count(person)
        stored.delete(self._store, person)
        deleted["checkpoints"] = self._clean_checkpoints(key)
        # Between the count and the last clean checkpoint a worker may have written some more.
        stored.delete(self._store, person)
        stored.merge(self._store, CheckpointRow.TABLE)
        old_parts = stored.purge(self._store)
        found = stored.search(self._store, person)
        if left := len(list(self._dirty_checkpoints(key))):
            found["checkpoints"] = left
        report = ErasureReport(
            len(person.identifiers), len(person.contacts), deleted, found, old_parts
        )
        row = (person.tenant, secrets.token_hex(8), now_ms, report.identifiers, report.contacts)
        self._store.insert(ErasureRow, [(*row, deleted, found, now_ms)])
        return report

    def _written(self, person: Person, how: Identifiers) -> set[str]:
        """The ways in which sources wrote the person's identifiers."""
        found: set[str] = set()
        for payload in stored.payloads_of(self._store, person):
            for kind, value, network in named_in_json(payload):
                if set(how.of(person.tenant, [spelt(kind, value, network)])) & person.identifiers:
                    found.add(value)
        return found

    def _mark(self, person: Person, key: bytes, now_ms: int) -> None:
        named: list[tuple[What, str]] = [
            *(("identifier", text) for text in person.identifiers),
            *(("contact", contact) for contact in person.contacts),
            *(("key", one) for one in person.keys),
        ]
        marks = [mark_of(key, person.tenant, what, value) for what, value in named]
        self._store.insert(ErasureMarkRow, [(person.tenant, m, now_ms, now_ms) for m in marks])

    def _clean_checkpoints(self, key: bytes) -> int:
        """Rewrite checkpoints without what is marked; how many.

        Beside running workers, until none writes such a one any more.
        """
        cleaned = 0
        deadline = time.monotonic() + CLEAN_SECONDS
        while True:
            if not self._store.embedded:
                # A worker that has not learnt the marks yet may write another.
                time.sleep(LEARN_SECONDS * 2)
            dirty = list(self._dirty_checkpoints(key))
            for row in dirty:
                self._store.insert(CheckpointRow, [row])
            cleaned += len(dirty)
            if not dirty or self._store.embedded or time.monotonic() > deadline:
                return cleaned

    def _dirty_checkpoints(self, key: bytes) -> Iterator[tuple[Any, ...]]:
        """Checkpoints that hold something marked, as they are without it."""
        erased = Erased(key, stored_marks(self._store))
        rules = replace(self._rules, erased=erased)
        columns = CheckpointRow.columns()
        keys = self._store.query(
            "SELECT pipeline, topic, source_partition, log, slot FROM checkpoints FINAL"
        )
        for where in keys:
            rows = self._store.query(
                f"SELECT {', '.join(columns)} FROM checkpoints FINAL"  # noqa: S608 -- constants
                " WHERE pipeline = {pipeline:String} AND topic = {topic:String}"
                " AND source_partition = {source_partition:UInt32} AND log = {log:String}"
                " AND slot = {slot:UInt8}",
                where,
                bytes_columns=("state",),
            )
            for row in rows:
                state = zstandard.ZstdDecompressor().decompress(row["state"])
                fold = _restored(row, state, rules, self._limits)
                if fold.erase():
                    packed = zstandard.ZstdCompressor(level=3, write_checksum=True)
                    row["state"] = packed.compress(fold.snapshot())
                    yield tuple(row[name] for name in columns)


def value_of(text: str) -> str:
    """The value of an identifier's text: what is left without kind and network."""
    kind, _, value = text.partition(":")
    return value.partition(":")[2] if kind == "handle" else value


def spellings(values: set[str]) -> set[str]:
    """Values as they may stand in JSON, too; phone numbers also without their plus."""
    found = set(values)
    found |= {value[1:] for value in values if value.startswith("+")}
    for value in list(found):
        for ascii_only in (True, False):
            found.add(json.dumps(value, ensure_ascii=ascii_only)[1:-1])
    return found - {""}


def named_in_json(payload: bytes) -> Iterator[tuple[str, str, str]]:
    """Whatever looks like an identifier (kind, value, network) anywhere in a JSON document."""
    try:
        waiting = [json.loads(payload)]
    except ValueError:
        return
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            kind, value, network = item.get("kind"), item.get("value"), item.get("network", "")
            if all(isinstance(part, str) for part in (kind, value, network)):
                yield str(kind), str(value), str(network)
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def _restored(row: dict[str, Any], state: bytes, rules: FoldRules, limits: Limits) -> Fold:
    place = (row["topic"], row["source_partition"], row["log"], 1)
    version = row["state_version"]
    if row["topic"] == IDENTITY_LINKS:
        return LinksFold(*place, limits, rules.erased, (state, version))
    if row["topic"] == KPI_PANES:
        return MonitorFold(*place, MonitorRules(erased=rules.erased), (state, version))
    return PartitionFold(*place, rules, restore(state, version))
