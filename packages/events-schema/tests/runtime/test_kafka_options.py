"""Kafka's options without a flag: from flags, a variable and a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from events_schema.runtime.brokers import KafkaSettings
from events_schema.runtime.command import read_settings
from events_schema.runtime.errors import UsageError
from events_schema.runtime.kafka_options import ClientCredentials

SECRET = "right-horse-battery"
ENDPOINT = "sasl.oauthbearer.token.endpoint.url"
CREDENTIALS = "sasl.oauthbearer.client.credentials.client"
LOGIN = ("--sasl-mechanism", "PLAIN", "--sasl-username", "ann", "--sasl-password", SECRET)


def settings(*arguments: str) -> KafkaSettings:
    """The settings that these flags make."""
    return read_settings(KafkaSettings, "pipe", arguments)


def flags(*options: str) -> list[str]:
    """The flags for these options."""
    return [word for option in options for word in ("--kafka-option", option)]


def test_options_come_from_flags_and_a_file(tmp_path: Path) -> None:
    """Each flag is one option, and the file has one on each line; spaces do not matter."""
    file = tmp_path / "options"
    file.write_text(
        "# a comment\n\nsasl.mechanism = AWS_MSK_IAM\r\n  client.dns.lookup=a=b,c.d=e \n"
    )
    given = settings(*flags("client.id=x,y.z=1", "client.rack="), "--kafka-options-file", str(file))
    assert given.options() == {
        "client.id": "x,y.z=1",
        "client.rack": "",
        "sasl.mechanism": "AWS_MSK_IAM",
        "client.dns.lookup": "a=b,c.d=e",
    }
    assert given.security_protocol == "SASL_PLAINTEXT"


def test_a_variable_has_an_option_on_each_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment variable of the repeatable flag takes the file's form."""
    monkeypatch.setenv("PIPE_KAFKA_OPTION", "client.id=x\nclient.rack=y\n")
    assert settings().options() == {"client.id": "x", "client.rack": "y"}


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        (SECRET, "expected NAME=VALUE"),
        (f"={SECRET}", "expected NAME=VALUE"),
        ("", "expected NAME=VALUE"),
        (f"sasl mechanism={SECRET}", "expected NAME=VALUE"),
        (f"Sasl.Mechanism={SECRET}", "expected NAME=VALUE"),
        (f"client.id=\x1b{SECRET}", "client.id contains a control character"),
        (f"client.id=a\v{SECRET}", "client.id contains a control character"),
        (f"client.id={SECRET}\\", "client.id ends with a backslash"),
        (f"client.id=x\nclient.id={SECRET}", "client.id is given twice"),
    ],
)
def test_a_malformed_option_is_refused(option: str, expected: str, tmp_path: Path) -> None:
    """The error names the flag or file and what was expected, and does not show the value."""
    with pytest.raises(UsageError, match=rf"^--kafka-option: {expected}") as refused:
        settings(*flags(option))
    assert SECRET not in str(refused.value)
    if option:
        file = tmp_path / "options"
        file.write_text(option)
        with pytest.raises(UsageError, match=f"^--kafka-options-file: .*{expected}") as refused:
            settings("--kafka-options-file", str(file)).options()
        assert SECRET not in str(refused.value)


def test_a_malformed_line_is_named_by_its_number(tmp_path: Path) -> None:
    """Comments, empty lines and the mark with which some editors begin a file are counted over."""
    file = tmp_path / "options"
    file.write_text(f"\ufeff# a comment\n\nclient.id=x\n{SECRET}")
    with pytest.raises(UsageError, match=f"{file}: line 4: expected NAME=VALUE"):
        settings("--kafka-options-file", str(file)).options()


def test_the_second_flag_may_be_the_malformed_one() -> None:
    """An option without a value is not taken for a part of the one before it."""
    with pytest.raises(UsageError, match=r"^--kafka-option: option 2: expected NAME=VALUE"):
        settings(*flags("client.id=x", SECRET))


@pytest.mark.parametrize("content", [None, b"client.id=\xff", b"x" * (1 << 20) + b"x"])
def test_a_file_that_cannot_be_used_is_refused(content: bytes | None, tmp_path: Path) -> None:
    """A file that is missing, not UTF-8 or too large is one line with its name."""
    file = tmp_path / "options"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=rf"--kafka-options-file: .*{file}.*; give a file of"):
        settings("--kafka-options-file", str(file)).options()


