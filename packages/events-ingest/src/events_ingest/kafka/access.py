"""Whether Kafka lets the collector in, and if not, why."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from aiokafka.conn import AIOKafkaConnection, collect_hosts, create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError

from events_ingest.errors import BrokerUnavailable
from events_ingest.kafka import clients
from events_ingest.kafka.rights import check_rights
from events_schema import EventsError
from events_schema.runtime.kafka_failures import NO_TOKEN, find_refusal, unanswered

FAILURES = (KafkaError, OSError, TimeoutError)
"""What aiokafka raises if it cannot connect."""

_CONNECT_MS = 3000
_START_SECONDS = 5.0


async def check_access(options: Mapping[str, Any], topic: str) -> None:
    """Raise `KafkaRefused` if Kafka answers, and refuses this client or its use of `topic`.

    It takes a few seconds at most, and returns if Kafka is unavailable.
    """
    with suppress(BrokerUnavailable):
        await require_access(options, topic)


async def require_access(options: Mapping[str, Any], topic: str) -> None:
    """Raise `KafkaRefused` as `check_access` does, and `BrokerUnavailable` with the reason."""
    brokers = options["bootstrap_servers"]
    try:
        async with asyncio.timeout(_START_SECONDS):
            try:
                connection = await _connect(options, topic)
            except FAILURES as error:
                raise await _meaning(error, options, topic) from None
            try:
                with suppress(*FAILURES):
                    await check_rights(connection.send, topic, brokers)
            finally:
                await clients.end(connection.close())
    except TimeoutError:
        raise BrokerUnavailable(await asyncio.to_thread(unanswered, brokers)) from None


async def explain(error: Exception, options: Mapping[str, Any], topic: str) -> EventsError:
    """Return the error for one of `FAILURES`: `KafkaRefused`, or `BrokerUnavailable`.

    aiokafka often says only that it could not connect, so this tries once more by itself.
    """
    if isinstance(error, KafkaConnectionError):
        try:
            (await _connect(options, topic)).close()
        except FAILURES as cause:
            error = cause
    return await _meaning(error, options, topic)


async def _meaning(error: Exception, options: Mapping[str, Any], topic: str) -> EventsError:
    refusal = _refusal(error, options, topic)
    if refusal is not None:
        return refusal
    if NO_TOKEN in str(error):
        return BrokerUnavailable(NO_TOKEN)
    brokers = options["bootstrap_servers"]
    if isinstance(error, (KafkaConnectionError, OSError)):
        return BrokerUnavailable(await asyncio.to_thread(unanswered, brokers))
    return BrokerUnavailable(str(error))  # it begins with its name


async def _connect(options: Mapping[str, Any], topic: str) -> AIOKafkaConnection:
    """Return a connection to the first broker that lets this client in.

    If none does, a refusal is raised rather than the failure of a broker that does not answer.
    """
    given = {name: value for name, value in options.items() if name in _OPTIONS}
    failure: Exception | None = None
    for host, port, _ in collect_hosts(options["bootstrap_servers"]):
        opening = asyncio.ensure_future(
            create_conn(host, port, request_timeout_ms=_CONNECT_MS, **given)
        )
        try:
            return await asyncio.shield(opening)
        except FAILURES as error:
            if failure is None or _refusal(error, options, topic):
                failure = error
        except asyncio.CancelledError:
            await clients.end(opening)
            raise
    raise failure or KafkaConnectionError("there are no brokers")


_OPTIONS = {
    "security_protocol",
    "ssl_context",
    "sasl_mechanism",
    "sasl_plain_username",
    "sasl_plain_password",
    "sasl_oauth_token_provider",
}


def _refusal(error: Exception, options: Mapping[str, Any], topic: str) -> EventsError | None:
    said = "\n".join(f"{type(each).__name__}: {each}" for each in _chain(error))
    return find_refusal(said, brokers=options["bootstrap_servers"], topic=topic, verb="write")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
