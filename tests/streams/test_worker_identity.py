"""The worker with identifiers: messages ahead of rows, and customers that are erased."""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest
import zstandard
from faust.types import TP

from schemas.identity_rows import IdentityMessage
from schemas.topics import IDENTITY_LINKS
from sinks.store import EMBEDDED, open_store
from sinks.writer import Block, Writer
from streams.fold.rules import FoldRules
from streams.identity.edges import SHOWN, edge
from streams.identity.erased import Erased, mark_of
from streams.identity.messages import Message, of_edge, rendered
from streams.transport import Chunk
from tests.support.clickhouse import embedded_path, migrated, unused_database
from tests.support.worker_bench import (
    CALL_0,
    DEADLINE_SECONDS,
    START_MS,
    Bench,
    Record,
    Seeks,
    chunk,
    run,
)

LINKS_0 = TP(IDENTITY_LINKS, 0)
LATER_MS = START_MS + 86_400_000
KEY = b"key"


class IdentityBench(Bench):
    """Workers that know of erased customers; what they announce is written down."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.erased = Erased(KEY)
        self.rules = FoldRules(lateness_ms=86_400_000, erased=self.erased)
        self.announced: list[bytes] = []

    def writer(self) -> Writer:
        return Writer(self.store, self.metrics, self.abandon, announce=self._announce)  # type: ignore[arg-type]

    def _announce(self, block: Block) -> None:
        self.announced += [key for key, _ in block.get(IdentityMessage, ())]

    def newest_states(self) -> bytes:
        """The states of the newest checkpoints, one after the other."""
        rows = self.store.query(
            "SELECT argMax(state, slot) AS newest FROM"
            " (SELECT * FROM checkpoints WHERE next_offset > 0) GROUP BY topic",
            bytes_columns=("newest",),
        )
        return b"".join(zstandard.ZstdDecompressor().decompress(row["newest"]) for row in rows)


@pytest.fixture
def bench() -> Iterator[IdentityBench]:
    with open_store(EMBEDDED, path=embedded_path(), database=unused_database()) as store:
        migrated(store)
        yield IdentityBench(store)
        store.command(f"DROP DATABASE IF EXISTS {store.database} SYNC", use_database=False)


def links(*pairs: tuple[str, str], begins: int = 0) -> Chunk:
    records = []
    for offset, (one, other) in enumerate(pairs, begins):
        said = edge((one, "phone"), (other, "email"), at=START_MS, rule=SHOWN, evidence="i")
        records.append(Record(offset, rendered(of_edge("t", said)).value))
    return Chunk(LINKS_0, records, begins, 1)


def test_what_identifiers_say_goes_ahead_of_the_rows_or_with_them(bench: IdentityBench) -> None:
    async def test() -> None:
        worker = bench.worker()
        await worker.recover(frozenset({LINKS_0}))
        await worker.process(links(("a", "b")))
        assert [message.to for message in bench.reader.said] == ["b"]
        bench.reader.hears = False
        await worker.process(links(("c", "d"), begins=1))
        await worker.settle()
        assert bench.announced == [b"d"]
        assert await worker.stop()

    run(test)


class Unanswered(Seeks):
    """A reader whose broker takes what is published, and never says so."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()

    async def say(self, messages: list[Message]) -> bool:
        return await self._waited(await super().say(messages))

    async def tell(self, partials: Sequence[tuple[Any, ...]]) -> bool:
        return await self._waited(await super().tell(partials))

    async def _waited(self, answer: bool) -> bool:
        self.asked.set()
        await asyncio.Event().wait()
        return answer


async def cancelled(work: Coroutine[Any, Any, object], reader: Unanswered) -> None:
    """Cancel what is done while it waits for the broker's answer."""
    task = asyncio.create_task(work)
    await asyncio.wait_for(reader.asked.wait(), DEADLINE_SECONDS)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def test_what_was_not_answered_when_its_task_was_cancelled_goes_with_the_rows(
    bench: IdentityBench,
) -> None:
    async def test() -> None:
        reader = bench.reader = Unanswered()
        worker = bench.worker()
        await worker.recover(frozenset({LINKS_0}))
        await cancelled(worker.process(links(("a", "b"))), reader)
        await worker.settle()
        assert bench.announced == [b"b"]
        assert await worker.stop()

    run(test)


def test_partials_whose_telling_was_cancelled_are_told_again(bench: IdentityBench) -> None:
    async def test() -> None:
        reader = bench.reader = Unanswered()
        worker = bench.worker()
        await worker.recover(frozenset({CALL_0}))
        await worker.process(chunk(range(3)))
        await cancelled(worker.ahead.tell({}, START_MS), reader)
        first = list(reader.told)
        reader.told.clear()
        reader.asked.clear()
        await cancelled(worker.ahead.tell({}, START_MS), reader)
        assert first
        assert reader.told == first
        assert await worker.stop()

    run(test)


def test_who_is_erased_leaves_the_state_and_the_next_checkpoint(bench: IdentityBench) -> None:
    async def test() -> None:
        worker = bench.worker()
        await worker.recover(frozenset({CALL_0, LINKS_0}))
        await worker.process(chunk(range(3)))
        await worker.process(links(("a1", "b1"), ("c1", "d1")))
        await worker.settle()
        assert b"call-1" in bench.newest_states()
        marks = [mark_of(KEY, "default", "contact", "call-1"), mark_of(KEY, "t", "key", "a1")]
        assert bench.erased.learn(dict.fromkeys(marks, LATER_MS))
        await worker.erase()
        await worker.settle()
        left = bench.newest_states()
        assert b"call-0" in left
        assert b"c1" in left
        assert b"call-1" not in left
        assert b"a1" not in left
        assert await worker.stop()

    run(test)


def test_an_event_of_somebody_erased_is_passed_over_when_it_is_read_again(
    bench: IdentityBench,
) -> None:
    async def test() -> None:
        mark = mark_of(KEY, "default", "contact", "call-1")
        bench.erased.learn({mark: LATER_MS})
        worker = bench.worker()
        await worker.recover(frozenset({CALL_0}))
        await worker.process(chunk(range(3)))
        await worker.settle()
        assert bench.offsets() == [0, 2]
        assert worker.applied() == {CALL_0: 3}
        assert await worker.stop()

    run(test)
