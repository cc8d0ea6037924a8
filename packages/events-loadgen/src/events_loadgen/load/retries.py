"""When a client retries, and how long it waits first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import uniform

_RETRIED_STATUSES = frozenset({408, 429})
_FIRST_SERVER_ERROR = 500


@dataclass(frozen=True)
class RetryPolicy:
    """Retries an event until `give_up_after` seconds after its first try.

    The waits grow from `first_wait` to `longest_wait` seconds. They have jitter, so that clients
    that fail together do not retry together.
    """

    give_up_after: float = 60.0
    first_wait: float = 0.1
    longest_wait: float = 5.0

    def wait(self, tries: int, retry_after: float = 0.0) -> float:
        """Return how many seconds to wait after `tries` failed tries.

        At least the `retry_after` seconds that the server asked for.
        """
        longest = min(self.longest_wait, self.first_wait * 2.0 ** min(tries - 1, 16))
        return retry_after + uniform(longest / 2, longest)  # noqa: S311  # not a secret


def is_retriable(status: int) -> bool:
    """Return whether a retry may succeed."""
    return status in _RETRIED_STATUSES or status >= _FIRST_SERVER_ERROR


def parse_retry_after(value: str | None) -> float:
    """Return the seconds that a `Retry-After` header asks for; 0 if it is missing or invalid.

    The header is a number of seconds or an HTTP date (RFC 9110, 10.2.3).
    """
    if value is None:
        return 0.0
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    if until.tzinfo is None:  # "-0000": UTC, zone unknown
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
