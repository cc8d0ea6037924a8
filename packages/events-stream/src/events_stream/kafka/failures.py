"""What the errors of Kafka's Java client mean."""

from __future__ import annotations

import re

from py4j.protocol import Py4JJavaError

from events_schema.errors import EventsError
from events_schema.runtime.errors import KafkaRefused
from events_schema.runtime.kafka_failures import NO_TOKEN, find_refusal, unanswered
from events_stream.errors import BrokerUnavailable, TopicMissing

_UNUSABLE = re.compile("Failed to (create new|construct)|ConfigException")
_CAUSE = re.compile(r"^(?:(?:Caused by)?: )?([\w.$]+(?:Exception|Error))\b", re.MULTILINE)
_OPTION = re.compile(r"for configuration ([\w.]+)")


def translate(error: Py4JJavaError, *, brokers: str, topic: str) -> EventsError:
    """Return the error for one that a client of Kafka raised."""
    said = str(error)  # with all of its causes
    if "UnknownTopicOrPartition" in said:
        return TopicMissing(
            f"topic {topic!r} does not exist at {brokers}; start events-ingest, which creates it"
        )
    refusal = find_refusal(said, brokers=brokers, topic=topic, verb="read")
    if refusal is not None:
        return refusal
    if "retrieving token from callback handler" in said or "token endpoint response" in said:
        return BrokerUnavailable(NO_TOKEN)
    unresolved = "No resolvable bootstrap urls" in said
    if _UNUSABLE.search(said) and not unresolved:
        return _unusable(said)
    if unresolved or "TimeoutException" in said or "SslAuthentication" in said:
        return BrokerUnavailable(unanswered(brokers))
    root = str(error.java_exception.toString())
    return BrokerUnavailable(
        f"Kafka at {brokers} does not answer as expected ({root}); check --brokers and that "
        f"Kafka runs"
    )


def _unusable(said: str) -> KafkaRefused:
    """Return the error for options with which no client starts; Java's texts may show values."""
    causes, option = _CAUSE.findall(said), _OPTION.search(said)
    about = f"option {option[1]}" if option else "options"
    return KafkaRefused(
        f"Kafka's client does not accept the Kafka {about} "
        f"({causes[-1].rpartition('.')[2] if causes else 'unknown cause'}); check --kafka-option "
        f"and --kafka-options-file"
    )
