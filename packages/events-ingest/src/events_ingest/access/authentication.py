"""Who may post: the keys, and the check of a request's key."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from events_ingest.access.keys import PublicKey, read_public_key
from events_ingest.access.rate import TokenBucket
from events_ingest.settings import ServeSettings
from events_schema.runtime.errors import UsageError


@dataclass(frozen=True)
class Access:
    """What the holder of a key may do."""

    rate: TokenBucket | None
    """How often; None for as often as it likes."""
    origins: frozenset[str] | None
    """From which pages; None for a service's key, whose requests come from anywhere."""

    def give_back(self) -> None:
        """Let the last request not count."""
        if self.rate:
            self.rate.give_back()


class Authentication:
    """Checks keys in constant time: neither a key's length nor its place in the list shows.

    With no key at all, every request is accepted.
    """

    def __init__(
        self,
        tokens: Iterable[bytes],
        public_keys: Iterable[PublicKey] = (),
        *,
        rate: float | None = None,
        public_rate: float = 1000,
    ) -> None:
        self._keys = [
            *((_digest(token), Access(_bucket(rate), None)) for token in tokens),
            *(
                (_digest(key.key.encode()), Access(TokenBucket(public_rate), key.origins))
                for key in public_keys
            ),
        ]
        self._anyone = None if self._keys else Access(_bucket(rate), None)

    def authenticate(self, tokens: Sequence[bytes], query_key: bytes | None) -> Access | None:
        """Return what a request may do that carries these keys; None for nothing.

        `query_key` stood in the URL, where a service's key has no business.
        """
        if self._anyone:
            return self._anyone
        found: Access | None = None
        for token in tokens:
            found = self._find(token) or found
        if query_key is not None and found is None:
            access = self._find(query_key)
            found = access if access and access.origins is not None else None
        return found

    def _find(self, token: bytes) -> Access | None:
        given = _digest(token)
        found: Access | None = None
        for digest, access in self._keys:  # all of them: an early end would show which one fits
            if hmac.compare_digest(given, digest):
                found = access
        return found


def _bucket(rate: float | None) -> TokenBucket | None:
    return None if rate is None else TokenBucket(rate)


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def create_authentication(settings: ServeSettings) -> Authentication:
    """Return the check of keys that `settings` describe. Raises `UsageError`."""
    tokens, public_keys = read_tokens(settings), read_public_keys(settings)
    given = bool(tokens or public_keys)
    if given and settings.allow_anonymous:
        raise UsageError("--allow-anonymous and keys exclude each other; give one of them")
    if not given and not settings.allow_anonymous:
        raise UsageError(
            "no key is set; give --token or --token-file, --public-key or --public-key-file for "
            "web pages, or --allow-anonymous to let anyone post"
        )
    if {key.key.encode() for key in public_keys} & set(tokens):
        raise UsageError("a public key is a service's key too; make another key for web pages")
    return Authentication(
        tokens,
        public_keys,
        rate=settings.max_rate and settings.per_worker(settings.max_rate),
        public_rate=settings.per_worker(settings.max_public_rate),
    )


def read_tokens(settings: ServeSettings) -> tuple[bytes, ...]:
    """Return the services' keys that `settings` name. Raises `UsageError` for unusable files."""
    tokens = tuple(token.get_secret_value().encode() for token in settings.token)
    if settings.token_file is not None:
        tokens += tuple(_read_lines("--token-file", settings.token_file))
    return tokens


def read_public_keys(settings: ServeSettings) -> tuple[PublicKey, ...]:
    """Return the pages' keys that `settings` name. Raises `UsageError` for unusable files."""
    keys = [read_public_key(text) for text in settings.public_key]
    if settings.public_key_file is not None:
        try:
            lines = _read_lines("--public-key-file", settings.public_key_file)
            keys += [read_public_key(line.decode("utf-8", "replace")) for line in lines]
        except ValueError as error:
            raise UsageError(f"--public-key-file: {error}") from None
    return tuple(keys)


def _read_lines(flag: str, path: Path) -> list[bytes]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(
            f"{flag}: cannot read {path}: {error.strerror}; give a file of keys"
        ) from None
    keys = [line.strip() for line in lines if line.strip()]
    if not keys:
        raise UsageError(f"{flag}: {path} holds no key; write one in each line")
    return keys
