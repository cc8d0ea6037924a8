"""Public keys for web pages, where anyone can read them."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic_core import PydanticCustomError
from starlette.datastructures import URL


@dataclass(frozen=True)
class PublicKey:
    """A key and the origins of the pages that may use it, such as `https://shop.example`."""

    key: str
    origins: frozenset[str]


def read_public_key(text: str) -> PublicKey:
    """Read `KEY ORIGIN ...`. Raises `PydanticCustomError` (a `ValueError`)."""
    key, *origins = text.split() or [""]
    if not key.isascii() or not origins:
        raise PydanticCustomError(
            "public_key",
            "expected an ASCII key and the origins of its pages, such as "
            "'KEY https://shop.example'",
        )
    for origin in origins:
        if not _is_origin(origin):
            raise PydanticCustomError(
                "public_key",
                "{origin} is not an origin; give scheme and host as browsers send them, such as "
                "https://shop.example",
                {"origin": repr(origin)},
            )
    return PublicKey(key, frozenset(origins))


def _is_origin(text: str) -> bool:
    try:
        url = URL(text)
        serialized = f"{url.scheme}://{url.netloc}"
        return (
            url.scheme in ("http", "https")
            and bool(url.hostname)
            and text.isprintable()
            and serialized == text.lower() == text
        )
    except ValueError:
        return False
