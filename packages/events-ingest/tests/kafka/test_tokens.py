"""What the collector makes of a token endpoint's answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError

from events_ingest.kafka.tokens import TokenProvider
from events_schema.runtime.kafka_options import ClientCredentials
from line_support.token_endpoint import (
    CLIENT_ID,
    CLIENT_SECRET,
    SCOPE,
    TokenEndpoint,
    token_endpoint,
)


@contextmanager
def provider(folder: Path, **attributes: object) -> Iterator[tuple[TokenProvider, TokenEndpoint]]:
    """A provider and the endpoint that it asks."""
    with token_endpoint(folder) as endpoint:
        for name, value in attributes.items():
            setattr(endpoint, name, value)
        yield (
            TokenProvider(ClientCredentials(endpoint.url, CLIENT_ID, CLIENT_SECRET, SCOPE)),
            endpoint,
        )


async def ask(tokens: TokenProvider, times: int) -> list[str]:
    """Ask for tokens at the same time."""
    return list(await asyncio.gather(*(tokens.token() for _ in range(times))))


def test_a_token_is_kept_for_most_of_its_time(tmp_path: Path) -> None:
    """Many connections share one token, also if they ask at the same time."""
    with provider(tmp_path) as (tokens, endpoint):
        assert len(set(asyncio.run(ask(tokens, 5)))) == 1
        assert endpoint.given == 1


def test_an_expired_token_is_replaced(tmp_path: Path) -> None:
    """A token that is no longer valid is not used again."""
    with provider(tmp_path, seconds=0) as (tokens, endpoint):
        asyncio.run(ask(tokens, 2))
        assert endpoint.given == 2


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'"x"'),
        (200, b"\xff"),
        (200, b'{"access_token": "' + b"x" * 70_000 + b'"}'),
        (200, b'{"access_token": null}'),
        (200, b'{"access_token": "x", "expires_in": NaN}'),
        (500, b"{}"),
    ],
)
def test_an_answer_without_a_token_is_an_absence(status: int, body: bytes, tmp_path: Path) -> None:
    """A failed endpoint, and a malformed or oversized answer of it, is a Kafka error."""
    with (
        provider(tmp_path, answer=lambda *_: (status, body)) as (tokens, _),
        pytest.raises(KafkaConnectionError, match="the token endpoint does not answer"),
    ):
        asyncio.run(tokens.token())


def test_a_refusal_has_its_status(tmp_path: Path) -> None:
    """The status tells a wrong secret from an endpoint that is down."""
    with (
        provider(tmp_path, answer=lambda *_: (401, b"{}")) as (tokens, _),
        pytest.raises(KafkaConnectionError, match="token endpoint answered 401"),
    ):
        asyncio.run(tokens.token())
