"""`switchboard timeline` shows a customer at a glance, and says what to do about one not known."""

import io
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from schemas.timeline import Contact, Customer, TimelinePage
from streams.api.examples import CUSTOMER, PAGE
from streams.cli.timeline_report import print_timeline
from tests.streams.cli.conftest import Json
from tests.support.command_line import switchboard


@pytest.fixture(scope="module")
def caller(sample: Path) -> tuple[str, int]:
    """Who called most often in the sample, and how often."""
    lines = (line.split("|") for line in sample.read_text().splitlines())
    calls = Counter(f[6] for f in lines if f[4] == "ENTERQUEUE" and f[6].isdigit())
    return calls.most_common(1)[0]


def test_json_is_who_and_their_contacts_newest_first(answer: Json, caller: tuple[str, int]) -> None:
    who, calls = caller
    found = answer("timeline", who, "--limit", "100")
    assert found["customer"]["identifiers"] == [f"phone:{who}"]
    times = [contact["started_at"] for contact in found["contacts"]]
    assert times == sorted(times, reverse=True)
    inbound = [contact for contact in found["contacts"] if contact["direction"] == "inbound"]
    assert len(inbound) == calls
    assert found["customer"]["summary"]["contacts"] == len(times)
    for contact in inbound:
        told = answer("interaction", contact["interaction_id"])
        assert contact["talk_seconds"] == told["talk_seconds"]
        assert [v["wait_seconds"] for v in contact["visits"]] == [
            v["wait_seconds"] for v in told["visits"]
        ]


def test_limit_and_since_leave_out_the_older(answer: Json, caller: tuple[str, int]) -> None:
    every = answer("timeline", caller[0])["contacts"]
    assert answer("timeline", caller[0], "--limit", "2")["contacts"] == every[:2]
    since = every[1]["started_at"]
    assert answer("timeline", caller[0], "--since", since)["contacts"] == every[:2]


def test_it_is_readable(
    processed_once: Path, tmp_path: Path, caller: tuple[str, int], sample: Path
) -> None:
    arguments = ("timeline", caller[0], "--data", processed_once, "--limit", "2")
    done = switchboard(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"phone:{caller[0]}\ncontacts ")
    assert "call in" in done.stdout
    assert "Older contacts are not shown" in done.stdout


def test_one_who_is_not_known_is_an_error(processed_once: Path, tmp_path: Path) -> None:
    done = switchboard("timeline", "000111222", "--data", processed_once, cwd=tmp_path)
    assert done.returncode == 1
    assert "nothing is known of 'phone:000111222'" in done.stderr.replace("\n", " ")


def printed(customer: Customer, page: TimelinePage) -> str:
    console = Console(file=io.StringIO(), width=140)
    print_timeline(console, customer, page, "Europe/Berlin")
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_contact_is_told_in_a_few_lines() -> None:
    lines = [line.rstrip() for line in printed(CUSTOMER, PAGE).splitlines()]
    expected = [
        "Anna Berg",
        "known by email:anna.berg@example.com, phone:+4930901820",
        "contacts 7 (call 7) · 1 in 7 days · 3 in 30 days · last 2026-03-02 10:00 · first …",
        "open email since 2026-03-01 18:30 · support · ticket open · waits for a reply since …",
        "rated csat 4 of 5 (2026-03-02)",
        "",
        "2026-03-02 10:00  chat in  answered  support · 2005, 2010 · waited 0:12 · talked 7:11 · …",
        "                  queue support · answered · waited 0:12 · 2005 · talked 7:11 · 1 …",
        "                  transferred 03-02 10:04 2005 → 2010 (consult)",
        "                  answers first response after 0:14",
        "                  03-02 10:00 customer Where is my parcel?",
        "                    03-02 10:00 2005 It will be with you today.",
        "                  rated csat 4 of 5",
        "",
        "Older contacts are not shown (--limit): up to 6.",
    ]
    for line, told in zip(lines, expected, strict=True):
        assert line == told or (told.endswith("…") and line.startswith(told[:-1]))
    assert "delivery · resolved  1772442000.17" in lines[6]


def test_callback_links_are_shown_from_both_ends() -> None:
    (asked,) = PAGE.contacts
    begins = asked.started_at + timedelta(hours=1)
    called = asked.model_copy(
        update={"interaction_id": "back", "continues": "1772442000.17", "started_at": begins}
    )
    page = PAGE.model_copy(update={"contacts": [called, asked], "next_cursor": None})
    text = printed(CUSTOMER, page)
    assert "continues 1772442000.17" in text
    assert "continued by back" in text


def test_who_waits_and_how_long_replies_took() -> None:
    (contact,) = PAGE.contacts
    since = contact.started_at + timedelta(hours=1)
    changed = {"replies": 3, "reply_seconds": 90.0, "waiting_since": since}
    text = printed(
        CUSTOMER, PAGE.model_copy(update={"contacts": [contact.model_copy(update=changed)]})
    )
    assert (
        "answers first response after 0:14 · 3 replies, on average after 0:30"
        " · waits for a reply since 2026-03-02 11:00" in text
    )
    unsaid = {**changed, "first_response_seconds": None, "replies": 1, "waiting_since": None}
    text = printed(
        CUSTOMER, PAGE.model_copy(update={"contacts": [contact.model_copy(update=unsaid)]})
    )
    assert "answers reply after 1:30" in text


def test_what_people_wrote_is_no_markup() -> None:
    (contact,) = PAGE.contacts
    (first, _) = contact.messages
    rude = first.model_copy(update={"text": "[bold]x[/bold] [/]", "agent": "[red]"})
    shown: Contact = contact.model_copy(update={"messages": [rude], "topic": "[/]"})
    text = printed(CUSTOMER, PAGE.model_copy(update={"contacts": [shown]}))
    assert "[bold]x[/bold] [/]" in text


def test_a_customer_without_contacts_in_that_time() -> None:
    text = printed(CUSTOMER, PAGE.model_copy(update={"contacts": [], "next_cursor": None}))
    assert "No contacts in that time." in text
