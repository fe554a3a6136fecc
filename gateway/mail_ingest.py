"""The way of a mailbox to the broker: read, thread, publish. Wires the parts of this package.

A mailbox is read whole each time, because a mail's thread follows from all of them. What was
published before is published again under the same ids, and changes nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from gateway.ingest import IngestReport
from gateway.mail import DEFAULT_SOURCE, Mail, UnreadableMail, records_of
from gateway.mail_files import mails_in
from gateway.publish import Publisher

RECORDS_AT_ONCE: Final = 5_000


async def ingest_mail(
    paths: Iterable[Path],
    publisher: Publisher,
    ours: Sequence[str],
    *,
    tenant: str = "default",
    source: str = DEFAULT_SOURCE,
    progress: Callable[[IngestReport], None] = lambda _: None,
) -> IngestReport:
    """Publish the events of the mails at `paths`, in the order of their dates; what was found.

    `lines` of the report counts mails. Raises `OSError` and `ValueError` of a path that cannot be
    read as mail, `PublishError` where the broker did not acknowledge.
    """
    report = IngestReport()
    mails: list[Mail] = []
    for path in paths:
        for file, number, found in mails_in(path):
            report.lines += 1
            if isinstance(found, UnreadableMail):
                report.add_unreadable(Path(file), number, str(found))
            else:
                mails.append(found)
    records = records_of(mails, ours, tenant=tenant, source=source)
    while batch := list(islice(records, RECORDS_AT_ONCE)):
        await publisher.publish(batch)
        for record in batch:
            report.add_event(record.at)
        progress(report)
    if report.first_at and report.last_at:
        # Mails arrive late and mailboxes grow in the middle: none of them is late.
        report.greatest_disorder_seconds = int((report.last_at - report.first_at).total_seconds())
    return report
