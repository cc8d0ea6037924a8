"""What a user may do with a topic, which Kafka tells only if it is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka.errors import TopicAuthorizationFailedError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

from events_schema.runtime.kafka_failures import access_denied

Send = Callable[[Request[Any]], Awaitable[Any]]
"""Sends a request to a broker and returns the answer."""

_WRITE = 1 << 4
_UNKNOWN = -(1 << 31)


class _Described(Response):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's own classes end at version 5, which does not have the rights."""

    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            Array(
                ("node_id", Int32),
                ("host", String("utf-8")),
                ("port", Int32),
                ("rack", String("utf-8")),
            ),
        ),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )


class _Describe(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _Described
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class _DescribeTopic(Request[_Describe]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[_Describe]) -> _Describe:
        return request_struct_class([self._topic], False, False, True)


async def check_rights(send: Send, topic: str, brokers: str) -> None:
    """Raise `KafkaRefused` if `topic` exists and this user may not write to it.

    Kafka before 2.3 does not tell.
    """
    try:
        described = await send(_DescribeTopic(topic))
    except NotImplementedError:
        return
    code, _, _, _, allowed = described.topics[0]
    known = code == 0 and allowed != _UNKNOWN
    if code == TopicAuthorizationFailedError.errno or (known and not allowed & _WRITE):
        raise access_denied("write", topic, brokers)
