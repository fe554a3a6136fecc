"""A mailbox on its way to the broker: everything in the order of time, and what was found."""

import asyncio
import mailbox
from pathlib import Path

from gateway.mail_ingest import ingest_mail
from tests.gateway.test_ingest import Memory
from tests.gateway.test_mail_files import message


def test_mails_are_published_by_their_dates_and_the_report_says_what_was_found(
    tmp_path: Path,
) -> None:
    box = mailbox.mbox(tmp_path / "box")
    box.add(message(2, Date="Mon, 2 Mar 2026 12:00:00 +0000", References="<1@x.org>"))
    box.add(message(1, Date="Mon, 2 Mar 2026 10:00:00 +0000"))
    box.add(message(3))
    box.close()
    publisher = Memory()
    found = asyncio.run(ingest_mail([tmp_path / "box"], publisher, ["centre.com"]))
    assert publisher.ids() == ["1@x.org/start", "1@x.org", "2@x.org"]
    assert (found.lines, found.events, found.unreadable_count) == (3, 3, 1)
    assert found.unreadable == [(str(tmp_path / "box"), 3, "it has no Date")]
    assert found.greatest_disorder_seconds == 2 * 3600
