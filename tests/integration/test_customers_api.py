"""One process, everything embedded: what was published is answered over HTTP while it works."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from schemas.topics import EVENTS_CALL, EVENTS_CHAT, EVENTS_EMAIL
from streams.api.tokens import digest_of
from tests.integration.conftest import Sent, publish_now, wait_for
from tests.support.worker import WorkerProcess

PHONE = {"kind": "phone", "value": "+49 30 123456"}
EMAIL = {"kind": "email", "value": "Ada@Example.org"}


def shown(topic: str, subject: str, minute: int, *identifiers: dict[str, str]) -> Sent:
    value = {
        "specversion": "1.0",
        "id": f"{subject}-began",
        "source": "test",
        "type": "interaction.started",
        "time": f"2026-03-02T09:{minute:02d}:00Z",
        "subject": subject,
        "data": {"customer": {"identifiers": list(identifiers)}},
    }
    return Sent(topic, subject.encode(), json.dumps(value).encode())


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[WorkerProcess]:
    """`switchboard run` with embedded parts and one token."""
    tokens = json.dumps({digest_of("secret"): "default"})
    settings = {"API__PORT": "0", "API__TOKENS": tokens, "PROCESSING__FLUSH_SECONDS": "0.2"}
    with WorkerProcess(tmp_path, settings) as started:
        yield started


def told(worker: WorkerProcess, pattern: str) -> str:
    """What the worker says by that pattern; waits until it does."""
    wait_for(lambda: re.search(pattern, worker.said) is not None, f"{pattern} of {worker.said}")
    found = re.search(pattern, worker.said)
    assert found is not None
    return found[1]


def contacts(api: str, identifier: str) -> list[Any]:
    """Ids of the contacts of a customer, newest first; none of one who is not known."""
    url = f"{api}/customers/{quote(identifier, safe='')}/timeline"
    request = Request(url, headers={"Authorization": "Bearer secret"})  # noqa: S310
    try:
        with urlopen(request, timeout=30) as answer:  # noqa: S310
            return [contact["interaction_id"] for contact in json.load(answer)["contacts"]]
    except HTTPError as error:
        if error.code != 404:
            raise
        return []


def test_a_person_on_three_channels_is_one_customer_in_the_api(worker: WorkerProcess) -> None:
    broker = told(worker, r"broker at (\S+)")
    api = told(worker, r"API at (http://\S+)")
    wait_for(lambda: worker.get("/readyz")[0] == 200, "the worker to be ready")
    call = shown(EVENTS_CALL, "call-1", 0, PHONE)
    chat = shown(EVENTS_CHAT, "chat-1", 10, EMAIL)
    publish_now(broker, [call, chat])
    wait_for(lambda: contacts(api, "+4930123456") == ["call-1"], "the call")
    wait_for(lambda: contacts(api, "ada@example.org") == ["chat-1"], "the chat")
    publish_now(broker, [shown(EVENTS_EMAIL, "mail-1", 20, EMAIL, PHONE)])
    whole = ["mail-1", "chat-1", "call-1"]
    wait_for(lambda: contacts(api, "+4930123456") == whole, "one customer by phone")
    assert contacts(api, "ada@example.org") == whole
