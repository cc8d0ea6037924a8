"""Reading the settings of a command from its arguments and the environment."""

from __future__ import annotations

import os
import re
from argparse import SUPPRESS, ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from inspect import getdoc
from textwrap import wrap
from typing import Any, NoReturn, TypeVar

from pydantic import ValidationError

from events_schema.runtime.command.environment import variable_of
from events_schema.runtime.command.options import Option, options_of
from events_schema.runtime.command.settings import CommandSettings
from events_schema.runtime.errors import UsageError

SettingsT = TypeVar("SettingsT", bound=CommandSettings)

_FIRST_GROUP = "flags"
_NOTES_WIDTH = 52
"""What fits on a line beside the flags, on a terminal of 80 columns."""
_EXPECTED = re.compile(r"(?:Input|String|Tuple) should (?:be |have )?(?P<what>.*?)(, unable .*)?")
"""How pydantic says what a value should be."""


class _Formatter(RawDescriptionHelpFormatter):
    """Puts an option's default and variables on a line below its description.

    A line never ends within the name of a flag or a folder.
    """

    def _split_lines(self, text: str, width: int) -> list[str]:
        return [
            line
            for part in text.splitlines()
            for line in wrap(part, width, break_on_hyphens=False, break_long_words=False)
        ]


class _Parser(ArgumentParser):
    """Raises `UsageError` where argparse prints the usage and exits."""

    def error(self, message: str) -> NoReturn:
        text = message.removeprefix("argument ")
        text = text.replace("expected one argument", "a value is missing")
        text = text.replace("ignored explicit argument", "takes no value, but got")
        raise UsageError(f"{text}; {self.prog} --help describes the flags")


def read_settings(
    settings: type[SettingsT], program: str, arguments: Sequence[str] = ()
) -> SettingsT:
    """Build `settings` from `arguments`, then the environment, then the defaults.

    `program` is the command with its verb, such as `events-ingest serve`; its first word gives the
    prefix of the environment variables. Raises `UsageError`, which names the flag or the variable.
    """
    options = options_of(settings, program)
    given = _read_flags(_parser(settings, program, options), options, arguments)
    environment = {name.upper(): value for name, value in os.environ.items()}
    sources = {option.field: option.name for option in options}
    for option in options:
        variable = variable_of(option, environment)
        if option.field not in given and variable is not None:
            given[option.field] = environment[variable]
            sources[option.field] = variable
    try:
        return settings.model_validate(given)
    except ValidationError as error:
        secrets = {option.field for option in options if option.secret}
        texts = (_error_text(each, sources, secrets) for each in error.errors())
        raise UsageError("; ".join(texts)) from None


def help_page(settings: type[CommandSettings], program: str, example: str | None = None) -> str:
    """Return what `--help` shows."""
    return _parser(settings, program, options_of(settings, program), example).format_help()


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return a hint at the entry of `known` that is nearest to `word`, or all if none is near."""
    near = get_close_matches(word, known, 1)
    return f"did you mean {near[0]}?" if near else f"expected {', '.join(known)}"


def _parser(
    settings: type[CommandSettings],
    program: str,
    options: Sequence[Option],
    example: str | None = None,
) -> _Parser:
    positional = [option.name for option in options if option.positional]
    parser = _Parser(
        prog=program,
        usage=" ".join([program, *positional, "[flags]"]),
        description=getdoc(settings),
        epilog=_epilog(example),
        formatter_class=_Formatter,
        add_help=False,
        allow_abbrev=False,
    )
    groups: dict[str | None, Any] = {}
    for option in options:
        group = groups.get(option.group) or groups.setdefault(
            option.group, parser.add_argument_group(option.group or _FIRST_GROUP)
        )
        _add(group, option)
    groups["general"].add_argument("-h", "--help", action="help", help="show this page")
    return parser


def _epilog(example: str | None) -> str:
    rules = (
        "A flag wins over its variable.\n--no-NAME turns off a switch that a variable turned on."
    )
    return rules if example is None else f"example:\n  {example}\n\n{rules}"


def _add(group: Any, option: Option) -> None:
    text = "\n".join(filter(None, (option.description, _notes(option)))).replace("%", "%%")
    if option.positional:
        group.add_argument(option.field, metavar=option.metavar, nargs="?", help=text)
    elif option.metavar is None:
        group.add_argument(option.name, action="store_true", default=SUPPRESS, help=text)
        off = f"--no-{option.name.removeprefix('--')}"
        group.add_argument(
            off, dest=option.field, action="store_false", default=SUPPRESS, help=SUPPRESS
        )
    else:
        group.add_argument(
            option.name, action="append", metavar=option.metavar, default=SUPPRESS, help=text
        )


def _notes(option: Option) -> str:
    notes = ["required"] if option.required else []
    notes += [f"default: {option.default}"] if option.default else []
    notes += [f"env: {', '.join(option.variables)}"] if option.variables else []
    if len("; ".join(notes)) <= _NOTES_WIDTH:
        notes = ["; ".join(notes)]
    return "\n".join(f"[{note}]" for note in notes if note)


def _read_flags(
    parser: _Parser, options: Sequence[Option], arguments: Sequence[str]
) -> dict[str, Any]:
    known, unknown = parser.parse_known_args(list(arguments))
    if unknown:
        raise UsageError(_unknown_text(parser, options, unknown))
    between = {option.field: option.between for option in options if option.repeatable}
    given = {name: value for name, value in vars(known).items() if value is not None}
    for name, values in given.items():
        if isinstance(values, list):
            # Before Python 3.13, argparse turns the value of --flag=-- into an empty list.
            texts = ["--" if value == [] else value for value in values]
            given[name] = between[name].join(texts) if name in between else texts[-1]
    return given


def _unknown_text(parser: _Parser, options: Sequence[Option], unknown: Sequence[str]) -> str:
    named = [option for option in options if not option.positional]
    words = [word for word in unknown if word != "--"] or list(unknown)
    flag = next((word for word in words if word.startswith("-")), None)
    if flag is None:
        return f"unexpected argument {words[0]!r}; give flags such as {named[0].name}"
    name = flag.partition("=")[0]
    known = ["help", *(option.field.replace("_", "-") for option in named)]
    known += [f"no-{option.field.replace('_', '-')}" for option in named if not option.metavar]
    near = get_close_matches(name.lstrip("-").lower(), known, 1)
    hint = f"did you mean --{near[0]}?" if near else f"{parser.prog} --help lists the flags"
    return f"unknown flag {name!r}; {hint}"


def _error_text(error: Any, sources: Mapping[str, str], secrets: set[str]) -> str:
    """Return a line that names the flag or variable, what was expected, and what was given."""
    if not error["loc"]:
        return str(error["msg"])
    field = str(error["loc"][0])
    name = sources[field]
    if error["type"] == "missing":
        return f"{name} is missing; give it (--help describes it)"
    expected = _EXPECTED.fullmatch(error["msg"])
    if expected is None:
        return f"{name}: {error['msg']}"
    text = f"{name}: expected {expected['what']}"
    return text if field in secrets else f"{text}, not {error['input']!r:.100}"
