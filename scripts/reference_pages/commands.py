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
_FLAG = re.compile(r"(`[^`]*`)|(?<![\w-])(--[a-z][a-z-]*[a-z])")


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
    """Return the page of one command; flags that all its verbs have stand at its end."""
    name = command.program
    groups = {verb: _groups(name, verb, each) for verb, each in command.verbs.items()}
    first, *others = groups.values()
    shared = {title: first[title] for title in first if others and _in_all(title, first, others)}
    blocks = [
        block
        for verb, each in command.verbs.items()
        for block in _verb(name, verb, each, _headings(verb, groups, shared), groups[verb])
    ]
    heading = f"Flags of all {name} commands"
    return page(
        name,
        "the settings of the command",
        sentence(command.summary),
        "[What all commands share](index.md#what-all-commands-share) says how flags, variables and "
        "secrets work."
        + (f" Some flags are [the same for each command](#{anchor(heading)})." if shared else ""),
        *blocks,
        f"## {heading}" if shared else "",
        _table([option for options in shared.values() for option in options]) if shared else "",
    )


Groups = Mapping[str | None, Sequence[Option]]


def _groups(program: str, name: str, verb: Verb[Any]) -> Groups:
    options = options_of(verb.settings, f"{program} {name}")
    return {title: list(each) for title, each in groupby(options, lambda option: option.group)}


def _in_all(title: str | None, first: Groups, others: Sequence[Groups]) -> bool:
    return title is not None and all(each.get(title) == first[title] for each in others)


def _headings(verb: str, groups: Mapping[str, Groups], shared: Groups) -> Mapping[str, str]:
    """Return the headings of a verb's groups, without those shared; none is on the page twice."""
    others = {title for name, each in groups.items() if name != verb for title in each}
    return {
        title: f"{title[0].upper()}{title[1:]}" + (f" ({verb})" if title in others else "")
        for title in groups[verb]
        if title is not None and title not in shared
    }


def _verb(
    program: str, name: str, verb: Verb[Any], headings: Mapping[str, str], groups: Groups
) -> Iterator[str]:
    yield f"## {program} {name}"
    yield _with_flags_as_code(getdoc(verb.settings) or "")
    yield f"```sh\n{verb.example}\n```"
    for title, options in groups.items():
        if title is None:
            yield _table(options)
        elif title in headings:
            yield f"### {headings[title]}"
            yield _table(options)


def _table(options: Sequence[Option]) -> str:
    return table(["Flag", "Meaning"], [[_flag(option), _meaning(option)] for option in options])


def _flag(option: Option) -> str:
    if option.positional or option.metavar is None:
        return code(option.name)
    return code(f"{option.name} {option.metavar}")


def _meaning(option: Option) -> str:
    return "<br>".join(
        filter(None, (sentence(_with_flags_as_code(option.description)), _notes(option)))
    )


def _notes(option: Option) -> str:
    notes = ["Required."] if option.required else []
    if default := _default(option):
        notes.append(f"Default: {default}.")
    if option.variables:
        word = "Variables" if option.variables[1:] else "Variable"
        notes.append(f"{word}: {codes(option.variables)}.")
    return " ".join(notes)


def _default(option: Option) -> str:
    if option.metavar is None:
        return "on" if option.default else "off"
    default = option.default or ""
    return _with_flags_as_code(default) if " " in default else code(default)  # words, or a value


def _with_flags_as_code(text: str) -> str:
    return _FLAG.sub(lambda match: match[1] or code(match[2]), text)
