"""The faults: one function each, that does it to a run. `MATRIX` has them in the table's order.

A fault begins with the whole log on the broker (unless it publishes by itself) and no worker; it
returns when everything is stored again, or raises `RunFailed`. Moments are drawn by the run's dice,
in shares of the log that are stored, never in seconds; only how long a fault lasts is time.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.live import QueueBreachRow, QueueLiveRow
from sinks.failpoints import FAILPOINTS
from tests.faults.clickhouse_faults import (
    answer_lost,
    clickhouse_away_5_minutes,
    clickhouse_away_70_minutes,
    clickhouse_slow,
    disk_full,
    insert_lost,
)
from tests.faults.generate import (
    ANY_ORDER,
    BAD_MIX,
    FAST_CLOCK,
    LIVE,
    REPEATED,
    SLOW_CLOCK,
    Record,
    Shape,
)
from tests.faults.run import ENOUGH_TO_MEASURE, SESSION_SECONDS, Run, stop, wake
from tests.faults.station import Kind

BOTH: Final[tuple[Kind, ...]] = ("embedded", "apache-kafka")
KAFKA: Final[tuple[Kind, ...]] = ("apache-kafka",)
EMBEDDED: Final[tuple[Kind, ...]] = ("embedded",)
FLAT_BYTES: Final = 96 << 20
"""Growth over half a log that is none: about 1 KiB an event, which is what a leak of one object an
event comes to. Less is the state of contacts that late events may still reach, which fills for a
day or two (0 to 50 MiB here; of a million events over five days nothing after the third)."""
OF_THE_MONITOR: Final = frozenset(
    f"{when}_rows:{row_type.TABLE}"
    for row_type in (QueueLiveRow, QueueBreachRow)
    for when in ("before", "after")
)
"""Its rows are those of this moment: there is no log by which they could be judged later."""
RARELY_PASSED: Final = frozenset(
    name
    for name in FAILPOINTS
    if re.search("dead_letters|late_events|refused|announced|load|identity|facts", name)
)
"""Places that not every block passes."""
SCARCE: Final = RARELY_PASSED | {n for n in FAILPOINTS if re.search("agent|conversation", n)}
"""And those that no block passes any more when a small topic is read to its end."""
STOPPABLE: Final = ("before_rows:events", "before_rows:kpi_panes", "after_rows", "after_checkpoint")


@dataclass(frozen=True)
class Fault:
    """A row of the matrix. `title` is what the table calls it, `apply` does it."""

    title: str
    apply: Callable[[Run], None]
    shapes: tuple[Shape, ...] = (LIVE,)
    brokers: tuple[Kind, ...] = BOTH
    seeds: int = 5
    publishes: bool = False
    """It makes topics anew and publishes by itself."""
    small_disk: bool = False
    compares_speeds: bool = False
    """It needs the machine for itself: its speed is compared with an undisturbed worker's."""

    @property
    def name(self) -> str:
        """Its function's name, for `--only`."""
        return self.apply.__name__


def failpoint_names(seed: int, size: int) -> list[list[str]]:
    """All failpoints of `switchboard run` in an order that the seed draws, in parts of `size`.

    First the scarce ones, whose victims all begin where the log does.
    """
    names = sorted(FAILPOINTS.keys() - OF_THE_MONITOR)
    random.Random(f"failpoints {seed}").shuffle(names)  # noqa: S311
    names.sort(key=lambda name: name not in SCARCE)
    return [names[at : at + size] for at in range(0, len(names), size)]


def undisturbed(run: Run) -> None:
    """Everything at full speed; open contacts come and go, and so must the memory they take."""
    run.watch_memory(run.start())
    run.settle()
    grown = run.memory_growth_bytes
    if run.plan.events >= ENOUGH_TO_MEASURE and grown > FLAT_BYTES:
        run.problems.append(f"memory grew by {grown >> 20} MiB over the second half of the log")


