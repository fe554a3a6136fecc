"""A customer is erased: nothing is left in any file, and a replay does not bring them back."""

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from schemas.topics import EVENTS_CALL, EVENTS_CHAT, EVENTS_CUSTOMER, EVENTS_EMAIL
from sinks import erasure as stored
from sinks.store import Store
from streams import erasure as erasure_of
from streams.erasure import Erasure
from streams.rules import limits_of, rules_of
from tests.integration.conftest import DEADLINE_SECONDS, Run, Sent
from tests.integration.test_identity import customers, event, shown
from tests.support.clickhouse import embedded_path

PHONE = {"kind": "phone", "value": "+49 30 987654"}
MAIL = {"kind": "email", "value": "Ada.Lovelace@Example.org"}
STRANGER = {"kind": "phone", "value": "+49 30 111111"}
NEVER_AGAIN = (b"987654", b"lovelace", b"call-ada", b"chat-ada", b"mail-ada")


def history() -> list[Sent]:
    """Ada on four topics, a stranger, and what could not be read or came too late."""
    broken = Sent(EVENTS_CALL, b"call-ada", b'{"subject":"call-ada","who":"+49 30 987654"')
    return [
        shown(EVENTS_CALL, "call-ada", 0, PHONE),
        event(EVENTS_CALL, "call-ada", "interaction.ended", 3, by="customer"),
        shown(EVENTS_CHAT, "chat-ada", 10, MAIL),
        shown(EVENTS_EMAIL, "mail-ada", 20, MAIL, {**PHONE, "value": "+49 (0)30 987654"}, PHONE),
        event(EVENTS_CUSTOMER, "+4930987654", "customer.churned", 25),
        event(EVENTS_CUSTOMER, "k", "customer.identified", 26, identifiers=[PHONE, MAIL]),
        broken,
        shown(EVENTS_CALL, "call-other", 1, STRANGER),
        event(EVENTS_CALL, "call-other", "interaction.ended", 2, by="customer"),
    ]


def files_with(words: tuple[bytes, ...], directory: Path) -> list[str]:
    """Files of a directory in which one of the words stands, however it is compressed by zstd.

    If one goes while it looks, it looks at all of them again: what was in it may be in others now,
    as the engine merges parts.
    """
    anything = re.compile(b"|".join(map(re.escape, words)), re.IGNORECASE)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            return [
                str(path.relative_to(directory))
                for path in files_in(directory)
                if anything.search(path.read_bytes())
            ]
        except FileNotFoundError:
            if time.monotonic() > deadline:
                raise


def files_in(directory: Path) -> Iterator[Path]:
    """All files below a directory. Raises `FileNotFoundError` if a directory goes meanwhile."""

    def gone(error: OSError) -> None:
        raise error

    for inside, _, names in os.walk(directory, onerror=gone):
        yield from (Path(inside, name) for name in names)


def states(store: Store) -> list[bytes]:
    """Every state of every checkpoint, replaced ones included, as it is."""
    rows = store.query("SELECT state FROM checkpoints", bytes_columns=("state",))
    return [zstandard.ZstdDecompressor().decompress(row["state"]) for row in rows]


def everything(store: Store) -> str:
    """All rows of all tables, as text; whatever lies in parts that are read."""
    tables = store.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase()"
        " AND engine LIKE '%MergeTree' AND name != 'checkpoints'"
    )
    said = []
    for table in tables:
        rows = store.query(f"SELECT toString(tuple(*)) AS row FROM {table['name']}")
        said += [row["row"] for row in rows]
    return "\n".join(said).casefold()


def test_a_forgotten_customer_is_in_no_file_and_does_not_come_back(
    run: Run, new_store: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure_of, "LEARN_SECONDS", 0.1)  # no worker has anything to learn
    store = new_store()
    if not store.embedded:  # it would wait for the cleaning thread of a server
        monkeypatch.setattr(stored, "PURGE_SECONDS", 1.0)
    run.over(history(), store, partitions=2)
    settings = run.settings(2)
    before = store.query("SELECT sum(offered) AS n FROM kpi_panes FINAL")
    assert len(customers(store)) == 1
    assert "987654" in everything(store)
    assert any(b"987654" in state for state in states(store))

    erasure = Erasure(store, settings, rules_of(settings), limits_of(settings))
    person = erasure.find("default", "ada.lovelace@example.org")
    assert {"call-ada", "chat-ada", "mail-ada"} <= person.contacts
    assert person.identifiers == {"email:ada.lovelace@example.org", "phone:+4930987654"}
    report = erasure.run(person, time.time_ns() // 1_000_000)
    assert report.found_after == {}
    assert report.deleted["dead_letters"] == 1
    assert customers(store) == {}
    text = everything(store)
    assert not any(word.decode() in text for word in NEVER_AGAIN)
    assert not any(word in state.lower() for state in states(store) for word in NEVER_AGAIN)
    if store.embedded:  # a server removes replaced parts by itself; the test's own is none
        assert report.nothing_left, report
        assert files_with(NEVER_AGAIN, embedded_path()) == []
    assert "call-other" in text
    assert store.query("SELECT sum(offered) AS n FROM kpi_panes FINAL") == before
    (audit,) = store.query("SELECT * FROM erasures FINAL")
    assert audit["contacts"] == len(person.contacts)
    assert audit["found_after"] == {}

    # The same events once more, in new logs: as if the broker had kept them.
    later = shown(EVENTS_CALL, "call-again", 59, PHONE)
    later = Sent(later.topic, later.key, (later.value or b"").replace(b"2026-", b"2099-"))
    run.over([r for r in history() if b"who" not in (r.value or b"")] + [later], store)
    text = everything(store)
    assert not any(word.decode() in text for word in NEVER_AGAIN[1:])
    assert "call-other" in text
    assert "call-again" in text
    assert customers(store) == {}
