"""Doctor's checks of a broker: whether it answers, its topics, and what it still keeps."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from schemas.settings import Settings
from schemas.topics import SOURCE_TOPICS
from sinks.status import StoredProgress
from streams.broker_admin import Security, broker_identity
from streams.cli.checks import Finding, ok, problem, warning
from streams.cli.topics import differences
from streams.cli.values import duration, iso
from streams.topic_admin import (
    compare_topics,
    earliest_offsets,
    end_offsets,
    topic_logs,
    topic_specs,
)

TOLERATED_SKEW: Final = timedelta(seconds=60)
"""How far the broker's clock may be ahead: by its timestamps idle partitions are judged."""


def broker(settings: Settings, answer_seconds: int) -> Iterator[Finding]:
    """Who answers, and how its topics are."""
    url = settings.broker.url
    security = Security.of(settings.broker)
    identity = broker_identity(url, security=security, timeout_seconds=answer_seconds)
    yield ok(
        "broker",
        f"{url}: cluster {identity.cluster_id}, {identity.brokers} broker(s), Kafka's protocol"
        f" {identity.protocol} or later",
    )
    specs = topic_specs(settings.broker)
    results = compare_topics(url, specs, security=security, timeout_seconds=answer_seconds)
    missing = [result.name for result in results if result.outcome == "missing"]
    if missing:
        yield problem("topics", f"missing: {', '.join(missing)}", "switchboard topics create")
    for found, advice in differences(results):
        yield warning("topics", found, advice)
    as_wanted = sum(result.outcome == "exists" for result in results)
    if as_wanted == len(specs):
        yield ok("topics", f"all {as_wanted} are there, as configured")


def retention(
    settings: Settings, progress: Sequence[StoredProgress], answer_seconds: int
) -> Iterator[Finding]:
    """Whether the broker still keeps all that is not processed, and for how much longer.

    To be asked of a broker that answers and has every topic.
    """
    url, security = settings.broker.url, Security.of(settings.broker)
    logs = topic_logs(url, SOURCE_TOPICS, security=security, timeout_seconds=answer_seconds)
    oldest = earliest_offsets(url, SOURCE_TOPICS, security=security, timeout_seconds=answer_seconds)
    ends = end_offsets(url, SOURCE_TOPICS, security=security, timeout_seconds=answer_seconds)
    known = {(p.topic, p.partition): p for p in progress if p.log == logs.get(p.topic)}
    waiting = 0
    behind: list[datetime] = []
    for at, end in ends.items():
        stored = known.get(at)
        next_offset = stored.next_offset if stored else oldest[at]
        if next_offset < oldest[at]:
            yield problem(
                "retention",
                f"{at[0]}[{at[1]}]: offsets {next_offset} to {oldest[at] - 1} were deleted by the"
                " broker before they were processed",
                "publish them again from their source if it has them, and raise"
                " broker.retention_days above the longest outage",
            )
        waiting += max(0, end - next_offset)
        if stored and stored.produced_at and end > next_offset:
            behind.append(stored.produced_at)
    yield from _time_left(settings, waiting, behind)


def _time_left(settings: Settings, waiting: int, behind: list[datetime]) -> Iterator[Finding]:
    kept = timedelta(days=settings.broker.retention_days)
    if not waiting:
        yield ok("lag", "everything published is processed")
        return
    since = f", the first since {iso(min(behind))}" if behind else ""
    yield ok("lag", f"{waiting} records are not processed yet{since}")
    age = datetime.now(UTC) - min(behind, default=datetime.now(UTC))
    if kept and age > kept / 2:
        yield warning(
            "retention",
            f"processing is {duration(age.total_seconds())} behind; the broker keeps"
            f" {duration(kept.total_seconds())}",
            "start the worker soon, or raise the retention first: what is deleted before it is"
            " processed is lost",
        )


def broker_clock(progress: Sequence[StoredProgress]) -> Iterator[Finding]:
    """Whether the broker's clock is ahead of this machine's."""
    last = max((p.produced_at for p in progress if p.produced_at), default=None)
    if last is not None and last - datetime.now(UTC) > TOLERATED_SKEW:
        yield warning(
            "clock",
            f"the broker stamped its last record {iso(last)}, which is ahead of this machine's"
            f" clock ({iso(datetime.now(UTC))})",
            "set both clocks by NTP",
        )
    else:
        yield ok("clock", f"{iso(datetime.now(UTC).replace(microsecond=0))}")