def kill_at_failpoints(run: Run, names: Sequence[str] | None = None) -> None:
    """One worker after the other dies at a place of its own between two steps, at a passage of that
    place that is drawn. Bad, late and refused records make every place reachable."""
    run.refuse_some()
    # What a dead member's session costs is kill_at_random's business.
    run.keeps_group = False
    for name in names or failpoint_names(run.loaded.log.seed, len(FAILPOINTS))[0]:
        nth = 1 if name in RARELY_PASSED else run.dice.randint(1, run.plan.passages)
        # Others would find the log read to its end: by those that waited for a scarce place, or, if
        # it is small, by any.
        checkpoints = run.plan.victims_checkpoint and name not in SCARCE
        victim = run.start(
            failpoints=f"{name}=kill@{nth}",
            checkpoints=checkpoints or "checkpoint" in name,
            flush_rows=run.plan.victims_flush_rows,
            buffer_bytes=run.plan.victims_buffer_bytes,
        )
        run.until_ended(victim, name)
        if victim.status is None:
            run.kill(victim)
            run.problems.append(f"{name} was not passed {nth} times before all was stored")
        run.healed()
    run.start()
    run.settle()


def kill_at_random(run: Run) -> None:
    """Of two workers, one is killed at a time and started again, four times."""
    run.start()
    run.start()
    for share in sorted(run.dice.uniform(0.02, 0.9) for _ in range(4)):
        run.until_stored(share)
        run.kill(run.dice.choice(run.alive()))
        run.start()
        run.healed()
    run.settle()


def zombie(run: Run) -> None:
    """A worker stops, the others take over what it had, and it wakes in the middle of its work."""
    others = run.start()
    if run.dice.random() < 0.5:
        place, nth = run.dice.choice(STOPPABLE), run.dice.randint(2, 6)
        victim = run.start(failpoints=f"{place}=stop@{nth}")
        run.until(lambda: victim.stopped or run.covered(), place)
        stop(victim)  # it never came there, if all was stored before
    else:
        victim = run.start()
        run.until(lambda: victim.recoveries > 0 or run.covered(), "the second worker's partitions")
        run.until_stored(run.dice.uniform(0.05, 0.5))
        stop(victim)
    before = others.recoveries
    had = victim.recoveries > 0
    run.until(lambda: others.recoveries > before or not had, "the others to take over")
    run.settle()
    heard = victim.recoveries
    wake(victim)
    run.healed()
    run.until(
        lambda: victim.recoveries > heard or victim.status is not None, "the zombie to rejoin"
    )
    run.settle()


def broker_restart(run: Run) -> None:
    """The broker dies while records are published and read, and comes back with its log."""
    records = run.loaded.log.records
    half = len(records) // 2
    _publish(run, records[:half])
    run.start()
    run.until_stored(run.dice.uniform(0.2, 0.8))
    run.station.kill_broker()
    run.station.start_broker()
    run.healed()
    _publish(run, records[half:])
    run.settle()


def broker_forgets(run: Run) -> None:
    """The embedded broker dies with its worker, as they live together; all is published again."""
    _publish(run, run.loaded.log.records)
    run.start()
    run.until_stored(run.dice.uniform(0.2, 0.8))
    for worker in run.alive():
        run.kill(worker)
    run.station.kill_broker()
    run.station.start_broker()
    run.station.remake_topics()
    _publish_again(run)
    run.start()
    run.healed()
    run.settle()


def topic_made_anew(run: Run) -> None:
    """Topics are deleted and made anew under a running worker, and all is published again."""
    _publish(run, run.loaded.log.records)
    run.start()
    run.until_stored(run.dice.uniform(0.2, 0.8))
    run.station.remake_topics()
    _publish_again(run)
    run.healed()
    run.settle()


def repeated(run: Run) -> None:
    undisturbed(run)


def any_order(run: Run) -> None:
    undisturbed(run)


def clock_skew(run: Run) -> None:
    undisturbed(run)


def bad_input(run: Run) -> None:
    undisturbed(run)


