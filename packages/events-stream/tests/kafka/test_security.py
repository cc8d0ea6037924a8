"""The stream with a Kafka that requires TLS and SASL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from events_schema.runtime.errors import UsageError
from events_stream.kafka.security import client_security
from events_stream.settings import RunSettings
from line_support.secured_kafka import MECHANISMS, PASSWORD, USER, Secured
from line_support.topics import Topics
from stream_support.envelopes import encoded
from stream_support.secured_stream import (
    LOGIN,
    allow_tokens,
    certificate,
    login,
    source,
    token,
    trust,
)
from stream_support.streaming import store

pytestmark = pytest.mark.extended


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_it_logs_in_by_tls(
    secured: Secured, spark: SparkSession, tmp_path: Path, mechanism: str
) -> None:
    """Its admin client, Spark's planning and its tasks all log in, with every mechanism."""
    topics = Topics(secured.plain)
    topic = topics.create()
    topics.produce(topic, encoded(5))
    flags = login(secured, sasl_mechanism=mechanism)
    assert store(spark, secured.login, topic, tmp_path, **flags).rows == 5


def test_it_shows_its_certificate(secured: Secured, spark: SparkSession, tmp_path: Path) -> None:
    """With a certificate from Kafka's authority, it does not need SASL."""
    topics = Topics(secured.plain)
    topic = topics.create()
    topics.produce(topic, encoded(5))
    flags = {**trust(secured), **certificate(secured.authority, tmp_path)}
    assert store(spark, secured.mutual, topic, tmp_path, **flags).rows == 5


def test_it_logs_in_with_a_token(secured: Secured, spark: SparkSession, tmp_path: Path) -> None:
    """With the options for OAuth in a file, all of its clients log in with tokens."""
    topics = Topics(secured.plain)
    topic = topics.create()
    topics.produce(topic, encoded(5))
    flags = token(secured, tmp_path)
    allow_tokens(spark, RunSettings(**flags))
    assert store(spark, secured.login, topic, tmp_path, **flags).rows == 5


def test_the_password_does_not_show(
    secured: Secured, spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The source's repr, a query's plan and its failure do not contain the password."""
    topic = Topics(secured.plain).create()
    logged_in = source(spark, secured.login, topic, login(secured))
    stream = logged_in.read_stream({0: 0, 1: 0}).select(F.raise_error(F.lit("on purpose")))
    Topics(secured.plain).produce(topic, encoded(1))
    query = stream.writeStream.format("noop").option("checkpointLocation", str(tmp_path)).start()
    with pytest.raises(StreamingQueryException) as failure:
        query.processAllAvailable()
    query.explain(extended=True)
    shown = capsys.readouterr().out
    assert "Scan" in shown
    assert PASSWORD not in repr(logged_in) + shown + str(failure.value)


@pytest.mark.core
def test_a_key_that_java_cannot_read_is_refused(tmp_path: Path) -> None:
    """The error says how to convert the key."""
    flags = {"kafka_tls": True, **certificate(trustme.CA(), tmp_path)}
    key = serialization.load_pem_private_key(flags["kafka_key_file"].read_bytes(), None)
    old = serialization.PrivateFormat.TraditionalOpenSSL
    none = serialization.NoEncryption()
    flags["kafka_key_file"] = tmp_path / "key.pem"
    flags["kafka_key_file"].write_bytes(key.private_bytes(serialization.Encoding.PEM, old, none))
    with pytest.raises(UsageError, match="openssl pkcs8 -topk8 -nocrypt"):
        client_security(RunSettings(**flags))


PASSWORDS = [
    'quo"te',
    "back\\slash",
    "end\\",
    '\\"',
    "\\n",
    "semi;colon",
    "two words",
    " ",
    "ünïcode €😀",
]


@pytest.mark.parametrize("password", PASSWORDS)
def test_java_reads_any_printable_password_back(spark: SparkSession, password: str) -> None:
    """Kafka's client reads back the given user and password, whatever characters they have."""
    config = client_security(RunSettings(**LOGIN, sasl_password=password))
    jvm: Any = spark._jvm
    text = jvm.org.apache.kafka.common.config.types.Password(config["sasl.jaas.config"])
    options = jvm.java.util.HashMap()
    options.put("sasl.jaas.config", text)
    context = jvm.org.apache.kafka.common.security.JaasContext.loadClientContext(options)
    (entry,) = context.configurationEntries()
    assert dict(entry.getOptions()) == {"username": USER, "password": password}


@pytest.mark.core
@pytest.mark.parametrize("password", ["tab\tbed", "two\nlines", "nul\0", "es\x1bcape"])
def test_a_control_character_in_a_password_is_refused(password: str) -> None:
    """The error names the control character's flag, and does not show the password."""
    with pytest.raises(UsageError, match="contains a control character") as refused:
        client_security(RunSettings(**LOGIN, sasl_password=password))
    assert password not in str(refused.value)


@pytest.mark.core
def test_a_plain_kafka_needs_nothing() -> None:
    """Without flags for TLS and SASL, the client keeps its defaults."""
    assert client_security(RunSettings()) == {}


@pytest.mark.core
@pytest.mark.parametrize(
    "name", ["group.id", "key.deserializer", "enable.auto.commit", "isolation.level"]
)
def test_what_the_stream_sets_is_refused(name: str) -> None:
    """An option on which the stored records depend is one line that names it, not its value."""
    with pytest.raises(UsageError, match=f"Kafka option {name} is set by the stream") as refused:
        client_security(RunSettings(kafka_option=(f"{name}=secret-value",)))
    assert "secret-value" not in str(refused.value)


@pytest.mark.core
def test_other_options_reach_kafkas_client() -> None:
    """Whatever else is given is passed on, with the protocol that the mechanism needs."""
    options = ("sasl.mechanism=AWS_MSK_IAM", "sasl.jaas.config=IAMLoginModule required;")
    assert client_security(RunSettings(kafka_tls=True, kafka_option=options)) == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "AWS_MSK_IAM",
        "sasl.jaas.config": "IAMLoginModule required;",
    }


CLIENT = "sasl.oauthbearer.client.credentials.client"
CREDENTIALS = (
    "sasl.oauthbearer.token.endpoint.url=https://login.example",
    f"{CLIENT}.id=me",
    f"{CLIENT}.secret=secret",
)


@pytest.mark.core
def test_a_token_needs_the_oauth_mechanism() -> None:
    """Credentials for tokens with another login would have no effect, and are refused."""
    options = ("sasl.mechanism=GSSAPI", *CREDENTIALS)
    with pytest.raises(UsageError, match=r"needs sasl\.mechanism=OAUTHBEARER"):
        client_security(RunSettings(kafka_option=options))


@pytest.mark.core
def test_a_token_is_not_waited_for_without_end() -> None:
    """Kafka's client waits 5 seconds for a token endpoint, unless an option says otherwise."""
    options = ("sasl.mechanism=OAUTHBEARER", *CREDENTIALS, "sasl.login.read.timeout.ms=9")
    config = client_security(RunSettings(kafka_option=options))
    assert config["sasl.login.connect.timeout.ms"] == "5000"
    assert config["sasl.login.read.timeout.ms"] == "9"
