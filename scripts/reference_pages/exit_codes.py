"""reference/exit-codes.md, from the error classes of the packages."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from inspect import getdoc
from pathlib import Path

import grimp

from events_ingest.errors import ProducerError
from events_schema.errors import (
    DecodeError,
    EventsError,
    ForeignFields,
    InvalidEvent,
    MalformedJson,
    NotAnEvolution,
)
from events_schema.runtime.command import UNEXPECTED_EXIT_CODE, Command
from reference_pages.commands import PACKAGES, commands
from reference_pages.markdown import code, page, sentence, table

NEVER_END_A_COMMAND = (ProducerError, DecodeError, ForeignFields, InvalidEvent, MalformedJson)
"""Errors of one event or one request: they end in an answer, or in a failed event."""
ALL = {
    0: "The command did what it was asked to do.",
    UNEXPECTED_EXIT_CODE: "Internal error. Run it with `--verbose` and report the stack trace.",
    130: "SIGINT (Ctrl-C) ended it before it was done.",
    141: "The reader of standard output went away, as in `--help | head`.",
}
"""What any command may end with."""
NEEDS_A_TABLE = {"events-stream", "events-analytics"}
"""The commands that compare a contract with a table."""
RESTARTS = """\
Which codes a supervisor should restart a service after, and what a person does:

- [the stream](../how-to/stream.md#when-it-stops)
- [the batch job](../how-to/analytics.md#exit-codes)
- [the collector](../how-to/collector.md#systemd): all but 2"""
"""Where the pages say what to do after an exit code."""
MORE: Mapping[str, Mapping[int, str]] = {
    "events-schema": {1: "`check`: the class breaks a release, or has a change not yet released."},
    "events-loadgen": {1: "`run`: an event that was sent was not acknowledged."},
}
"""What a command ends with without an error."""


def exit_codes_page() -> str:
    """Return the page."""
    graph = grimp.build_graph(*(f"events_{each}" for each in PACKAGES), cache_dir=None)
    found = commands()
    return page(
        "Exit codes",
        "the error classes of the packages",
        "A command that fails writes one line to standard error: what was wrong, what was "
        "expected and what to do. The exit code says which kind of failure it was. Each error "
        "is a class that Python code can catch; all are subclasses of `events_schema.EventsError`.",
        "**Retry** says whether the same command may succeed later without a change.",
        RESTARTS,
        "## All commands",
        table(["Exit code", "Meaning"], [[str(each), text] for each, text in ALL.items()]),
        *(
            block
            for name, command in found.items()
            for block in (f"## {name}", _table(command, graph))
        ),
    )


def _table(command: Command, graph: grimp.ImportGraph) -> str:
    errors = {
        each
        for verb in command.verbs.values()
        for module in (verb.settings.__module__, verb.run.partition(":")[0])
        for each in _errors_from(module, graph)
        if each is not NotAnEvolution or command.program in NEEDS_A_TABLE
    }
    rows = [
        (each.exit_code, code(each.__name__), "yes" if each.retriable else "no", _meaning(each))
        for each in errors
    ]
    rows += [(number, "", "no", text) for number, text in MORE.get(command.program, {}).items()]
    return table(
        ["Exit code", "Error", "Retry", "When"],
        [[str(number), *row] for number, *row in sorted(rows)],
    )


def _errors_from(module: str, graph: grimp.ImportGraph) -> Iterator[type[EventsError]]:
    """Return the errors that `module`, or what it imports, makes."""
    for each in {module, *graph.find_upstream_modules(module)}:
        yield from _errors_made_in(each)


@cache
def _errors_made_in(module: str) -> Sequence[type[EventsError]]:
    loaded = import_module(module)
    nodes = ast.walk(ast.parse(Path(str(loaded.__file__)).read_text("utf-8")))
    names = {name for node in nodes for name in _made(node)}
    return [
        value
        for name in names
        if isinstance(value := getattr(loaded, name, None), type)
        and issubclass(value, EventsError)
        and not issubclass(value, NEVER_END_A_COMMAND)
    ]


def _made(node: ast.AST) -> Iterator[str]:
    """Return the class that `node` calls, or puts into a variable to call later."""
    match node:
        case ast.Call(func=ast.Name(name)):
            yield name
        case ast.Assign(value=ast.Name(name)) | ast.AnnAssign(value=ast.Name(name)):
            yield name


def _meaning(error: type[EventsError]) -> str:
    """Return the first paragraph of the class's docstring, `Raised when ...`."""
    text = " ".join((getdoc(error) or "").partition("\n\n")[0].split())
    return sentence(
        text.removeprefix("Raised ").removeprefix("when ").replace(", or when ", ", or ")
    )
