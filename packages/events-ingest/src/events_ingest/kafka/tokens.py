"""OAuth tokens for the login to Kafka, by the client credentials grant of RFC 6749."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import time
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import urlencode, urlsplit

from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError

from events_schema.runtime.kafka_failures import NO_TOKEN
from events_schema.runtime.kafka_options import ClientCredentials

_SECONDS = 5.0
_LONGEST_ANSWER = 1 << 16
_KEPT = 0.8
"""A token is kept for this much of the time that it is valid."""


class TokenProvider(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    """Asks for tokens with `credentials`, and keeps each for most of its time."""

    def __init__(self, credentials: ClientCredentials) -> None:
        self._credentials = credentials
        self._token = ""
        self._kept_until = 0.0
        self._lock = asyncio.Lock()

    async def token(self) -> str:
        """Return a valid token. Raises `KafkaConnectionError`, because aiokafka calls this."""
        async with self._lock:
            now = time.monotonic()
            if now >= self._kept_until:
                self._token, seconds = await asyncio.to_thread(_ask, self._credentials)
                self._kept_until = now + seconds * _KEPT
            return self._token


def _ask(credentials: ClientCredentials) -> tuple[str, float]:
    """Return a token, and for how many seconds it is valid."""
    try:
        status, content = _post(credentials)
        if status == HTTPStatus.OK:
            answer = json.loads(content)
            seconds = float(answer.get("expires_in", 0))
            if isinstance(answer["access_token"], str) and math.isfinite(seconds):
                return answer["access_token"], seconds
            raise ValueError("no token, or no time")
    except (OSError, HTTPException, ValueError, KeyError, TypeError, AttributeError):
        raise KafkaConnectionError(NO_TOKEN) from None
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        raise KafkaConnectionError(f"token endpoint answered {status}")
    raise KafkaConnectionError(NO_TOKEN)


def _post(credentials: ClientCredentials) -> tuple[int, bytes]:
    """Return the status and the body of the endpoint's answer, as Kafka's Java client asks."""
    url = urlsplit(credentials.token_url)
    connect = HTTPSConnection if url.scheme == "https" else HTTPConnection
    connection = connect(str(url.hostname), url.port, timeout=_SECONDS)
    form = {"grant_type": "client_credentials"}
    if credentials.scope is not None:
        form["scope"] = credentials.scope
    user = f"{credentials.client_id}:{credentials.client_secret}".encode()
    headers = {
        "Authorization": f"Basic {base64.b64encode(user).decode()}",
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    target = f"{url.path or '/'}?{url.query}".rstrip("?")
    with closing(connection):
        connection.request("POST", target, urlencode(form), headers)
        with connection.getresponse() as answer:
            return answer.status, _read(answer)


def _read(answer: HTTPResponse) -> bytes:
    content, deadline = b"", time.monotonic() + _SECONDS
    while chunk := answer.read1(_LONGEST_ANSWER):
        content += chunk
        if len(content) > _LONGEST_ANSWER or time.monotonic() > deadline:
            raise ValueError("the answer is too large or too slow")
    return content
