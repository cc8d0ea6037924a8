"""Who may post: the keys, and the check of a request's key."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from events_ingest.access.keys import PublicKey
from events_ingest.access.rate import TokenBucket


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
