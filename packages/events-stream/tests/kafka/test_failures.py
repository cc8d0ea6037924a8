"""Why Kafka does not answer the stream, or refuses it."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from pyspark.sql import SparkSession
from structlog.testing import capture_logs

from events_loadgen.processes.ports import free_port
from events_loadgen.processes.waiting import wait_until
from events_schema.runtime.errors import KafkaRefused
from events_stream.errors import BrokerUnavailable
from line_support.secured_kafka import PASSWORD, USER, Secured
from line_support.topics import Topics
from stream_support.envelopes import encoded
from stream_support.secured_stream import (
    LOGIN,
    certificate,
    login,
    source,
    token,
    trust,
)
from stream_support.stream_process import DEADLINE
from stream_support.streaming import running

pytestmark = pytest.mark.extended

Case = Callable[[Secured, Path], tuple[str, dict[str, Any]]]
"""Makes the brokers and the flags of a stream that Kafka refuses."""

REFUSED: dict[str, tuple[Case, str]] = {
    "wrong password": (
        lambda secured, _: (secured.login, login(secured, sasl_password="wrong-battery")),
        "refused the login: unknown user or wrong password",
    ),
    "unknown user": (
        lambda secured, _: (secured.login, login(secured, sasl_username="nobody")),
        "refused the login: unknown user or wrong password",
    ),
    "mechanism": (
        lambda secured, _: (secured.limited, {**LOGIN, "sasl_password": PASSWORD}),
        "does not offer this login",
    ),
    "unknown authority": (
        lambda secured, folder: (
            secured.login,
            login(secured, kafka_ca_file=authority_file(folder)),
        ),
        "is not signed by a known authority",
    ),
    "expired": (
        lambda secured, _: (secured.expired, trust(secured)),
        "the certificate of Kafka .* has expired",
    ),
    "another host": (
        lambda secured, _: (secured.login.replace("127.0.0.1", "localhost"), login(secured)),
        "the certificate of Kafka .* is for another host",
    ),
    "no certificate": (
        lambda secured, _: (secured.mutual, trust(secured)),
        "refused this client's certificate",
    ),
    "unknown certificate": (
        lambda secured, folder: (
            secured.mutual,
            {**trust(secured), **certificate(trustme.CA(), folder)},
        ),
        "refused this client's certificate",
    ),
    "wrong secret": (
        lambda secured, folder: (secured.login, token(secured, folder, "wrong-battery")),
        "token endpoint refused the client",
    ),
    "unusable options": (
        lambda secured, _: (
            secured.limited,
            {
                "kafka_option": (
                    "sasl.mechanism=OAUTHBEARER",
                    "sasl.jaas.config=wrong-battery required;",
                )
            },
        ),
        "does not accept the Kafka options",
    ),
    "consumer's option": (
        lambda secured, _: (secured.plain, {"kafka_option": ("fetch.min.bytes=wrong-battery",)}),
        r"does not accept the Kafka option fetch\.min\.bytes",
    ),
    "invalid option": (
        lambda secured, _: (secured.plain, {"kafka_option": ("client.dns.lookup=wrong-battery",)}),
        r"does not accept the Kafka option client\.dns\.lookup",
    ),
}


def authority_file(folder: Path) -> Path:
    """A file with an authority that nobody knows."""
    trustme.CA().cert_pem.write_to_path(folder / "other.pem")
    return folder / "other.pem"


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_ends_the_start(
    secured: Secured, spark: SparkSession, tmp_path: Path, case: str
) -> None:
    """Each has its own line, without the password and the secret, and the exit code 2."""
    made, expected = REFUSED[case]
    brokers, flags = made(secured, tmp_path)
    refused = source(spark, brokers, "events", flags)
    with pytest.raises(KafkaRefused, match=expected) as refusal:
        refused.look()
    assert refusal.value.exit_code == 2
    shown = "".join(traceback.format_exception(refusal.value))
    assert PASSWORD not in shown
    assert "wrong-battery" not in shown


@pytest.mark.parametrize(("user", "operation"), [("other", "READ"), (USER, "DESCRIBE")])
def test_a_topic_that_it_may_not_read_is_refused(
    secured: Secured, spark: SparkSession, user: str, operation: str
) -> None:
    """Whether or not it may see the topic, the error says what to grant."""
    topic = Topics(secured.plain).create()
    secured.grant(topic, user, operation)
    refused = source(spark, secured.login, topic, login(secured))
    with pytest.raises(KafkaRefused, match=f"may not read topic '{topic}' .* grant it .* READ"):
        refused.look()


def test_an_absence_is_no_refusal(secured: Secured, spark: SparkSession) -> None:
    """A dead broker may come back, and one that speaks TLS may be given more time."""
    dead = f"127.0.0.1:{free_port()}"
    nobody = source(spark, dead, "events", login(secured))
    nobody.request_timeout = 1
    with pytest.raises(BrokerUnavailable, match=f"{dead}: connection refused; check --brokers"):
        nobody.look()
    plain = source(spark, secured.login, "events", {})
    plain.request_timeout = 1
    with pytest.raises(BrokerUnavailable, match=r"does not answer; check that --kafka-tls"):
        plain.look()


def test_a_refusal_while_it_runs_is_waited_out(
    secured: Secured, spark: SparkSession, tmp_path: Path
) -> None:
    """A right that is taken away and given back costs nothing."""
    topics = Topics(secured.plain)
    topic = topics.create()
    topics.produce(topic, encoded(5))
    with running(spark, secured.login, topic, tmp_path, **login(secured)) as stream:
        wait_until(lambda: stream.stream.sink.table.state.rows == 5, "the rows", seconds=DEADLINE)
        secured.grant(topic, "other", "READ")
        with capture_logs() as logs:
            wait_until(
                lambda: any("may not read" in str(each.get("error")) for each in tuple(logs)),
                "the refusal",
                seconds=DEADLINE,
            )
        secured.grant(topic, USER, "READ")
        topics.produce(topic, encoded(5))
        wait_until(lambda: stream.stream.sink.table.state.rows == 10, "the rest", seconds=DEADLINE)
