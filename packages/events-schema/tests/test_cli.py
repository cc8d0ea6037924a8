"""`events-schema`: what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from events_schema.cli import main

KEPT = Path(__file__).parents[3] / "tests" / "kept"


@pytest.mark.parametrize(
    ("output", "kept"), [("avro", "event.avsc"), ("ddl", "tables.sql")]
)  # fmt: skip
def test_the_default_contract_is_printed_as_it_always_was(
    output: str, kept: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Byte for byte what was printed before contracts could be a team's own."""
    assert main([output]) == 0
    assert capsys.readouterr().out == (KEPT / kept).read_text()


def test_the_json_schema_is_what_it_was_but_for_descriptions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every field has a description now, and nothing else is new."""
    assert main(["json-schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert all(field.pop("description") for field in schema["properties"].values())
    assert json.dumps(schema, indent=2) + "\n" == (KEPT / "json_schema.json").read_text()


def test_the_fingerprints_name_the_release_that_is_current(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As on the wire."""
    assert main(["fingerprints"]) == 0
    expected = f"{(KEPT / 'fingerprint.txt').read_text().strip()} Event 1.0.0 (current)\n"
    assert capsys.readouterr().out == expected


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a contract in the current folder."""
    name = f"cli_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(
        "from events_schema import Event, Text\n\n\n"
        'class AcmeEvent(Event):\n    """An event."""\n\n    plan: Text | None = None\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return f"{name}:AcmeEvent"


@pytest.mark.parametrize("output", ["avro", "json-schema", "ddl"])
def test_own_fields_are_in_every_output(
    acme: str, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The flag names the class."""
    assert main([output, "--contract", acme]) == 0
    assert "plan" in capsys.readouterr().out


def test_a_contract_is_checked_released_and_checked_again(
    acme: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 where all fits, 1 where a release is missing."""
    assert main(["fingerprints", "--contract", acme]) == 0
    assert "AcmeEvent, not released (current)" in capsys.readouterr().out
    assert main(["check", "--contract", acme]) == 1
    assert "events-schema release 1.0.0" in capsys.readouterr().out
    assert main(["check", "--contract", acme, "--allow-unreleased"]) == 0
    assert main(["release", "1.0.0", "--contract", acme]) == 0
    assert main(["check", "--contract", acme]) == 0
    released = tmp_path / "released" / "1.0.0.avsc"
    assert main(["check", "--contract", acme, "--against", str(released)]) == 0
    assert main(["fingerprints", "--contract", acme]) == 0
    assert "AcmeEvent 1.0.0 (current)" in capsys.readouterr().out


def test_the_environment_names_the_contract(
    acme: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For all commands alike."""
    monkeypatch.setenv("EVENTS_CONTRACT", acme)
    assert main(["ddl"]) == 0
    assert "plan VARCHAR" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "--contract", "nothing:Event"],
        ["check", "--against", "nothing.avsc"],
        ["release", "1"],
        ["release", "1.0.1"],
    ],
)
def test_a_refusal_is_one_line_and_exit_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr; the stack trace is for --verbose."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("events-schema: ")
    assert captured.err.count("\n") == 1
    assert main([*arguments, "--verbose"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_the_flags_of_the_contract_have_a_group(capsys: pytest.CaptureFixture[str]) -> None:
    """As in the other commands, and with the same variable."""
    assert main(["check", "--help"]) == 0
    page = capsys.readouterr().out
    assert "\ncontract:\n  --contract MODULE:CLASS" in page
    assert "EVENTS_CONTRACT" in page


def test_a_release_without_a_version_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The error names the argument that is missing."""
    assert main(["release"]) == 2
    assert "VERSION is missing" in capsys.readouterr().err
