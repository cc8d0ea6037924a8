"""Who may post: the keys, and the check of a request's key."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path

from starlette.datastructures import Headers

from events_ingest.settings import ServeSettings
from events_schema.errors import UsageError

_BEARER = "bearer "


class Authentication:
    """Checks keys in constant time: neither a key's length nor its place in the list shows.

    With no key at all, every request is accepted.
    """

    def __init__(self, tokens: Iterable[bytes]) -> None:
        self._digests = [_digest(token) for token in tokens]

    def accepts(self, headers: Headers) -> bool:
        """Tell whether the request with these `headers` carries a key of ours."""
        if not self._digests:
            return True
        accepted = False
        for token in _tokens(headers):
            given = _digest(token)
            for digest in self._digests:  # all of them: an early end would show which one fits
                accepted |= hmac.compare_digest(given, digest)
        return accepted


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _tokens(headers: Headers) -> list[bytes]:
    given = headers.getlist("x-token")
    for value in headers.getlist("authorization"):
        if value[: len(_BEARER)].lower() == _BEARER:
            given.append(value[len(_BEARER) :])
    # Starlette reads headers as Latin-1; this is what the client sent.
    return [value.strip(" \t").encode("latin-1") for value in given]


def read_tokens(settings: ServeSettings) -> tuple[bytes, ...]:
    """Return the keys that `settings` name; none means that anyone may post.

    Raises `UsageError` where they contradict each other or their file cannot be used.
    """
    tokens = tuple(token.get_secret_value().encode() for token in settings.token)
    if settings.token_file is not None:
        tokens += _read_file(settings.token_file)
    if tokens and settings.allow_anonymous:
        raise UsageError("--allow-anonymous and --token exclude each other; give one of them")
    if not tokens and not settings.allow_anonymous:
        raise UsageError(
            "no key is set; give --token or --token-file, or --allow-anonymous to let anyone post"
        )
    return tokens


def _read_file(path: Path) -> tuple[bytes, ...]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(
            f"--token-file: cannot read {path}: {error.strerror}; give a file of keys"
        ) from None
    tokens = tuple(line.strip() for line in lines if line.strip())
    if not tokens:
        raise UsageError(f"--token-file: {path} holds no key; write one in each line")
    return tokens
