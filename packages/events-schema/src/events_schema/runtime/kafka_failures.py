"""What went wrong between Kafka and its clients, in the same words for every command."""

from __future__ import annotations

import re
import socket

from events_schema.runtime.errors import KafkaRefused

_REFUSALS = {
    r"Certificate(Expired|NotYetValid)|certificate (has expired|is not yet valid)": (
        "the certificate of Kafka at {brokers} has expired, or is not valid yet; renew it, and "
        "check this machine's clock"
    ),
    r"No subject alternative|No name matching|Hostname mismatch|IP address mismatch": (
        "the certificate of Kafka at {brokers} is for another host; give --brokers the name that "
        "the certificate has"
    ),
    r"PKIX path|CERTIFICATE_VERIFY_FAILED": (
        "the certificate of Kafka at {brokers} is not signed by a known authority; give its "
        "authority with --kafka-ca-file"
    ),
    r"(?i)alert:?[ _]((bad|unsupported)[ _]certificate|certificate[ _]\w|unknown[ _]ca)": (
        "Kafka at {brokers} refused this client's certificate: none was given, or it has expired, "
        "or Kafka does not know its authority; give another with --kafka-certificate-file"
    ),
    r"UnsupportedSaslMechanism|IllegalSaslState": (
        "Kafka at {brokers} does not offer this login; give a --sasl-mechanism that it offers, or "
        "none if it needs none"
    ),
    r"response code [34]\d\d and error response|token endpoint answered [34](?!08|29)\d\d": (
        "the token endpoint refused the client; check its address, id, secret and scope in the "
        "Kafka options sasl.oauthbearer"
    ),
    r"SaslAuthentication(Exception|Failed)": (
        "Kafka at {brokers} refused the login: unknown user or wrong password; check "
        "--sasl-username and --sasl-password-file, or the Kafka options of the login"
    ),
}
"""Texts in the errors of Kafka's Java client and of aiokafka, and what they mean."""

NO_TOKEN = (
    "the token endpoint does not answer with a token; check the "  # noqa: S105  # a message
    "Kafka option sasl.oauthbearer.token.endpoint.url, that the endpoint runs, and that this "
    "machine trusts its certificate"
)


def find_refusal(said: str, *, brokers: str, topic: str, verb: str) -> KafkaRefused | None:
    """Return the error for what a client said, with its causes, that waiting does not cure.

    `verb` is what the command does with the topic: "read" or "write". None means that Kafka may
    answer later.
    """
    if "TopicAuthorization" in said:
        return access_denied(verb, topic, brokers)
    texts = (text for pattern, text in _REFUSALS.items() if re.search(pattern, said))
    return next((KafkaRefused(text.format(brokers=brokers)) for text in texts), None)


def access_denied(verb: str, topic: str, brokers: str) -> KafkaRefused:
    """Return the error for a user who may not "read" or "write" the topic."""
    return KafkaRefused(
        f"this user may not {verb} topic {topic!r} at {brokers}; grant it the operations "
        f"DESCRIBE, DESCRIBE_CONFIGS and {verb.upper()} on the topic"
    )


def unanswered(brokers: str, seconds: float = 1) -> str:
    """Return the text for a Kafka that does not answer, after a look at who listens there."""
    reasons = {each: _listens(each, seconds) for each in brokers.split(",")}
    listening = [each for each, reason in reasons.items() if reason is None]
    if listening:
        return (
            f"Kafka at {','.join(listening)} accepts connections but does not answer; check that "
            f"--kafka-tls and --sasl-mechanism fit this port, and that the brokers' "
            f"advertised.listeners can be reached"
        )
    found = ", ".join(sorted(set(filter(None, reasons.values()))))
    return f"cannot connect to Kafka at {brokers}: {found}; check --brokers and that Kafka runs"


def _listens(broker: str, seconds: float) -> str | None:
    """Return why no connection to `broker` can be made; None if one can."""
    host, _, port = broker.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), seconds).close()
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None
