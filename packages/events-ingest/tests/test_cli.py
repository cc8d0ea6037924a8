from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from events_ingest import ServeSettings
from events_ingest.cli import main
from events_schema.runtime.command import read_settings
from events_schema.runtime.errors import UsageError


def test_without_a_key_it_does_not_start(capsys: pytest.CaptureFixture[str]) -> None:
    """With neither a key nor `--allow-anonymous` the command ends with 2 and says why."""
    assert main(["serve"]) == 2
    assert "--allow-anonymous" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags",
    [
        ["--token", "a", "--allow-anonymous"],
        ["--token", "a", "--port", "65536"],
        ["--token", "a", "--brokers", "host:port"],
        ["--token", "a", "--brokers", "a:1,,b:2"],
        ["--token", "a", "--topic", "no spaces"],
        ["--token", "a", "--min-insync-replicas", "2"],
        ["--token", "a", "--ack-timeout", "0"],
        ["--token-file", "/nonexistent/keys"],
        ["--public-key", "page"],
        ["--public-key", "page shop.example"],
        ["--public-key", "page https://shop.example/path"],
        ["--public-key", os.fsdecode(b"page https://shop\xff")],
        ["--public-key-file", "/nonexistent/keys"],
        ["--token", "same", "--public-key", "same https://shop.example"],
        ["--token", "a", "--workers", "0"],
        ["--token", "a", "--max-batch-events", "0"],
        ["--token", "a", "--access-log", "2"],
        ["--token", "a", "--contract", "no contract"],
        ["--token", "a", "--contract", "events_schema:Text"],
        ["--token", "a", "--contract", "ingest_support.contracts:ShopEvent"],
    ],
)
def test_unusable_flags_are_refused_in_one_line(
    flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A flag that cannot be used ends the command with 2 and one line."""
    assert main(["serve", *flags]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_key_may_be_any_bytes() -> None:
    """A key that is not UTF-8 is used byte for byte, as one from a file."""
    flags = ["--token", os.fsdecode(b"k\xff")]
    settings = read_settings(ServeSettings, "events-ingest serve", flags)
    assert settings.service_keys() == (b"k\xff",)


def test_a_port_in_use_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A port that another process listens on ends the command with 3 and names it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["serve", "--allow-anonymous", "--port", str(port)]) == 3
    error = capsys.readouterr().err
    assert str(port) in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_contract_that_cannot_be_loaded_is_refused_before_it_listens(
    workers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command ends with 2 and one line, although its port is taken, too."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        flags = ["--allow-anonymous", "--port", port, "--workers", workers]
        assert main(["serve", *flags, "--contract", "nowhere:Event"]) == 2
    error = capsys.readouterr().err
    assert "module nowhere not found" in error
    assert error.count("\n") == 1


def test_the_contract_s_flags_have_a_group_of_their_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`--help` lists `--contract` and `--allow-unreleased` under "contract"."""
    assert main(["serve", "--help"]) == 0
    group = capsys.readouterr().out.partition("\ncontract:\n")[2].partition("\n\n")[0]
    assert "--contract" in group
    assert "--allow-unreleased" in group
    assert "--brokers" not in group


def test_help_names_every_flag() -> None:
    """`python -m events_ingest serve --help` lists the flags."""
    command = [sys.executable, "-m", "events_ingest", "serve", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    for flag in ServeSettings.model_fields:
        assert "--" + flag.replace("_", "-") in shown


def test_keys_come_from_flags_environment_and_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys may be given as values, with commas between them, and as the lines of a file."""
    file = tmp_path / "keys"
    file.write_bytes(b"\n one \r\n\nzw\xc3\xb6lf\n")
    monkeypatch.setenv("EVENTS_INGEST_TOKEN", "two, three")
    monkeypatch.setenv("EVENTS_INGEST_TOKEN_FILE", str(file))

    settings = read_settings(ServeSettings, "events-ingest serve")
    assert settings.service_keys() == (b"two", b"three", b"one", "zwölf".encode())


def test_a_kubernetes_service_of_the_same_name_does_not_set_the_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What Kubernetes injects for a Service `events-ingest` is not taken for a setting."""
    monkeypatch.setenv("EVENTS_INGEST_PORT", "tcp://10.96.0.11:80")
    monkeypatch.setenv("EVENTS_INGEST_METRICS_PORT", "tcp://10.96.0.12:9000")
    settings = read_settings(ServeSettings, "events-ingest serve", ["--allow-anonymous"])
    assert (settings.port, settings.metrics_port) == (8000, None)


def test_a_file_without_keys_is_refused(tmp_path: Path) -> None:
    """A key file that holds nothing is a usage error, not an open door."""
    file = tmp_path / "keys"
    file.write_text("\n \n")
    with pytest.raises(UsageError, match="is empty"):
        ServeSettings(token_file=file).service_keys()


def test_keys_are_not_shown() -> None:
    """No text of the settings holds a key."""
    settings = ServeSettings(token="opensesame")

    assert "opensesame" not in f"{settings!r} {settings} {settings.model_dump()}"


@pytest.mark.parametrize(
    ("replication", "given", "required"), [(1, None, 1), (2, None, 1), (3, None, 2), (5, 4, 4)]
)
def test_min_insync_replicas_follows_replication(
    replication: int, given: int | None, required: int
) -> None:
    """From three replicas on, two must have an event, unless set otherwise."""
    settings = ServeSettings(replication=replication, min_insync_replicas=given)

    assert settings.required_replicas == required


def test_settings_do_not_change() -> None:
    """Settings are frozen once they are built."""
    with pytest.raises(ValidationError):
        ServeSettings().port = 1  # type: ignore[misc]
