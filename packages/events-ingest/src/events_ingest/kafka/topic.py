"""Creates the topic if it is missing, and checks the settings of an existing one."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    NoError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from events_ingest.errors import BrokerUnavailable
from events_schema.runtime.errors import KafkaRefused

log = structlog.get_logger()

_MIN_INSYNC_REPLICAS = "min.insync.replicas"
_MAX_MESSAGE_BYTES = "max.message.bytes"
_SAFE_REPLICATION = 3
_SAFE_MIN_INSYNC_REPLICAS = 2


@dataclass(frozen=True)
class Topic:
    """A topic and the settings to create it with."""

    name: str
    partitions: int
    replication: int
    min_insync_replicas: int


async def ensure_topic(admin: AIOKafkaAdminClient, topic: Topic) -> None:
    """Create `topic` if it is missing.

    Raises `BrokerUnavailable` if Kafka cannot create it, `KafkaRefused` if this user may not, and
    aiokafka's errors.
    """
    # Do not ask first whether it exists: that may create it with the broker's defaults.
    new = NewTopic(
        topic.name,
        topic.partitions,
        topic.replication,
        topic_configs={_MIN_INSYNC_REPLICAS: str(topic.min_insync_replicas)},
    )
    response = await admin.create_topics([new])
    _, code, *text = response.topic_errors[0]
    error = for_code(code)
    if error is NoError:
        log.info("topic created", **vars(topic))
    elif error is not TopicAlreadyExistsError and not await _exists(admin, topic.name):
        if error in (ClusterAuthorizationFailedError, TopicAuthorizationFailedError):
            raise KafkaRefused(
                f"topic {topic.name!r} does not exist, or this user may not see it, and may not "
                f"create it; create it, and grant DESCRIBE, DESCRIBE_CONFIGS and WRITE"
            )
        reason = next(filter(None, text), error.__name__)
        raise BrokerUnavailable(f"topic {topic.name} cannot be created: {reason}")


async def _exists(admin: AIOKafkaAdminClient, name: str) -> bool:
    """Return whether the topic exists, for a user who may not create it."""
    return name in await admin.list_topics()


@dataclass(frozen=True)
class TopicLimits:
    """The limits in a topic's settings."""

    min_insync_replicas: int
    """How many replicas must have a record batch before it is acknowledged."""
    max_message_bytes: int
    """The largest record batch that the topic accepts, in bytes."""


_UNSEEN = {_MIN_INSYNC_REPLICAS: 1, _MAX_MESSAGE_BYTES: 1_048_588}
"""Kafka's defaults, used if this user may not read the topic's settings."""


async def describe_limits(admin: AIOKafkaAdminClient, topic: str) -> TopicLimits:
    """Return the limits of `topic`. Raises aiokafka's errors."""
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs=dict.fromkeys(_UNSEEN))
    (response,) = await admin.describe_configs([resource])
    found = dict(_UNSEEN)
    for _, _, _, _, entries in response.resources:
        for key, value, *_ in entries or ():
            if key in found:
                with contextlib.suppress(TypeError, ValueError):
                    found[key] = int(value)
    return TopicLimits(found[_MIN_INSYNC_REPLICAS], found[_MAX_MESSAGE_BYTES])


async def warn_where_weak(admin: AIOKafkaAdminClient, topic: Topic, limits: TopicLimits) -> None:
    """Log a warning if the existing topic stores events less safely than it should."""
    described: list[dict[str, Any]] = await admin.describe_topics([topic.name])
    replicas = [len(each["replicas"]) for each in described[0]["partitions"]]
    if not replicas:
        return
    replication, required = min(replicas), limits.min_insync_replicas
    found = {"topic": topic.name, "replication": replication, "min_insync_replicas": required}
    if replication < topic.replication:
        log.warning("topic has fewer replicas than configured", expected=topic.replication, **found)
    if replication >= _SAFE_REPLICATION and required < _SAFE_MIN_INSYNC_REPLICAS:
        log.warning("topic acknowledges events that only one replica has", expected=2, **found)
