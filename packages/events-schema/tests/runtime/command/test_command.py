"""What every command does alike: help, errors and exit codes."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated, ClassVar

import pytest
from pydantic import BeforeValidator, Field, SecretStr

from events_schema.runtime.command import Command, CommandSettings, Flag, Verb
from events_schema.runtime.command.parsing import help_page
from events_schema.runtime.errors import AlreadyLocked
from events_schema.runtime.flags import split_commas

Names = Annotated[tuple[str, ...], BeforeValidator(split_commas), Flag("NAME")]


class ToneSettings(CommandSettings):
    """How a greeting sounds."""

    flag_group: ClassVar[str | None] = "tone"

    loud: bool = Field(default=False, description="greet in capitals, 100% of them")
    password: SecretStr | None = Field(default=None, description="the door's", min_length=9)


class GreetSettings(ToneSettings):
    """Greet people.

    Each of them, as often as asked for.
    """

    flag_group: ClassVar[str | None] = None

    name: Names = Field(default=(), description="a person to greet; repeatable")
    times: int = Field(default=1, description="how often", ge=1)


def greet(settings: GreetSettings) -> None:
    """Print a greeting, or fail for some names."""
    if "locked" in settings.name:
        raise AlreadyLocked("the door is\nlocked; ring")
    if "defect" in settings.name:
        raise ZeroDivisionError("oh")
    if "stopped" in settings.name:
        raise KeyboardInterrupt
    text = f"{' '.join(settings.name)} {settings.times}"
    print(text.upper() if settings.loud else text)


COMMAND = Command(
    "events-schema",
    "Says hello.",
    {"greet": Verb(GreetSettings, "greeter:greet", "events-schema greet --name Ann")},
    logs=False,
)


@pytest.fixture(autouse=True)
def greeter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this module importable by name: pytest's name for it contains a hyphen."""
    monkeypatch.setitem(sys.modules, "greeter", sys.modules[__name__])


