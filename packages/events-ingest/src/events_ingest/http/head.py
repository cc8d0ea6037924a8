"""The headers of a request that the collector reads."""

from __future__ import annotations

import re
from collections.abc import Iterable

import uuid_utils

RawHeaders = Iterable[tuple[bytes, bytes]]

_REQUEST_ID = re.compile(rb"[!-~]{1,128}")
_BEARER = b"bearer "
_LOOKED_AT = frozenset(
    (
        b"x-token",
        b"authorization",
        b"content-type",
        b"content-encoding",
        b"content-length",
        b"origin",
        b"user-agent",
        b"x-request-id",
    )
)


class RequestHead:
    """The headers of one request; `headers` are pairs of lower-case name and value.

    A repeated header counts as one with its values joined by commas, as in RFC 9110.
    """

    __slots__ = ("_values", "tokens")

    def __init__(self, headers: RawHeaders) -> None:
        self._values: dict[bytes, bytes] = {}
        self.tokens: list[bytes] = []
        """The keys in X-Token and Authorization headers."""
        for name, value in headers:
            if name not in _LOOKED_AT:
                continue
            if name == b"x-token":
                self.tokens.append(value.strip(b" \t"))
            elif name == b"authorization":
                if value[: len(_BEARER)].lower() == _BEARER:
                    self.tokens.append(value[len(_BEARER) :].strip(b" \t"))
            elif name in self._values:
                self._values[name] += b", " + value
            else:
                self._values[name] = value

    def get(self, name: bytes) -> bytes | None:
        """Return a header's value, or None."""
        return self._values.get(name)

    def text(self, name: bytes, default: str = "") -> str:
        """Return a header's value as text."""
        value = self._values.get(name)
        return default if value is None else value.decode("latin-1")

    def request_id(self) -> str:
        """Return the request id that the client gave if it is valid, or a new one."""
        given = self._values.get(b"x-request-id")
        if given is not None and _REQUEST_ID.fullmatch(given):
            return given.decode("ascii")
        return str(uuid_utils.uuid7())
