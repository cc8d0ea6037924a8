"""What the help of all commands has in common."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from typing import Any

import pytest

from events_schema.runtime.command import Command, Verb, options_of, read_settings

PACKAGES = ("events_schema", "events_ingest", "events_stream", "events_analytics", "events_loadgen")
COMMANDS: list[Command] = [import_module(f"{package}.cli").COMMAND for package in PACKAGES]
MOST_FIRST_FLAGS = 8


VERBS = [
    pytest.param(f"{command.program} {name}", verb, id=f"{command.program}-{name}")
    for command in COMMANDS
    for name, verb in command.verbs.items()
]


@pytest.mark.parametrize(("words", "verb"), VERBS)
def test_the_first_group_is_short(words: str, verb: Verb[Any]) -> None:
    """A newcomer sees at most eight flags before the first titled group."""
    first = [option for option in options_of(verb.settings, words) if option.group is None]
    assert len(first) <= MOST_FIRST_FLAGS


@pytest.mark.parametrize(("words", "verb"), VERBS)
def test_every_flag_is_described_and_readable(words: str, verb: Verb[Any]) -> None:
    """Each has a description, a type in words, one default, and its own variable."""
    for option in options_of(verb.settings, words):
        assert option.description, option.field
        assert "default" not in option.description, option.field
        assert option.metavar is None or not re.search(
            r"[\[(]str|int\b|Path|Secret", option.metavar
        )
        if not option.positional:
            prefix = words.split(maxsplit=1)[0].replace("-", "_").upper()
            assert option.variables[0] == f"{prefix}_{option.field.upper()}"


@pytest.mark.parametrize(("words", "verb"), VERBS)
def test_the_example_can_be_used(
    words: str, verb: Verb[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example at the end of the help names the verb and flags that it takes."""
    assert verb.example.startswith(words)
    monkeypatch.delenv("EVENTS_CONTRACT", raising=False)
    arguments = shlex.split(verb.example.removeprefix(words))
    assert isinstance(read_settings(verb.settings, words, arguments), verb.settings)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.program)
def test_the_overview_names_every_verb(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what the command is for, and what each verb does in one line."""
    assert command.run(["--help"]) == 0
    page = capsys.readouterr().out
    assert command.summary in page
    for name, verb in command.verbs.items():
        assert re.search(rf"^  {name} +{re.escape(verb.summary)}$", page, re.MULTILINE)
        assert verb.summary.endswith(".")


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints the command's name and a version."""
    for command in COMMANDS:
        assert command.run(["--version"]) == 0
        assert re.fullmatch(rf"{command.program} \d+\.\d+\.\d+\n", capsys.readouterr().out)
