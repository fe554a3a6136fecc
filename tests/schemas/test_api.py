import pytest

from schemas.settings import SettingsError, load_settings
from streams.api.tokens import digest_of, new_token


def test_tokens_are_given_by_their_hashes() -> None:
    tokens = {digest_of("secret"): "acme"}
    assert load_settings(overrides={"api": {"tokens": tokens}}).api.tokens == tokens


def test_a_token_in_place_of_its_hash_is_refused_and_not_repeated() -> None:
    token = new_token()
    with pytest.raises(SettingsError, match="SHA-256 of a token") as refused:
        load_settings(overrides={"api": {"tokens": {token: "acme"}}})
    assert token not in str(refused.value)


def test_a_token_needs_a_tenant() -> None:
    with pytest.raises(SettingsError, match=r"api\.tokens"):
        load_settings(overrides={"api": {"tokens": {digest_of("secret"): ""}}})
