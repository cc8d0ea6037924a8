"""A Kafka broker that requires TLS and a login."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest
from cryptography.hazmat.primitives import serialization

from events_loadgen.processes.broker import LocalBroker
from events_loadgen.processes.ports import free_port
from line_support.token_endpoint import (
    CLIENT_ID,
    CLIENT_SECRET,
    SCOPE,
    TokenEndpoint,
    token_endpoint,
)

USER = "collector"
PASSWORD = "right-horse-battery"
MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

_TOPIC, _LITERAL, _ALLOW = 2, 3, 3
_OPERATIONS = {"READ": 3, "WRITE": 4, "DESCRIBE": 8}
"""Kafka's numbers for access rules."""


@dataclass(frozen=True)
class Secured:
    """A broker with a listener for each kind of security.

    Users may use every topic until `grant` names one; then only those with a grant may.
    """

    plain: str
    """The listener for tests, without TLS and login, whose user may do everything."""
    login: str
    mutual: str
    expired: str
    """A listener with TLS and an expired certificate."""
    limited: str
    """A listener that offers only PLAIN, without TLS."""
    authority: trustme.CA
    ca_file: Path
    tokens: TokenEndpoint

    def grant(self, topic: str, user: str, operation: str) -> None:
        """Allow `user` an operation on `topic`, and what nobody granted to nobody."""
        wanted = CreateAclsRequest(
            _TOPIC, topic, _LITERAL, f"User:{user}", "*", _OPERATIONS[operation], _ALLOW
        )
        asyncio.run(self._send(wanted))

    async def _send(self, request: CreateAclsRequest) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.plain)
        await admin.start()
        try:
            response = await admin._send_request(request)
            assert response.creation_responses[0][0] == 0, response
        finally:
            await admin.close()


def private_key(pem: bytes, encryption: serialization.KeySerializationEncryption) -> bytes:
    """Return the key as PKCS #8, the format that Kafka reads."""
    return serialization.load_pem_private_key(pem, None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


def keystore(file: Path, authority: trustme.CA, *, expired: bool = False) -> Path:
    """Write a certificate for this machine and its key to `file`, which Kafka can read."""
    now = datetime.now(UTC)
    end = now - timedelta(days=1) if expired else None
    begin = now - timedelta(days=9)
    certificate = authority.issue_cert("127.0.0.1", not_before=begin, not_after=end)
    key = private_key(certificate.private_key_pem.bytes(), serialization.NoEncryption())
    file.write_bytes(b"".join([key, *(each.bytes() for each in certificate.cert_chain_pems)]))
    return file


@contextmanager
def secured_kafka(folder: Path) -> Iterator[Secured]:
    """Run a secured broker with its files in `folder`."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    ports = {name: free_port() for name in ("SASL_SSL", "SSL", "EXPIRED", "LIMITED")}
    with (
        token_endpoint(folder) as tokens,
        LocalBroker(
            folder / "broker",
            listeners=ports,
            properties={
                **_tls_properties(folder, authority),
                **_login_properties(tokens),
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users": "User:ANONYMOUS",
                "allow.everyone.if.no.acl.found": "true",
            },
            format_arguments=[
                word
                for mechanism in MECHANISMS[1:]
                for word in ("--add-scram", f"{mechanism}=[name={USER},password={PASSWORD}]")
            ],
            java_options=[
                f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={tokens.keys.as_uri()}"
            ],
        ) as broker,
    ):
        addresses = {name.lower(): f"127.0.0.1:{port}" for name, port in ports.items()}
        yield Secured(
            plain=broker.bootstrap,
            login=addresses["sasl_ssl"],
            mutual=addresses["ssl"],
            expired=addresses["expired"],
            limited=addresses["limited"],
            authority=authority,
            ca_file=folder / "ca.pem",
            tokens=tokens,
        )


def _tls_properties(folder: Path, authority: trustme.CA) -> dict[str, str]:
    valid = keystore(folder / "keystore.pem", authority)
    expired = keystore(folder / "expired.pem", authority, expired=True)
    return {
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,"
        "SASL_SSL:SASL_SSL,SSL:SSL,EXPIRED:SSL,LIMITED:SASL_PLAINTEXT",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(valid),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(folder / "ca.pem"),
        "listener.name.ssl.ssl.client.auth": "required",
        "listener.name.expired.ssl.keystore.location": str(expired),
    }


def _login_properties(tokens: TokenEndpoint) -> dict[str, str]:
    module, listener = "org.apache.kafka.common.security", "listener.name.sasl_ssl"
    oauth = f"{module}.oauthbearer.OAuthBearer"
    logins = {
        "plain": f'{module}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
        "scram-sha-256": f"{module}.scram.ScramLoginModule required;",
        "scram-sha-512": f"{module}.scram.ScramLoginModule required;",
        "oauthbearer": f"{oauth}LoginModule required;",
    }
    return {
        "sasl.enabled.mechanisms": ",".join(each.upper() for each in logins),
        **{f"{listener}.{name}.sasl.jaas.config": config for name, config in logins.items()},
        "listener.name.limited.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.limited.plain.sasl.jaas.config": logins["plain"],
        f"{listener}.oauthbearer.sasl.server.callback.handler.class": f"{oauth}Validator"
        "CallbackHandler",
        f"{listener}.oauthbearer.sasl.oauthbearer.jwks.endpoint.url": tokens.keys.as_uri(),
    }


def oauth(tokens: TokenEndpoint, secret: str = CLIENT_SECRET) -> str:
    """Return the content of a file of Kafka's options that logs in with a token."""
    client = "sasl.oauthbearer.client.credentials.client"
    return f"""
# how to log in
sasl.mechanism=OAUTHBEARER
sasl.oauthbearer.token.endpoint.url={tokens.url}
sasl.oauthbearer.scope={SCOPE}
{client}.id={CLIENT_ID}
{client}.secret={secret}
"""


def own_certificate(authority: trustme.CA, folder: Path) -> list[str]:
    """Write a client's certificate of `authority` to `folder`; return the flags that show it."""
    file = keystore(folder / "own.pem", authority)
    return ["--kafka-certificate-file", str(file), "--kafka-key-file", str(file)]
