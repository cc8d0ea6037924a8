"""Checks the key of a request."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from events_ingest.access.keys import PublicKey
from events_ingest.access.rate import TokenBucket


@dataclass(frozen=True)
class Access:
    """What a key allows."""

    rate: TokenBucket | None
    """The request rate; None for no limit."""
    origins: frozenset[str] | None
    """The origins of allowed pages; None for a service's key, which may be used anywhere."""

    def give_back(self) -> None:
        """Do not count the last request."""
        if self.rate:
            self.rate.give_back()


class Authentication:
    """Checks keys in constant time, which reveals neither a key's length nor its position.

    If no keys are configured, every request is accepted.
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
        """Return what a request with these keys may do; None if no key is valid.

        `query_key` comes from the URL, where only page keys are accepted.
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
        for digest, access in self._keys:  # all of them: stopping early would reveal the match
            if hmac.compare_digest(given, digest):
                found = access
        return found


def _bucket(rate: float | None) -> TokenBucket | None:
    return None if rate is None else TokenBucket(rate)


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
