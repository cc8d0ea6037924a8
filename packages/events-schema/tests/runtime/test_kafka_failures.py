"""What the errors of Kafka's clients mean."""

from __future__ import annotations

import socket

import pytest

from events_loadgen.processes.ports import free_port
from events_schema.runtime.kafka_failures import find_refusal, unanswered

CASES = {
    "has expired": [
        "Caused by: java.security.cert.CertificateExpiredException: NotAfter: Sat Nov 28 2026",
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired",
    ],
    "for another host": [
        "javax.net.ssl.SSLHandshakeException: No name matching localhost found",
        "No subject alternative names matching IP address 127.0.0.1 found",
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: Hostname mismatch",
    ],
    "not signed by a known authority": [
        "PKIX path building failed: unable to find valid certification path to requested target",
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer",
    ],
    "refused this client's certificate": [
        "javax.net.ssl.SSLHandshakeException: Received fatal alert: bad_certificate",
        "javax.net.ssl.SSLHandshakeException: Received fatal alert: certificate_unknown",
        "[SSL: SSLV3_ALERT_CERTIFICATE_UNKNOWN] sslv3 alert certificate unknown",
        "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required",
    ],
    "does not offer this login": [
        "UnsupportedSaslMechanismException: Client SASL mechanism 'SCRAM-SHA-512' not enabled",
        "[Error 33] UnsupportedSaslMechanismError",
    ],
    "token endpoint refused the client": [
        "The response code 401 and error response {x} was encountered reading the token endpoint",
        "response code 403 and error response <html>\n</html> was encountered",
        "the token endpoint answered 400",
        "the token endpoint answered 302",
    ],
    "refused the login": [
        "org.apache.kafka.common.errors.SaslAuthenticationException: Authentication failed",
        "[Error 58] SaslAuthenticationFailed: Authentication failed",
    ],
    "may not write topic 'events'": ["[Error 29] TopicAuthorizationFailedError"],
}


@pytest.mark.parametrize(
    ("said", "meant"), [(said, meant) for meant, texts in CASES.items() for said in texts]
)
def test_a_refusal_is_told_from_others(said: str, meant: str) -> None:
    """What Java's or Python's client says becomes one line with what to do."""
    error = find_refusal(said, brokers="kafka:9092", topic="events", verb="write")
    assert meant in str(error)
    assert "; " in str(error)
    assert error is not None
    assert error.exit_code == 2


@pytest.mark.parametrize(
    "said",
    [
        "org.apache.kafka.common.errors.TimeoutException: Timed out waiting for a node",
        "the token endpoint answered 429",
    ],
)
def test_a_timeout_is_no_refusal(said: str) -> None:
    """Kafka, or the token endpoint, may answer later."""
    assert find_refusal(said, brokers="kafka:9092", topic="events", verb="read") is None


def test_a_dead_broker_is_told_from_a_silent_one() -> None:
    """The text says why no connection can be made, or that one can be but is not answered."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        brokers = f"127.0.0.1:{listening.getsockname()[1]}"
        assert "check that --kafka-tls and" in unanswered(brokers)
        one_is_dead = unanswered(f"127.0.0.1:{free_port()},{brokers}")
        assert one_is_dead.startswith(f"Kafka at {brokers} accepts connections")
    assert f"cannot connect to Kafka at {brokers}: connection refused" in unanswered(brokers)
