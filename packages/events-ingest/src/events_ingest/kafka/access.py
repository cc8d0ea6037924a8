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
from events_schema.runtime.kafka_failures import NO_TOKEN, find_refusal, silent, unreachable

FAILURES = (KafkaError, OSError, TimeoutError)
"""What aiokafka raises if it cannot connect."""

_CONNECT_MS = 3000
_START_SECONDS = 5.0


async def check_access(options: Mapping[str, Any], topic: str) -> None:
    """Raise `KafkaRefused` if Kafka answers, and refuses this client or its use of `topic`.

    It takes a few seconds at most, and returns if Kafka is unavailable.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_START_SECONDS):
            try:
                connection = await _connect(options)
            except FAILURES as error:
                refusal = _refusal(error, options, topic)
                if refusal is not None:
                    raise refusal from None
                return
            try:
                with suppress(*FAILURES):
                    await check_rights(connection.send, topic, options["bootstrap_servers"])
            finally:
                await clients.end(connection.close())


async def explain(error: Exception, options: Mapping[str, Any], topic: str) -> EventsError:
    """Return the error for one of `FAILURES`: `KafkaRefused`, or `BrokerUnavailable`.

    aiokafka often says only that it could not connect, so this tries once more by itself.
    """
    if isinstance(error, KafkaConnectionError):
        try:
            (await _connect(options)).close()
        except FAILURES as cause:
            error = cause
    refusal = _refusal(error, options, topic)
    if refusal is not None:
        return refusal
    if NO_TOKEN in str(error):
        return BrokerUnavailable(NO_TOKEN)
    brokers = options["bootstrap_servers"]
    if isinstance(error, KafkaConnectionError):
        return BrokerUnavailable(silent(brokers))
    if isinstance(error, OSError):
        return BrokerUnavailable(unreachable(brokers, _reason(error)))
    return BrokerUnavailable(str(error))  # it begins with its name


async def _connect(options: Mapping[str, Any]) -> AIOKafkaConnection:
    """Return a connection to the first broker that lets this client in."""
    given = {name: value for name, value in options.items() if name in _OPTIONS}
    failure: Exception = KafkaConnectionError("there are no brokers")
    for host, port, _ in collect_hosts(options["bootstrap_servers"]):
        opening = asyncio.ensure_future(
            create_conn(host, port, request_timeout_ms=_CONNECT_MS, **given)
        )
        try:
            return await asyncio.shield(opening)
        except FAILURES as error:
            failure = error
        except asyncio.CancelledError:
            await clients.end(opening)
            raise
    raise failure


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


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (error.strerror or type(error).__name__).lower()
