"""Keys: what each key in a request allows."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from events_ingest import ServeSettings
from events_ingest.access.authentication import (
    Authentication,
)
from events_ingest.access.keys import PublicKey, read_public_key
from events_ingest.server.app import create_authentication
from events_schema.runtime.errors import UsageError

SHOP = "https://shop.example"
PAGE = PublicKey("page", frozenset({SHOP}))

keys = st.sampled_from([b"first", b"second", b"page", b"", b"wrong", b"firs", b"first\0"])


@given(st.lists(keys, max_size=3), st.none() | keys)
def test_a_request_may_do_what_one_of_its_keys_may(
    tokens: list[bytes], query: bytes | None
) -> None:
    """Any valid key in a header is accepted; in the URL, only a page's key is."""
    access = Authentication([b"first", b"second"], [PAGE]).authenticate(tokens, query)

    good = [token for token in tokens if token in (b"first", b"second", b"page")]
    if good:
        assert access
        assert access.origins == (PAGE.origins if good[-1] == b"page" else None)
    elif query == b"page":
        assert access
        assert access.origins == PAGE.origins
    else:
        assert access is None


@given(st.lists(keys, max_size=2), st.none() | keys)
def test_without_any_key_every_request_is_let_in(tokens: list[bytes], query: bytes | None) -> None:
    """If no keys are configured, keys in requests are ignored."""
    access = Authentication([]).authenticate(tokens, query)

    assert access
    assert access.origins is None


def test_each_key_has_a_rate_of_its_own() -> None:
    """Using up one key's rate does not affect other keys; a returned token can be used again."""
    authentication = Authentication([b"first", b"second"], [PAGE], rate=0.001, public_rate=0.001)
    buckets = []
    for key in (b"first", b"second", b"page"):
        access = authentication.authenticate([key], None)
        assert access
        assert access.rate
        buckets.append(access.rate)

    for bucket in buckets:
        assert bucket.take() == 0
        assert bucket.take() > 0
    again = authentication.authenticate([b"first"], None)
    assert again
    again.give_back()
    assert buckets[0].take() == 0


def test_services_have_no_rate_unless_it_is_set() -> None:
    """A service's key has no rate limit by default, and a page's key has one."""
    authentication = Authentication([b"first"], [PAGE])
    service = authentication.authenticate([b"first"], None)
    page = authentication.authenticate([], b"page")

    assert service
    assert service.rate is None
    service.give_back()
    assert page
    assert page.rate


@pytest.mark.parametrize(
    "text",
    [
        "key https://shop.example",
        "key http://localhost:8080 https://shop.example:444",
        "key https://xn--bcher-kva.example http://[::1]:3000",
    ],
)
def test_a_public_key_names_its_origins(text: str) -> None:
    """A key is followed by its origins, written as browsers send them."""
    assert read_public_key(text) == PublicKey("key", frozenset(text.split()[1:]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "key",
        "schlüssel https://shop.example",
        "key shop.example",
        "key *",
        "key null",
        "key https://",
        "key https://shop.example/",
        "key https://shop.example?a",
        "key https://Shop.example",
        "key ftp://shop.example",
        "key https://shop.example https://shop.example/path",
        "key https://[::1",
    ],
)
def test_what_is_no_key_with_origins_is_refused(text: str) -> None:
    """A key without origins, or with an origin that no browser sends, is refused."""
    with pytest.raises(PydanticCustomError):
        read_public_key(text)


def test_public_keys_come_from_flags_and_file(tmp_path: Path) -> None:
    """Public keys can be given as values and as the lines of a file."""
    file = tmp_path / "keys"
    file.write_text(f"\na {SHOP}\n  b {SHOP} http://localhost  \n")
    settings = ServeSettings(public_key=(f"c {SHOP}",), public_key_file=file)

    assert [key.key for key in settings.page_keys()] == ["c", "a", "b"]


@pytest.mark.parametrize("content", [b"", b" \n", b"key\n", b"k\xff https://shop.example\n"])
def test_a_file_without_proper_keys_is_refused(tmp_path: Path, content: bytes) -> None:
    """A key file that cannot be read is a usage error and does not let anyone in."""
    file = tmp_path / "keys"
    file.write_bytes(content)

    with pytest.raises(UsageError, match="--public-key-file"):
        create_authentication(ServeSettings(public_key_file=file))


def test_a_key_must_not_be_secret_and_public() -> None:
    """A key cannot be both a service's and a public one, since a page would reveal it."""
    settings = ServeSettings(token="same", public_key=(f"same {SHOP}",))

    with pytest.raises(UsageError, match="another key"):
        create_authentication(settings)
