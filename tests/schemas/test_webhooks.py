"""What may be configured about webhooks, and how it is refused."""

import pytest
from pydantic import ValidationError

from schemas.webhooks import WebhookSettings

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
URL = "https://example.com/breaches"


def test_an_address_with_its_secret() -> None:
    settings = WebhookSettings(urls={"pager": URL}, secrets={"pager": SECRET})
    assert settings.secrets["pager"].get_secret_value() == SECRET
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"urls": {"pager": URL}}, "pager: secrets has none of that name"),
        ({"secrets": {"pager": SECRET}}, "pager: urls has none of that name"),
        ({"tenants": {"pager": ["acme"]}}, "pager: urls has none of that name"),
        ({"urls": {"pager": "ftp://example.com/"}}, "http"),
        ({"urls": {"pager": "https://me:secret@example.com/"}}, "without a user"),
        ({"urls": {"the pager": URL}}, "pattern"),
        ({"urls": {"pager": URL}, "secrets": {"pager": "whsec_short"}}, "24 to 64 random bytes"),
        ({"urls": {"pager": URL}, "secrets": {"pager": SECRET[6:]}}, "24 to 64 random bytes"),
    ],
)
def test_what_cannot_work_is_refused_in_words(given: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        WebhookSettings.model_validate(given)