@pytest.mark.parametrize(
    ("words", "option", "flag"),
    [
        ((), "bootstrap.servers=x", "--brokers"),
        ((), "security.protocol=SSL", "--kafka-tls"),
        ((), "sasl.mechanism=SCRAM-SHA-512", "--sasl-mechanism"),
        ((), "sasl.mechanism=", "--sasl-mechanism"),
        (LOGIN, "sasl.mechanism=OAUTHBEARER", "--sasl-mechanism"),
        (LOGIN, f"sasl.jaas.config={SECRET}", "--sasl-username"),
        (("--kafka-tls", "--kafka-ca-file", "x"), "ssl.truststore.location=x", "--kafka-ca-file"),
        ((), "ssl.truststore.location=x", "--kafka-tls"),
        ((), f"sasl.jaas.config={SECRET}", "sasl.mechanism"),
    ],
)
def test_an_option_that_contradicts_the_flags_is_refused(
    words: tuple[str, ...], option: str, flag: str
) -> None:
    """What a flag sets, and what has no effect without one, is an error that names the flag."""
    name, _, _ = option.partition("=")
    with pytest.raises(UsageError, match=rf"^Kafka option {name} .*{flag}") as no:
        settings(*words, *flags(option)).options()
    assert SECRET not in str(no.value)


def test_an_option_given_twice_is_refused(tmp_path: Path) -> None:
    """The same option in a flag and the file is an error, whatever the values are."""
    file = tmp_path / "options"
    file.write_text("client.id=x")
    with pytest.raises(UsageError, match=r"client\.id is given by --kafka-option and in"):
        settings(*flags("client.id=x"), "--kafka-options-file", str(file)).options()


def test_secrets_are_read_once(tmp_path: Path) -> None:
    """They may come from a pipe, and all clients of Kafka must use the same."""
    options, password = tmp_path / "options", tmp_path / "password"
    options.write_text("client.id=x")
    password.write_text(SECRET)
    given = settings(
        *("--kafka-options-file", str(options), *LOGIN[:-2], "--sasl-password-file", str(password))
    )
    first = given.options(), given.password()
    options.write_text("")
    password.write_text("")
    assert (given.options(), given.password()) == first == ({"client.id": "x"}, SECRET)


def test_values_do_not_show() -> None:
    """The settings and the credentials hide the values of options in all their texts."""
    given = settings(*flags(f"client.id={SECRET}"))
    credentials = ClientCredentials("https://login.example", "me", SECRET)
    assert SECRET not in repr(given) + str(given) + given.model_dump_json() + repr(credentials)


def test_client_credentials_are_read() -> None:
    """The endpoint, the client and its secret make credentials; without them there are none."""
    options = {
        ENDPOINT: "https://login.example/token",
        f"{CREDENTIALS}.id": "me",
        f"{CREDENTIALS}.secret": SECRET,
    }
    assert ClientCredentials.of(options) == ClientCredentials(
        "https://login.example/token", "me", SECRET
    )
    assert ClientCredentials.of({"client.id": "x"}) is None


@pytest.mark.parametrize("missing", [ENDPOINT, f"{CREDENTIALS}.id", f"{CREDENTIALS}.secret"])
def test_half_of_the_credentials_is_refused(missing: str) -> None:
    """The error names what is missing."""
    options = dict.fromkeys([ENDPOINT, f"{CREDENTIALS}.id", f"{CREDENTIALS}.secret"], SECRET)
    del options[missing]
    with pytest.raises(UsageError, match=f"give {missing} too"):
        ClientCredentials.of(options)


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example/token",
        "file:///etc/passwd",
        "login.example",
        "https://a b",
        "https://a:b@c",
    ],
)
def test_a_token_is_asked_for_by_tls_only(url: str) -> None:
    """A secret is never sent in the clear over a network."""
    options = {ENDPOINT: url, f"{CREDENTIALS}.id": "me", f"{CREDENTIALS}.secret": SECRET}
    with pytest.raises(UsageError, match="expected an https:// address"):
        ClientCredentials.of(options)
