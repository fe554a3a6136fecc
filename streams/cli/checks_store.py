"""Doctor's checks of the store: does it answer, is it current, writable, how far is it?"""

from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from typing import Final

from schemas.settings import Settings
from sinks.migrate import MigrationError, packaged_migrations, pending, queue_setting_changes
from sinks.status import StoredProgress, not_writable, server_time, stored_progress
from sinks.store import Store
from streams.app import PIPELINE
from streams.cli.checks import Finding, ok, problem, warning
from streams.cli.values import duration, iso
from streams.parts import opened_store, queue_setting_rows, store_directory

TOLERATED_SKEW_SECONDS: Final = 5.0


def store(
    settings: Settings, progress: list[StoredProgress], answer_seconds: int
) -> Iterator[Finding]:
    """Everything about the store; fills `progress` for the checks that compare it with a broker."""
    if settings.clickhouse.embedded and not store_directory(settings).is_dir():
        yield ok("ClickHouse", "embedded; its tables are made by the first `process` or `run`")
        return
    with opened_store(settings, timeout_seconds=answer_seconds) as opened:
        yield ok("ClickHouse", f"{opened.place}: version {opened.version}")
        if not opened.embedded:
            yield _clock(server_time(opened))
        current = yield from _schema(opened, settings)
        if not current:
            return
        yield from _rights(opened, settings)
        progress.extend(stored_progress(opened, PIPELINE))
        yield _checkpoints(progress)


def _clock(theirs: datetime) -> Finding:
    ahead = (theirs - datetime.now(UTC)).total_seconds()
    if abs(ahead) <= TOLERATED_SKEW_SECONDS:
        return ok("ClickHouse's clock", f"agrees within {TOLERATED_SKEW_SECONDS:g} s")
    word = "ahead of" if ahead > 0 else "behind"
    return warning(
        "ClickHouse's clock",
        f"{duration(abs(ahead))} {word} this machine's",
        "set both clocks by NTP; results do not depend on them, retention and logs do",
    )


def _schema(opened: Store, settings: Settings) -> Generator[Finding, None, bool]:
    """Whether tables and settings are current. Returns whether the tables can be asked."""
    advice = "switchboard migrate"
    found = opened.query(
        "SELECT count() AS n FROM system.tables WHERE database = {name:String}"
        " AND name = 'schema_migrations'",
        {"name": opened.database},
    )
    if not found[0]["n"]:
        yield problem("migrations", f"database {opened.database} has no tables yet", advice)
        return False
    try:
        missing = pending(opened)
    except MigrationError as error:
        yield problem("migrations", str(error), "")
        return False
    if missing:
        yield problem("migrations", f"not applied: {', '.join(missing)}", advice)
        return False
    newest = packaged_migrations()[-1].name
    yield ok("migrations", f"database {opened.database} is current ({newest})")
    changes = queue_setting_changes(opened, queue_setting_rows(settings))
    if changes:
        others = "the store's and the configuration's differ in " + ", ".join(changes)
        yield warning("queue settings", others, advice)
    else:
        yield ok("queue settings", "the store has the configuration's")
    return True


def _rights(opened: Store, settings: Settings) -> Iterator[Finding]:
    refused = not_writable(opened)
    if refused:
        table, words = next(iter(refused.items()))
        yield problem(
            "rights",
            f"user {settings.clickhouse.user} may not write into {', '.join(refused)}"
            f" ({table}: {words})",
            f"GRANT SELECT, INSERT ON {opened.database}.* TO {settings.clickhouse.user}",
        )
    else:
        yield ok("rights", "every table may be written")


def _checkpoints(progress: list[StoredProgress]) -> Finding:
    if not progress:
        return ok("checkpoints", "none yet: nothing was processed")
    last = max((p.produced_at for p in progress if p.produced_at), default=None)
    if last is None:
        return ok("checkpoints", f"of {len(progress)} source partitions; no record had come")
    age = duration(max(0.0, (datetime.now(UTC) - last).total_seconds()))
    return ok(
        "checkpoints",
        f"of {len(progress)} source partitions; the last record in them is of"
        f" {iso(last.replace(microsecond=0))}, {age} ago",
    )
