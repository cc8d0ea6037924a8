"""What every events command does alike: flags, environment, logs, errors and exit codes."""

from __future__ import annotations

import inspect
import logging
import sys
import traceback
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pkgutil import resolve_name
from typing import Any, ClassVar, Generic, TypeVar

import structlog
from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    CliSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from events_schema.errors import EventsError
from events_schema.runtime.errors import UsageError

UNEXPECTED_EXIT_CODE = 70
"""The exit code for a defect of ours (EX_SOFTWARE of sysexits.h)."""


class CommandSettings(BaseSettings):
    """The settings of one command: each field is a flag and an environment variable alike.

    A subclass sets `env_prefix` in its `model_config`; its docstring is the command's help. One
    that several commands share sets `flag_group`, and `--help` lists its flags under that title.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
    )

    flag_group: ClassVar[str | None] = None

    verbose: bool = Field(False, description="log more, and show stack traces")

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Let `--help` show the docstring without the code's indentation."""
        cls.__doc__ = inspect.cleandoc(cls.__doc__ or "")


SettingsT = TypeVar("SettingsT", bound=CommandSettings)


@dataclass(frozen=True)
class Verb(Generic[SettingsT]):
    """One verb of a command: its settings, and where the function lies that carries it out.

    `run` is `package.module:function`, loaded when the verb is run: so `--help` needs none of it,
    nor does one verb need what another does. The function takes the settings and returns the exit
    code, None for 0.
    """

    settings: type[SettingsT]
    run: str


def run_command(
    program: str, verbs: Mapping[str, Verb[Any]], arguments: Sequence[str] | None = None
) -> int:
    """Run the verb that `arguments` (default: `sys.argv`) name and return the exit code.

    pydantic-settings' own `CliApp` would not do: it raises errors of several lines, knows no exit
    codes of ours, and imports every verb for `--help` (decision 5).

    An `EventsError` becomes one line on stderr and its own exit code, anything unexpected one
    line and exit code 70; the stack trace is shown with `--verbose`.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        print(_overview(program, verbs))
        return 0 if words else UsageError.exit_code
    if words[0] == "--version":
        print(f"{program} {version(program)}")
        return 0
    verbose = "--verbose" in words
    try:
        if words[0] not in verbs:
            raise UsageError(f"unknown command {words[0]!r}; expected {', '.join(verbs)}")
        verb = verbs[words[0]]
        settings = read_settings(verb.settings, f"{program} {words[0]}", words[1:])
        verbose = settings.verbose
        configure_logging(verbose)
        carry_out: Callable[[CommandSettings], int | None] = resolve_name(verb.run)
        return carry_out(settings) or 0
    except EventsError as error:
        return _report(program, str(error), error.exit_code, verbose)
    except KeyboardInterrupt:
        return _report(program, "interrupted", 130, verbose)
    except Exception as error:  # noqa: BLE001  # a command never ends in a bare stack trace
        text = f"unexpected {type(error).__name__}: {error} (--verbose shows where)"
        return _report(program, text, UNEXPECTED_EXIT_CODE, verbose)


def read_settings(
    settings: type[SettingsT], program: str, arguments: Sequence[str] = ()
) -> SettingsT:
    """Build `settings` from flags, then the environment, then the defaults.

    Raises `UsageError` naming the flag; `--help` and unknown flags raise `SystemExit`.
    """
    try:
        return settings(_cli_settings_source=_flags(settings, program)(args=list(arguments)))
    except ValidationError as error:
        raise UsageError("; ".join(map(_flag_error, error.errors()))) from None
    except SettingsError as error:
        raise UsageError(str(error)) from None


def _flags(settings: type[CommandSettings], program: str) -> CliSettingsSource[Any]:
    """Return what reads the flags of `settings`; `--help` shows them in their groups."""
    titles = {
        name: vars(each).get("flag_group")  # a subclass's own flags stand outside the group
        for each in reversed(settings.__mro__)
        if issubclass(each, CommandSettings)
        for name in each.__annotations__
    }
    groups: dict[str, Any] = {}

    def add_argument(parser: ArgumentParser, *flags: str, **options: Any) -> Any:
        title = titles.get(options.get("dest", ""))
        if title is None:
            return parser.add_argument(*flags, **options)
        group = groups.get(title) or groups.setdefault(title, parser.add_argument_group(title))
        return group.add_argument(*flags, **options)

    return CliSettingsSource(settings, cli_prog_name=program, add_argument_method=add_argument)


def _flag_error(error: Any) -> str:
    flag = "--" + str(error["loc"][0]).replace("_", "-") if error["loc"] else "flags"
    return f"{flag}: {error['msg']}"


def _overview(program: str, verbs: Mapping[str, Verb[Any]]) -> str:
    width = max(map(len, verbs))
    lines = [
        f"  {name:<{width}}  {(verb.settings.__doc__ or '').strip().splitlines()[0]}"
        for name, verb in verbs.items()
    ]
    return "\n".join(
        [
            f"usage: {program} COMMAND [flags]",
            "",
            *lines,
            "",
            f"{program} COMMAND --help shows its flags; {program} --version the version.",
        ]
    )


def _report(program: str, text: str, exit_code: int, verbose: bool) -> int:
    if verbose:
        traceback.print_exc()
    print(f"{program}: {' '.join(text.split())}", file=sys.stderr)
    return exit_code


def configure_logging(verbose: bool) -> None:
    """Log to stderr: for people on a terminal, as JSON elsewhere."""
    terminal = sys.stderr.isatty()
    renderer: Any = (
        structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.DEBUG if verbose else logging.INFO
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.INFO if verbose else logging.CRITICAL, stream=sys.stderr)
