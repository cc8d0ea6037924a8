"""A command, its verbs, and how it ends."""

from __future__ import annotations

import os
import select
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from inspect import getdoc
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Generic

from events_schema.errors import EventsError
from events_schema.runtime.command.environment import unknown_variables
from events_schema.runtime.command.options import options_of
from events_schema.runtime.command.parsing import (
    SettingsT,
    did_you_mean,
    help_page,
    read_settings,
)
from events_schema.runtime.command.settings import CommandSettings
from events_schema.runtime.errors import UsageError

UNEXPECTED_EXIT_CODE = 70
"""The exit code of an internal error (EX_SOFTWARE of sysexits.h)."""
_CLOSED_PIPE_EXIT_CODE = 141
"""What a shell reports for a program that SIGPIPE ended."""


@dataclass(frozen=True)
class Verb(Generic[SettingsT]):
    """One verb of a command: its settings, the function that carries it out, and an example.

    `run` is `package.module:function`, loaded when the verb is run, so `--help` and the other verbs
    do not need it. The function takes the settings and returns the exit code, None for 0.
    """

    settings: type[SettingsT]
    run: str
    example: str

    @property
    def summary(self) -> str:
        """The first line of the help."""
        return (getdoc(self.settings) or "").partition("\n")[0]


@dataclass(frozen=True)
class Command:
    """A program with its verbs."""

    program: str
    summary: str
    verbs: Mapping[str, Verb[Any]]
    logs: bool = True
    """Whether the verbs log, which takes structlog."""

    def run(self, arguments: Sequence[str] | None = None) -> int:
        """Run the verb that `arguments` (default: `sys.argv`) name and return the exit code.

        An `EventsError` becomes one line on stderr and its exit code, anything unexpected becomes
        one line and exit code 70. The stack trace is shown with `--verbose`. If the reader of
        standard output goes away (`--help | head`), the command ends with 141 and says nothing.
        """
        words = list(sys.argv[1:] if arguments is None else arguments)
        _replace_missing_outputs()
        return self._end(lambda: self._run(words), "--verbose" in words)

    def _end(self, action: Callable[[], int | None], verbose: bool) -> int:
        """Return the exit code of `action`, after a line on stderr if it fails."""
        try:
            exit_code = action() or 0
            sys.stdout.flush()
        except EventsError as error:
            return self._report(str(error), error.exit_code, verbose)
        except KeyboardInterrupt:
            return self._report("interrupted", 130, verbose)
        except Exception as error:  # noqa: BLE001  # a command never ends in a bare stack trace
            if isinstance(error, BrokenPipeError) and _is_output_closed():
                return _CLOSED_PIPE_EXIT_CODE
            text = f"internal error: {type(error).__name__}: {error} (--verbose shows where)"
            return self._report(text, UNEXPECTED_EXIT_CODE, verbose)
        return exit_code

    def _run(self, words: Sequence[str]) -> int:
        if not words or words[0] in ("-h", "--help"):
            print(self._overview())
            return 0 if words else UsageError.exit_code
        if words[0] == "--version":
            print(f"{self.program} {version(self.program)}")
            return 0
        name, *flags = words
        if name.startswith("-"):
            raise UsageError(
                f"{name!r} before the command; give one first: {', '.join(self.verbs)}"
            )
        if name not in self.verbs:
            hint = did_you_mean(name, list(self.verbs))
            raise UsageError(f"unknown command {name!r}; {hint}")
        verb, program = self.verbs[name], f"{self.program} {name}"
        if "-h" in flags or "--help" in flags:
            print(help_page(verb.settings, program, verb.example), end="")
            return 0
        self._warn_of_unknown_variables()  # first: a mistyped one may be why a setting is missing
        settings = read_settings(verb.settings, program, flags)
        if self.logs:
            from events_schema.runtime.command.logs import configure_logging  # noqa: PLC0415

            configure_logging(settings.verbose)
        return self._end(lambda: _carry_out(verb, settings), settings.verbose)

    def _warn_of_unknown_variables(self) -> None:
        known = {
            variable
            for name, verb in self.verbs.items()
            for option in options_of(verb.settings, f"{self.program} {name}")
            for variable in option.variables
        }
        for line in unknown_variables(self.program, known, os.environ):
            print(f"{self.program}: warning: {line}", file=sys.stderr)

    def _overview(self) -> str:
        width = max(map(len, self.verbs))
        verbs = [f"  {name:<{width}}  {verb.summary}" for name, verb in self.verbs.items()]
        return "\n".join(
            [
                f"usage: {self.program} COMMAND [flags]",
                "",
                self.summary,
                "",
                "commands:",
                *verbs,
                "",
                f"{self.program} COMMAND --help shows the flags of a command.",
                f"{self.program} --version shows the version.",
            ]
        )

    def _report(self, text: str, exit_code: int, verbose: bool) -> int:
        if verbose:
            traceback.print_exc()
        print(f"{self.program}: {' '.join(text.split())}", file=sys.stderr)
        return exit_code


def _carry_out(verb: Verb[Any], settings: CommandSettings) -> int | None:
    function: Callable[[CommandSettings], int | None] = resolve_name(verb.run)
    return function(settings)


def _replace_missing_outputs() -> None:
    """Write to the null device if standard output or error was closed at the start (`>&-`).

    Python leaves them None then, and what is meant for stderr would go to standard output.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115


def _is_output_closed() -> bool:
    """Tell whether the reader of standard output has gone.

    If so, standard output becomes the null device, so that flushing it at exit does not fail.
    """
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    closed = any(events & select.POLLERR for _, events in poll.poll(0))
    if closed:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return closed
