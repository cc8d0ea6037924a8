"""reference/commands/, from the settings of the commands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from inspect import getdoc
from itertools import groupby
from pkgutil import resolve_name
from typing import Any

from events_schema.runtime.command import Command, Option, Verb, options_of
from reference_pages.markdown import anchor, code, codes, page, sentence, table

PACKAGES = ("schema", "ingest", "stream", "analytics", "loadgen")
_FLAG = re.compile(r"(?<![`\w-])(--[a-z][a-z-]*[a-z])")


def commands() -> Mapping[str, Command]:
    """Return the commands by name."""
    found = (resolve_name(f"events_{package}.cli:COMMAND") for package in PACKAGES)
    return {command.program: command for command in found}


def index_page() -> str:
    """Return the page that lists the commands and what they share."""
    return page(
        "Commands",
        "the settings of the commands",
        "Each package has one command. Each command has verbs, such as `events-stream status`.",
        *(_index_entry(command) for command in commands().values()),
        "## What all commands share",
        "- A flag wins over its environment variable, and the variable over the default.\n"
        "- The variable of a flag is the name of the command and of the flag in capitals: "
        "`--kafka-tls` of `events-ingest serve` is `EVENTS_INGEST_KAFKA_TLS`.\n"
        "- A switch is a flag without a value. `--no-NAME` turns off one that a variable turned "
        "on. A variable turns it on with `true` and off with `false`.\n"
        "- A flag that may be given several times takes several values, with commas between them, "
        "from its variable.\n"
        "- A secret can also come from a file, by the flag whose name ends in `-file`. Other users "
        "of the machine can see the flags of a process.\n"
        "- A command that fails says so in one line on standard error. "
        "[Exit codes](../exit-codes.md) tell failures apart.\n"
        "- `COMMAND VERB --help` shows the flags of a verb, `COMMAND --version` the version.",
    )


def _index_entry(command: Command) -> str:
    name = command.program
    rows = [
        [f"[`{name} {verb}`]({name}.md#{anchor(f'{name} {verb}')})", sentence(each.summary)]
        for verb, each in command.verbs.items()
    ]
    return f"## {name}\n\n{sentence(command.summary)}\n\n{table(['Command', 'What it does'], rows)}"


def command_page(command: Command) -> str:
    """Return the page of one command."""
    blocks = [
        block
        for name, verb in command.verbs.items()
        for block in _verb(command.program, name, verb)
    ]
    return page(
        command.program,
        "the settings of the command",
        sentence(command.summary),
        "[What all commands share](index.md#what-all-commands-share) says how flags, variables and "
        "secrets work.",
        *blocks,
    )


def _verb(program: str, name: str, verb: Verb[Any]) -> Iterator[str]:
    heading = f"{program} {name}"
    options = options_of(verb.settings, heading)
    yield f"## {heading}"
    yield _with_flags_as_code(getdoc(verb.settings) or "")
    yield f"```sh\n{verb.example}\n```"
    for group, members in groupby(options, key=lambda option: option.group):
        if group is not None:
            yield f"### {heading}: {group}"
        yield _table(list(members))


def _table(options: Sequence[Option]) -> str:
    return table(
        ["Flag", "Default", "Meaning"],
        [[_flag(option), _default(option), _meaning(option)] for option in options],
    )


def _flag(option: Option) -> str:
    if option.positional or option.metavar is None:
        return code(option.name)
    return code(f"{option.name} {option.metavar}")


def _default(option: Option) -> str:
    if option.metavar is None:
        return "off"
    default = option.default or ""
    return default if " " in default else code(default)  # words, or a value


def _meaning(option: Option) -> str:
    text = sentence(_with_flags_as_code(option.description))
    return f"{text}<br>{codes(option.variables)}" if option.variables else text


def _with_flags_as_code(text: str) -> str:
    return _FLAG.sub(r"`\1`", text)
