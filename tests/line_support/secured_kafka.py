"""A Kafka broker that requires TLS and a login."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization

from events_loadgen.processes.broker import LocalBroker
from events_loadgen.processes.ports import free_port

USER = "collector"
PASSWORD = "right-horse-battery"
MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True)
class Secured:
    """A broker with one listener that requires a login, and one that requires a certificate."""

    plain: str
    """The listener for tests, without TLS and login."""
    login: str
    mutual: str
    authority: trustme.CA
    ca_file: Path


def private_key(pem: bytes, encryption: serialization.KeySerializationEncryption) -> bytes:
    """Return the key as PKCS #8, the format that Kafka reads."""
    return serialization.load_pem_private_key(pem, None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


@contextmanager
def secured_kafka(folder: Path) -> Iterator[Secured]:
    """Run a secured broker with its files in `folder`."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate = authority.issue_cert("127.0.0.1")
    key = private_key(certificate.private_key_pem.bytes(), serialization.NoEncryption())
    chain = [each.bytes() for each in certificate.cert_chain_pems]
    keystore = folder / "keystore.pem"
    keystore.write_bytes(b"".join([key, *chain]))

    login, mutual = free_port(), free_port()
    module = "org.apache.kafka.common.security"
    properties = {
        "listener.security.protocol.map": (
            "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL"
        ),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keystore),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(folder / "ca.pem"),
        "listener.name.ssl.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": ",".join(MECHANISMS),
        "listener.name.sasl_ssl.plain.sasl.jaas.config": (
            f'{module}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        ),
    }
    users = []
    for mechanism in MECHANISMS[1:]:
        config = f"listener.name.sasl_ssl.{mechanism.lower()}.sasl.jaas.config"
        properties[config] = f"{module}.scram.ScramLoginModule required;"
        users += ["--add-scram", f"{mechanism}=[name={USER},password={PASSWORD}]"]
    with LocalBroker(
        folder / "broker",
        listeners={"SASL_SSL": login, "SSL": mutual},
        properties=properties,
        format_arguments=users,
    ) as broker:
        yield Secured(
            broker.bootstrap,
            f"127.0.0.1:{login}",
            f"127.0.0.1:{mutual}",
            authority,
            folder / "ca.pem",
        )
