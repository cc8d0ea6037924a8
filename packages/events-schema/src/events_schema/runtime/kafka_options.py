"""Options of Kafka's clients that have no flag, in the names of Kafka's Java client."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_core import PydanticCustomError

from events_schema.runtime.command import Flag
from events_schema.runtime.errors import UsageError

OAUTHBEARER = "OAUTHBEARER"
TOKEN_URL = "sasl.oauthbearer.token.endpoint.url"  # noqa: S105  # a name
CLIENT_ID = "sasl.oauthbearer.client.credentials.client.id"
CLIENT_SECRET = "sasl.oauthbearer.client.credentials.client.secret"  # noqa: S105  # a name
SCOPE = "sasl.oauthbearer.scope"

_OPTION = re.compile(r"(?P<name>[a-z][a-z0-9_.-]*)\s*=\s*(?P<value>.*)")
_EXPECTED = "expected NAME=VALUE, with a name such as sasl.mechanism"
_URL = re.compile(
    r"(https://[^\s,\"'\\/@]+|http://(127\.0\.0\.1|localhost)(:[0-9]+)?)(/[^\s,\"'\\]*)?"
)
_LONGEST_FILE = 1 << 20


def _parse(lines: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the options in `lines`, which are named. Raises `ValueError`, which shows no value."""
    options: dict[str, str] = {}
    for place, line in lines:
        match = _OPTION.fullmatch(line)
        if match is None:
            raise ValueError(f"{place}{_EXPECTED}")
        if not line.isprintable():
            raise ValueError(f"{match['name']} contains a control character; leave it out")
        if line.endswith("\\"):
            raise ValueError(f"{match['name']} ends with a backslash; write it on one line")
        if match["name"] in options:
            raise ValueError(f"{match['name']} is given twice; give it once")
        options[match["name"]] = match["value"]
    return options


def _parse_given(given: Sequence[SecretStr]) -> dict[str, str]:
    texts = [option.get_secret_value().strip() for option in given]
    several = len(texts) > 1
    return _parse((f"option {n}: " if several else "", text) for n, text in enumerate(texts, 1))


def _split(value: object) -> object:
    return tuple(value.strip().split("\n")) if isinstance(value, str) else value


def _check(value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    try:
        _parse_given(value)
    except ValueError as error:
        raise PydanticCustomError("kafka_option", "{text}", {"text": str(error)}) from None
    return value


KafkaOptions = Annotated[
    tuple[SecretStr, ...],
    BeforeValidator(_split),
    AfterValidator(_check),
    Flag("NAME=VALUE", between="\n"),
]
"""Several `NAME=VALUE`: a flag given several times, or one text with one on each line."""


def read_options(given: Sequence[SecretStr], path: Path | None) -> dict[str, str]:
    """Return the options from the flags and from the file `path`.

    The file has one `name=value` on each line, and lines that begin with `#` are comments. Raises
    `UsageError`, which shows no value.
    """
    options = _parse_given(given)
    more = {} if path is None else _read_file(path)
    for name in options.keys() & more.keys():
        raise UsageError(
            f"Kafka option {name} is given by --kafka-option and in --kafka-options-file; "
            f"give it once"
        )
    return options | more


def _read_file(path: Path) -> dict[str, str]:
    flag = "--kafka-options-file"
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST_FILE + 1)
        if len(content) > _LONGEST_FILE:
            raise UsageError(
                f"{flag}: {path} is larger than 1 MiB; give a file of name=value lines"
            )
        lines = enumerate(map(str.strip, content.decode("utf-8-sig").split("\n")), 1)
        return _parse((f"line {n}: ", line) for n, line in lines if line and line[0] != "#")
    except OSError as error:
        reason = error.strerror
    except UnicodeError:
        reason = "it is not UTF-8"
    except ValueError as error:
        raise UsageError(f"{flag}: {path}: {error}") from None
    raise UsageError(f"{flag}: cannot read {path}: {reason}; give a file of name=value lines")


@dataclass(frozen=True)
class ClientCredentials:
    """Who asks for an OAuth token, and where (the client credentials grant of RFC 6749)."""

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str | None = None

    @classmethod
    def of(cls, options: Mapping[str, str]) -> Self | None:
        """Return those in `options`; None if there are none. Raises `UsageError`."""
        if not {CLIENT_ID, CLIENT_SECRET} & options.keys():
            return None
        needed = (TOKEN_URL, CLIENT_ID, CLIENT_SECRET)
        missing = [name for name in needed if not options.get(name)]
        if missing:
            raise UsageError(
                f"Kafka options {', '.join(needed)} go together; give {missing[0]} too"
            )
        check_token_url(options[TOKEN_URL])
        return cls(
            token_url=options[TOKEN_URL],
            client_id=options[CLIENT_ID],
            client_secret=options[CLIENT_SECRET],
            scope=options.get(SCOPE),
        )


def check_token_url(url: str) -> None:
    """Raise `UsageError` unless tokens may be asked for at `url`."""
    if not _URL.fullmatch(url):
        raise UsageError(
            f"Kafka option {TOKEN_URL}: expected an https:// address without a user "
            f"(http:// only on this machine)"
        )
