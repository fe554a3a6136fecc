import re

from hypothesis import given
from hypothesis import strategies as st

from streams.api.tokens import Access, Tokens, digest_of, new_token


def test_a_token_gives_access_to_its_tenant_alone() -> None:
    one, other = new_token(), new_token()
    tokens = Tokens({digest_of(one): "acme", digest_of(other): "globex"})
    assert tokens.access(one) == Access("acme", digest_of(one))
    assert tokens.access(other) == Access("globex", digest_of(other))


@given(st.text(st.characters()))
def test_no_other_text_does(text: str) -> None:
    token = new_token()
    tokens = Tokens({digest_of(token): "acme"})
    assert tokens.access(text) is None
    assert tokens.access(token + text) is None or not text


def test_its_hash_is_no_token() -> None:
    digest = digest_of(new_token())
    assert Tokens({digest: "acme"}).access(digest) is None


def test_without_tokens_nobody_has_access() -> None:
    assert Tokens({}).access("") is None


def test_tokens_are_new_and_can_be_recognised() -> None:
    made = {new_token() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"switchboard_[A-Za-z0-9_-]{43}", token) for token in made)