def join_and_leave(run: Run) -> None:
    """Workers come and go all the time, in good order, while the log grows."""
    records = run.loaded.log.records
    seconds = run.plan.churn_seconds if run.churns_long else run.plan.churn_seconds / 10
    turns = max(4, round(seconds / run.plan.churn_every_seconds))
    size = len(records) // turns + 1
    _publish(run, records[:size])
    run.start()
    for turn in range(1, turns):
        _publish(run, records[turn * size : (turn + 1) * size])
        run.during(run.plan.churn_every_seconds)
        if len(run.alive()) > 1 and (len(run.alive()) > 3 or run.dice.random() < 0.5):
            run.leave(run.dice.choice(run.alive()))
        else:
            run.start()
    run.healed()
    run.settle()


def parted_from_broker(run: Run) -> None:
    """One of two workers cannot reach the broker until the other has all partitions."""
    way = run.broker_proxy()
    other = run.start()
    parted = run.start(broker=way.address)
    run.until(lambda: parted.recoveries > 0 or run.covered(), "the second worker's partitions")
    run.until_stored(run.dice.uniform(0.05, 0.5))
    before, had = other.recoveries, parted.recoveries
    way.hang()
    run.until(lambda: other.recoveries > before or not had, "the other worker to take over")
    run.settle()
    way.cut()
    way.heal()
    run.healed()
    run.until(
        lambda: parted.recoveries > had or parted.status is not None, "the parted one to rejoin"
    )
    run.settle()


def parted_from_clickhouse(run: Run) -> None:
    """One of two workers cannot reach ClickHouse for a while; then its bytes arrive after all, or
    its connections are reset."""
    way = run.clickhouse_proxy()
    run.start()
    run.start(clickhouse=f"http://{way.address}")
    run.until_stored(run.dice.uniform(0.05, 0.5))
    way.hang()
    run.during(run.dice.uniform(1, SESSION_SECONDS + 2))
    if run.dice.random() < 0.5:
        way.cut()
    way.heal()
    run.healed()
    run.settle()


def data_deleted(run: Run) -> None:
    """A worker dies, and everything it kept on this machine is deleted."""
    run.start()
    for share in sorted(run.dice.uniform(0.05, 0.8) for _ in range(2)):
        run.until_stored(share)
        for worker in run.alive():
            run.kill(worker)
        run.delete_data()
        run.start()
        run.healed()
    run.settle()


def _publish(run: Run, records: list[Record]) -> None:
    run.loaded.published.add(run.station.publish(records))
    run.learn_logs()


def _publish_again(run: Run) -> None:
    """Everything once more to new logs; results are compared with those of one log."""
    again = run.station.publish(run.loaded.log.records)
    run.one_log = False
    _ = run.loaded.expected  # of the first log, before the new one's places are known
    run.loaded.published = again
    run.learn_logs()


MATRIX: Final = (
    Fault("none: 24 h of events at full speed", undisturbed),
    Fault("SIGKILL at every failpoint", kill_at_failpoints, seeds=25),
    Fault("SIGKILL at random", kill_at_random, seeds=25),
    Fault("SIGSTOP past the session, then SIGCONT", zombie),
    Fault("broker killed and started", broker_restart, brokers=KAFKA, publishes=True),
    Fault("broker forgets everything", broker_forgets, brokers=EMBEDDED, publishes=True),
    Fault("topics deleted and made anew", topic_made_anew, publishes=True),
    Fault("ClickHouse away for 5 minutes", clickhouse_away_5_minutes, compares_speeds=True),
    Fault("ClickHouse away for 70 minutes", clickhouse_away_70_minutes, compares_speeds=True),
    Fault("inserts take 10 s", clickhouse_slow),
    Fault("answer lost after the insert", answer_lost),
    Fault("connection lost before the insert", insert_lost),
    Fault("10 % of events again", repeated, shapes=(REPEATED,)),
    Fault("any order within lateness", any_order, shapes=(ANY_ORDER,)),
    Fault("one clock an hour off", clock_skew, shapes=(SLOW_CLOCK, FAST_CLOCK)),
    Fault("bad input", bad_input, shapes=(BAD_MIX,)),
    Fault("disk full", disk_full, small_disk=True),
    Fault("workers join and leave", join_and_leave, publishes=True),
    Fault("worker parted from the broker", parted_from_broker),
    Fault("worker parted from ClickHouse", parted_from_clickhouse),
    Fault("data directory deleted", data_deleted),
)
"""Every row of the matrix."""
