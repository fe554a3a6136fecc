"""What the API answers, over a real store."""

from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from schemas.timeline import Customer, TimelinePage
from sinks.errors import StoreRefused, StoreUnavailable
from sinks.store import Store
from streams.api.rate_limit import RateLimit
from tests.streams.api.conftest import Client
from tests.support.fold import Happening, happening
from tests.support.timeline import tell

WHO = "+49 30 901820"
ASKED = quote(WHO, safe="")


def call(
    at: float, subject: str, name: str = "", value: str = WHO, kind: str = "phone"
) -> Happening:
    customer = {"identifiers": [{"kind": kind, "value": value}], "name": name}
    return happening(at, "interaction.started", subject, customer=customer)


@pytest.fixture
def client(client_of: Client, api_store: Store, tenant: str) -> TestClient:
    """Of a tenant with three calls of one customer."""
    tell(api_store, tenant, [call(n, f"c-{n}", "Anna") for n in range(3)])
    return client_of({"secret": tenant})


def assert_problem(answer: Any, status: int, *words: str) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert said["status"] == status
    assert said["title"]
    for word in words:
        assert word in said["detail"]


def test_a_customer(client: TestClient) -> None:
    answer = client.get(f"/customers/{ASKED}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    customer = Customer.model_validate(answer.json())
    assert customer.name == "Anna"
    assert customer.summary.contacts_7_days == 3
    assert answer.json()["summary"]["last_contact_at"] == "2026-01-05T08:00:02.000Z"


def test_pages_lead_to_each_other(client: TestClient) -> None:
    seen = []
    question: dict[str, str | int] = {"limit": 2}
    while True:
        answer = client.get(f"/customers/{ASKED}/timeline", params=question)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        page = TimelinePage.model_validate(answer.json())
        seen.append([contact.interaction_id for contact in page.contacts])
        if page.next_cursor is None:
            break
        question["cursor"] = page.next_cursor
    assert seen == [["c-2", "c-1"], ["c-0"]]


def test_since_is_asked_with_an_offset(client: TestClient) -> None:
    path = f"/customers/{ASKED}/timeline"
    answer = client.get(path, params={"since": "2026-01-05T09:00:01+01:00"})
    assert len(answer.json()["contacts"]) == 2
    assert_problem(client.get(path, params={"since": "2026-01-05T09:00:01"}), 422, "since")


@pytest.mark.parametrize("path", ["/customers/x", "/customers/x/timeline", "/customers/a%2Fb"])
@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic c2VjcmV0"}]
)
def test_nobody_is_answered_without_a_token_that_is_known(
    client_of: Client, tenant: str, path: str, headers: dict[str, str]
) -> None:
    answer = client_of({"secret": tenant}).get(path, headers={"Authorization": "", **headers})
    assert_problem(answer, 401, "Authorization: Bearer")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_token_shows_its_own_tenant_alone(client_of: Client, api_store: Store) -> None:
    tell(api_store, "acme", [call(0, "c-acme", "Anna of Acme")])
    tell(api_store, "globex", [call(0, "c-globex", "Anna of Globex")])
    client = client_of({"of acme": "acme", "of globex": "globex", "of nobody": "nobody"})

    def name(token: str) -> Any:
        return client.get(f"/customers/{ASKED}", headers={"Authorization": f"Bearer {token}"})

    assert name("of acme").json()["name"] == "Anna of Acme"
    assert name("of globex").json()["name"] == "Anna of Globex"
    assert_problem(name("of nobody"), 404)
    path = f"/customers/{ASKED}/timeline?tenant=globex"
    (contact,) = client.get(path).json()["contacts"]
    assert contact["interaction_id"] == "c-acme"


def test_customers_cannot_be_listed(client: TestClient) -> None:
    for path in ("/customers", "/customers/", "/", "/interactions", "/docs", "/metrics"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert "Anna" not in answer.text
    assert_problem(client.post(f"/customers/{ASKED}"), 405)


def test_too_many_requests_are_refused_until_it_filled_again(
    client_of: Client, api_store: Store, tenant: str
) -> None:
    tell(api_store, tenant, [call(0, "c-1")])
    now = [0.0]
    limit = RateLimit(0.5, 2, lambda: now[0])
    client = client_of({"secret": tenant, "other": tenant}, limit=limit)
    path = f"/customers/{ASKED}"
    assert [client.get(path).status_code for _ in range(3)] == [200, 200, 429]
    refused = client.get(path)
    assert_problem(refused, 429, "too many requests")
    assert refused.headers["retry-after"] == "2"
    assert client.get(path, headers={"Authorization": "Bearer other"}).status_code == 200
    now[0] += 2
    assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("/customers/%2B4930111", 404, "nothing is known of 'phone:+4930111'"),
        ("/customers/anonymous", 404, "no identifier of anybody"),
        (f"/customers/{ASKED}/timeline?cursor=x", 400, "ask again without one"),
        (f"/customers/{ASKED}/timeline?limit=0", 422, "limit"),
        (f"/customers/{ASKED}/timeline?limit=101", 422, "limit"),
        ("/customers/" + "9" * 600, 422, "identifier"),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(
    client: TestClient, path: str, status: int, word: str
) -> None:
    assert_problem(client.get(path), status, word)


def test_an_identifier_may_hold_a_slash(client_of: Client, api_store: Store, tenant: str) -> None:
    tell(api_store, tenant, [call(0, "c-1", "Anna", "K/2026-17", "customer_number")])
    client = client_of({"secret": tenant})
    for path in ("/customers/K%2F2026-17", "/customers/customer_number:K/2026-17"):
        assert client.get(path).json()["name"] == "Anna"
        assert len(client.get(f"{path}/timeline").json()["contacts"]) == 1


class BrokenStore(Store):
    """One that fails with the error given."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def query(self, *_: Any, **__: Any) -> Any:
        raise self._error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StoreUnavailable("http://secret-host", "no answer"), 503),
        (StoreRefused("http://secret-host", "syntax error"), 500),
        (RuntimeError("secret-host"), 500),
    ],
)
def test_a_store_that_fails_is_a_problem_without_its_particulars(
    client_of: Client, error: Exception, status: int
) -> None:
    answer = client_of({"secret": "t"}, store=BrokenStore(error)).get(f"/customers/{ASKED}")
    assert_problem(answer, status)
    assert "secret-host" not in answer.text
    assert ("retry-after" in answer.headers) == (status == 503)


def test_the_contract_has_examples_security_and_problems(client_of: Client) -> None:
    contract = client_of({}).get("/openapi.json").json()
    assert set(contract["paths"]) == {
        "/customers/{identifier}",
        "/customers/{identifier}/timeline",
    }
    for path, model in (
        ("/customers/{identifier}", Customer),
        ("/customers/{identifier}/timeline", TimelinePage),
    ):
        asked = contract["paths"][path]["get"]
        assert asked["security"] == [{"HTTPBearer": []}]
        content = asked["responses"]["200"]["content"]["application/json"]
        assert content["schema"]["$ref"].endswith(model.__name__)
        model.model_validate(content["example"])
        for status in ("401", "404", "429", "503"):
            assert "application/problem+json" in asked["responses"][status]["content"]
