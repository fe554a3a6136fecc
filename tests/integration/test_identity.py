"""One person, three channels: whole runs from the linking event to one customer in ClickHouse."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from schemas.topics import EVENTS_CALL, EVENTS_CHAT, EVENTS_EMAIL
from sinks.identity import pairs_of
from sinks.metrics import Metrics
from sinks.store import Store
from streams.app import Pipeline
from streams.fold.customers import customer_key
from streams.parts import migrate_all
from tests.integration.conftest import DEADLINE_SECONDS, Run, Sent, publish
from tests.support.command_line import switchboard

PHONE = {"kind": "phone", "value": "+49 30 123456"}
MAIL = {"kind": "email", "value": "Ada@Example.org"}
OTHER = {"kind": "email", "value": "bob@example.org"}
PHONE_KEY = customer_key("default", "phone:+4930123456")
MAIL_KEY = customer_key("default", "email:ada@example.org")


def event(topic: str, subject: str, kind: str, minute: int, **data: Any) -> Sent:
    value = {
        "specversion": "1.0",
        "id": f"{subject}-{kind}-{minute}",
        "source": "test",
        "type": kind,
        "time": f"2026-03-02T09:{minute:02d}:00Z",
        "subject": subject,
        "data": data,
    }
    return Sent(topic, subject.encode(), json.dumps(value).encode())


def shown(topic: str, subject: str, minute: int, *identifiers: dict[str, str]) -> Sent:
    customer = {"identifiers": list(identifiers)}
    return event(topic, subject, "interaction.started", minute, customer=customer)


CALL = shown(EVENTS_CALL, "call-1", 0, PHONE)
CHAT = shown(EVENTS_CHAT, "chat-1", 10, MAIL)
LINKING_MAIL = shown(EVENTS_EMAIL, "mail-1", 20, MAIL, {**PHONE, "value": "+4930123456"})


def customers(store: Store) -> dict[str, str]:
    rows = store.query("SELECT customer_key, customer_id FROM identity_map FINAL")
    return {row["customer_key"]: row["customer_id"] for row in rows}


def bound() -> dict[str, str]:
    one, other = sorted((PHONE_KEY, MAIL_KEY))
    return {other: one}


@asynccontextmanager
async def working(pipeline: Pipeline) -> Any:
    pipeline.start()
    try:
        yield
    finally:
        await pipeline.stop()


async def until(condition: Callable[[], bool], what: str) -> float:
    """Wait for the condition; how long that took, in seconds."""
    started = time.monotonic()
    while not await asyncio.to_thread(condition):
        if time.monotonic() > started + DEADLINE_SECONDS:
            raise TimeoutError(f"waited {DEADLINE_SECONDS:g} s for {what}")
        await asyncio.sleep(0.02)
    return time.monotonic() - started


def test_a_person_on_three_channels_becomes_one_customer_at_once(
    run: Run, new_store: Callable[[], Store], tmp_path: Path
) -> None:
    store = new_store()
    settings = run.settings(4)
    migrate_all(store, settings)
    run.remake_topics(settings)

    def stored(count: int) -> Callable[[], bool]:
        return lambda: store.query("SELECT count() AS n FROM events FINAL")[0]["n"] == count

    async def live() -> list[float]:
        pipeline = Pipeline(settings, run.bootstrap, store, Metrics())
        async with working(pipeline):
            await publish(run.bootstrap, [CALL, CHAT])
            await until(stored(2), "the first two contacts")
            assert customers(store) == {}
            history = store.query("SELECT * FROM events ORDER BY subject")
            await publish(run.bootstrap, [LINKING_MAIL])
            linked = await until(lambda: customers(store) == bound(), "one customer")
            rewritten = store.query(
                "SELECT * FROM events WHERE subject != 'mail-1' ORDER BY subject"
            )
            assert rewritten == history
            said = await asyncio.to_thread(
                switchboard,
                *("customer", "unlink", "ada@example.org", "+4930123456", "--reason", "mother"),
                *("--broker", run.bootstrap),
                cwd=tmp_path,
            )
            assert said.returncode == 0, said.stderr
            unlinked = await until(lambda: customers(store) == {}, "two customers again")
        return [linked, unlinked]

    took = asyncio.run(live())
    print("linked and unlinked after", took)  # noqa: T201 -- for whoever runs it with -s
    (pair,) = pairs_of(store, "default", [PHONE_KEY, MAIL_KEY])
    assert {pair.identifier, pair.other} == {"phone:+4930123456", "email:ada@example.org"}
    assert (pair.state, pair.rule, pair.evidence) == ("unlinked", "interaction", "mail-1")
    assert pair.times == 2
    assert pair.unlinked_at is not None


def test_a_run_to_the_end_leaves_no_message_unheard(
    run: Run, new_store: Callable[[], Store]
) -> None:
    """A chain in which every link is learnt by another partition, in the worst order."""
    store = new_store()
    people = [{"kind": "customer_number", "value": "K-1"}] + [
        {"kind": "device", "value": f"d-{n}"} for n in range(12)
    ]
    chain = [
        shown(EVENTS_CHAT, f"chat-{n}", n, people[n], people[n + 1])
        for n in reversed(range(len(people) - 1))
    ]
    run.over(chain, store, partitions=4)
    keys = [customer_key("default", f"{p['kind']}:{p['value']}") for p in people]
    assert customers(store) == {key: min(keys) for key in keys if key != min(keys)}
    members = store.query("SELECT customer_key FROM identity_members FINAL")
    assert {row["customer_key"] for row in members} == set(keys)


def test_a_new_log_of_links_hears_again_what_is_stored(
    run: Run, new_store: Callable[[], Store]
) -> None:
    store = new_store()
    run.over([LINKING_MAIL], store, partitions=2)
    assert customers(store) == bound()
    more = shown(EVENTS_CHAT, "chat-2", 40, OTHER, PHONE)
    run.over([more], store, partitions=3)
    keys = [PHONE_KEY, MAIL_KEY, customer_key("default", "email:bob@example.org")]
    assert customers(store) == {key: min(keys) for key in keys if key != min(keys)}
