"""What every command does alike."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode, SettingsConfigDict

from events_schema.runtime.command import CommandSettings, Verb, run_command
from events_schema.runtime.errors import AlreadyLocked, JavaNotFound
from events_schema.runtime.flags import split_commas
from events_schema.runtime.java.find import find_java

Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_commas)]


class GreetSettings(CommandSettings):
    """Greet people."""

    model_config = SettingsConfigDict(env_prefix="EVENTS_TEST_")

    name: Names = Field((), description="whom to greet")
    times: int = Field(1, description="how often", ge=1)


def greet(settings: GreetSettings) -> None:
    """Print a greeting, or fail for somebody."""
    if "locked" in settings.name:
        raise AlreadyLocked("the door is\nlocked; ring")
    if "defect" in settings.name:
        raise ZeroDivisionError("oh")
    print(*settings.name, settings.times)


@pytest.fixture(autouse=True)
def greeter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this module be found by a name that is one: pytest's has the package's hyphen in it."""
    monkeypatch.setitem(sys.modules, "greeter", sys.modules[__name__])


def command(*arguments: str) -> int:
    """Run the test's command."""
    return run_command("events-schema", {"greet": Verb(GreetSettings, "greeter:greet")}, arguments)


def test_flags_come_before_the_environment_and_the_defaults(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A flag wins over a variable of the same name, which wins over the default."""
    monkeypatch.setenv("EVENTS_TEST_NAME", "ann, bob")
    monkeypatch.setenv("EVENTS_TEST_TIMES", "2")
    assert command("greet", "--times", "3") == 0
    assert capsys.readouterr().out == "ann bob 3\n"
    assert command("greet", "--name", "cy", "--name", "dee") == 0
    assert capsys.readouterr().out == "cy dee 2\n"


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (["greet", "--times", "x"], 2, "events-schema: --times: Input should be a valid integer"),
        (["greet", "--times", "0"], 2, "events-schema: --times: "),
        (["dance"], 2, "events-schema: unknown command 'dance'; expected greet"),
        (["greet", "--name", "locked"], 3, "events-schema: the door is locked; ring"),
        (["greet", "--name", "defect"], 70, "events-schema: unexpected ZeroDivisionError: oh"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    arguments: list[str], exit_code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No stack trace, also for a defect of ours."""
    assert command(*arguments) == exit_code
    error = capsys.readouterr().err
    assert error.startswith(said)
    assert error.count("\n") == 1


def test_verbose_shows_the_stack_trace(capsys: pytest.CaptureFixture[str]) -> None:
    """For those who look for the place."""
    assert command("greet", "--name", "defect", "--verbose") == 70
    assert "Traceback" in capsys.readouterr().err


def test_an_unknown_flag_is_a_usage_error() -> None:
    """Exit code 2, as for every usage error."""
    with pytest.raises(SystemExit) as ended:
        command("greet", "--nope")
    assert ended.value.code == 2


def test_help_names_the_verbs_and_flags(capsys: pytest.CaptureFixture[str]) -> None:
    """The overview has a line for each verb, a verb's help one for each flag."""
    assert command("--help") == 0
    assert "greet  Greet people." in capsys.readouterr().out
    with pytest.raises(SystemExit):
        command("greet", "--help")
    assert "--times" in capsys.readouterr().out


def _fake_java(folder: Path, version_line: str) -> None:
    java = folder / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\necho '{version_line}' >&2\n")
    java.chmod(java.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize("line", ['openjdk version "1.8.0_402"', 'openjdk version "11.0.2"', "?"])
def test_a_java_that_spark_does_not_run_on_is_refused(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says what was found and what is expected."""
    _fake_java(tmp_path, line)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(JavaNotFound, match="install Java 17 or 21"):
        find_java()


def test_no_java_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither JAVA_HOME nor PATH has one."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(JavaNotFound, match="no java on the PATH"):
        find_java()


def test_java_21_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JAVA_HOME comes before the PATH."""
    _fake_java(tmp_path, 'openjdk version "21.0.1" 2023-10-17')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert find_java() == tmp_path / "bin" / "java"