def test_flags_come_before_the_environment_and_the_defaults(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A flag wins over its variable, which wins over the default; lists and switches too."""
    monkeypatch.setenv("EVENTS_SCHEMA_NAME", "ann, bob")
    monkeypatch.setenv("EVENTS_SCHEMA_TIMES", "2")
    monkeypatch.setenv("EVENTS_SCHEMA_LOUD", "true")
    assert COMMAND.run(["greet", "--times", "3"]) == 0
    assert capsys.readouterr().out == "ANN BOB 3\n"
    assert COMMAND.run(["greet", "--name", "cy", "--name=dee,eve", "--no-loud"]) == 0
    assert capsys.readouterr().out == "cy dee eve 2\n"
    monkeypatch.setenv("EVENTS_SCHEMA_LOUD", "0")
    assert COMMAND.run(["greet", "--loud", "--times", "1", "--times", "4"]) == 0
    assert capsys.readouterr().out == "ANN BOB 4\n"
    assert COMMAND.run(["greet", "--name=--"]) == 0
    assert capsys.readouterr().out == "-- 2\n"


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (["greet", "--times", "x"], 2, "--times: expected a valid integer, not 'x'"),
        (["greet", "--times", "0"], 2, "--times: expected greater than or equal to 1, not '0'"),
        (["greet", "--times"], 2, "--times: a value is missing; "),
        (["greet", "--loud=3"], 2, "--loud: takes no value, but got '3'; "),
        (["greet", "--password", "guess"], 2, "--password: "),
        (["dance"], 2, "unknown command 'dance'; expected greet"),
        (["gret"], 2, "unknown command 'gret'; did you mean greet?"),
        (["--times", "3"], 2, "'--times' before the command; give one first: greet"),
        (["greet", "--tims", "3"], 2, "unknown flag '--tims'; did you mean --times?"),
        (["greet", "--tim=3"], 2, "unknown flag '--tim'; did you mean --times?"),
        (["greet", "--nope"], 2, "unknown flag '--nope'; events-schema greet --help lists"),
        (["greet", "-x"], 2, "unknown flag '-x'; events-schema greet --help lists"),
        (["greet", "--no-lod"], 2, "unknown flag '--no-lod'; did you mean --no-loud?"),
        (["greet", "--TIMES", "3"], 2, "unknown flag '--TIMES'; did you mean --times?"),
        (["greet", "--hepl"], 2, "unknown flag '--hepl'; did you mean --help?"),
        (["greet", "ann"], 2, "unexpected argument 'ann'; give flags such as --name"),
        (["greet", "--", "ann"], 2, "unexpected argument 'ann'; give flags such as --name"),
        (["greet", "--times=--"], 2, "--times: expected a valid integer, not '--'"),
        (["greet", "--name", "locked"], 3, "the door is locked; ring"),
        (["greet", "--name", "defect"], 70, "internal error: ZeroDivisionError: oh (--verbose"),
        (["greet", "--name", "stopped"], 130, "interrupted"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    arguments: list[str], exit_code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line says what was wrong and what to do, without a stack trace or a secret."""
    assert COMMAND.run(arguments) == exit_code
    output, error = capsys.readouterr()
    assert error.startswith(f"events-schema: {said}")
    assert error.count("\n") == 1
    assert output == ""
    assert "guess" not in error


def test_a_wrong_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the environment variable, since no flag was given."""
    monkeypatch.setenv("EVENTS_SCHEMA_TIMES", "often")
    assert COMMAND.run(["greet"]) == 2
    error = capsys.readouterr().err
    assert error == "events-schema: EVENTS_SCHEMA_TIMES: expected a valid integer, not 'often'\n"


def test_a_variable_that_no_command_reads_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command runs, and stderr names the variable and the nearest one."""
    monkeypatch.setenv("EVENTS_SCHEMA_TIMMES", "3")
    assert COMMAND.run(["greet"]) == 0
    assert capsys.readouterr().err == (
        "events-schema: warning: EVENTS_SCHEMA_TIMMES is not a setting and is ignored; "
        "did you mean EVENTS_SCHEMA_TIMES?\n"
    )


def test_a_mistyped_variable_is_named_beside_the_error_it_causes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The warning comes first, also if the settings are invalid."""
    monkeypatch.setenv("EVENTS_SCHEMA_TIMMES", "3")
    assert COMMAND.run(["greet", "--times", "x"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("events-schema: warning: EVENTS_SCHEMA_TIMMES ")
    assert second.startswith("events-schema: --times: ")


def test_verbose_shows_the_stack_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--verbose` or its variable prints where an error was raised, also one in the flags."""
    assert COMMAND.run(["greet", "--name", "defect", "--verbose"]) == 70
    assert "ZeroDivisionError" in capsys.readouterr().err.partition("Traceback")[2]
    assert COMMAND.run(["greet", "--nope", "--verbose"]) == 2
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.setenv("EVENTS_SCHEMA_VERBOSE", "true")
    assert COMMAND.run(["greet", "--name", "defect"]) == 70
    assert "ZeroDivisionError" in capsys.readouterr().err.partition("Traceback")[2]
    assert COMMAND.run(["greet", "--name", "defect", "--no-verbose"]) == 70
    assert "Traceback" not in capsys.readouterr().err


def test_the_overview_names_the_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    """It has a line for each verb; without arguments it ends with 2."""
    assert COMMAND.run(["--help"]) == 0
    page = capsys.readouterr().out
    assert "  greet  Greet people.\n" in page
    assert COMMAND.run([]) == 2
    assert capsys.readouterr().out == page


PAGE = """\
usage: events-schema greet [flags]

Greet people.

Each of them, as often as asked for.

flags:
  --name NAME        a person to greet; repeatable
                     [env: EVENTS_SCHEMA_NAME]
  --times N          how often
                     [default: 1; env: EVENTS_SCHEMA_TIMES]

tone:
  --loud             greet in capitals, 100% of them
                     [env: EVENTS_SCHEMA_LOUD]
  --password SECRET  the door's
                     [env: EVENTS_SCHEMA_PASSWORD]

general:
  --verbose          log more, and show stack traces of errors
                     [env: EVENTS_SCHEMA_VERBOSE]
  -h, --help         show this page

example:
  events-schema greet --name Ann

A flag wins over its variable.
--no-NAME turns off a switch that a variable turned on.
"""


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["--times", "x", "--help"]])
def test_help_shows_the_flags_in_groups(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command's own flags come first, each with its type, default and variable."""
    monkeypatch.setenv("COLUMNS", "80")
    assert COMMAND.run(["greet", *words]) == 0
    assert capsys.readouterr().out == PAGE


class LongSettings(CommandSettings):
    """Show how lines are wrapped."""

    flag_group: ClassVar[str | None] = None

    text: str = Field(description="a value that no one may see; prefer to use --the-long-flag here")


@pytest.mark.parametrize("columns", ["20", "60", "72", "80"])
def test_help_breaks_no_flag(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag in a description stays whole at any width, so that it can be copied and searched."""
    monkeypatch.setenv("COLUMNS", columns)
    page = help_page(LongSettings, "events-schema long")
    assert "--the-long-flag" in page
    assert "[required" in page


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_help_may_be_cut_off_by_its_reader(unbuffered: str) -> None:
    """`events-schema check --help | head` says nothing on stderr and ends as after SIGPIPE."""
    program = (
        "import sys; sys.stdin.read(); from events_schema.cli import main; "
        "raise SystemExit(main(['check', '--help']))"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONUNBUFFERED": unbuffered},
    ) as process:
        assert process.stdout is not None
        process.stdout.close()  # before the command writes: it waits for the end of its input
        process.stdout = None
        _, error = process.communicate(b"", timeout=60)
    assert (process.returncode, error) == (141, b"")


@pytest.mark.parametrize(
    ("redirection", "exit_code"), [(">&-", 0), ("2>&-", 2), (">&- 2>&-", 0), (">&- 2>&-", 2)]
)
def test_a_closed_output_changes_no_exit_code(redirection: str, exit_code: int) -> None:
    """With standard output or error closed the command works, and mixes nothing up."""
    words = "check --help" if exit_code == 0 else "check --nope"
    process = subprocess.run(
        ["sh", "-c", f'"$0" -m events_schema {words} {redirection}', sys.executable],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (process.returncode, process.stdout, process.stderr) == (exit_code, b"", b"")


def test_short_flags_for_help_may_be_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    """`-hh` shows the flags, too."""
    with pytest.raises(SystemExit) as ended:
        COMMAND.run(["greet", "-hh"])
    assert ended.value.code == 0
    assert "--times N" in capsys.readouterr().out
