"""The way of a ticket table to the broker: read, publish. Wires the parts of this package.

A table is read whole each time. What was published before is published again under the same ids,
and changes nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from gateway.ingest import IngestReport
from gateway.publish import Publisher
from gateway.record import Record
from gateway.ticket_csv import CsvColumns, ticket_events
from schemas.events import Channel

RECORDS_AT_ONCE: Final = 5_000


async def ingest_tickets(
    path: Path,
    publisher: Publisher,
    columns: CsvColumns,
    *,
    tenant: str = "default",
    source: str,
    channel: Channel = "email",
    progress: Callable[[IngestReport], None] = lambda _: None,
) -> IngestReport:
    """Publish the events of a table; what was found.

    Raises `OSError` of a file that cannot be read, `TicketCsvError` of one that is not text or has
    not the columns, `PublishError` where the broker did not acknowledge.
    """
    report = IngestReport()
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = _counted(file, report)
        found = ticket_events(lines, columns, source=source, tenant=tenant, channel=channel)
        while batch := list(islice(found, RECORDS_AT_ONCE)):
            records = [one for one in batch if isinstance(one, Record)]
            for one in batch:
                if isinstance(one, Record):
                    report.add_event(one.at)
                else:
                    report.add_unreadable(path, one.line, one.reason)
            await publisher.publish(records)
            progress(report)
    if report.first_at and report.last_at:
        # Exports are in any order: no row of one is late.
        report.greatest_disorder_seconds = int((report.last_at - report.first_at).total_seconds())
    return report


def _counted(lines: Iterable[str], report: IngestReport) -> Iterator[str]:
    for line in lines:
        report.lines += 1
        yield line
