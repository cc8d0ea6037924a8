"""Shows the progress of long work: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column

_LINE_EVERY_SECONDS = 5.0
_NAME_WIDTH = 34


class Step(Protocol):
    """One step of long work in progress."""

    def update(self, completed: int) -> None:
        """Show that `completed` of the step's total are done."""


@contextmanager
def show_step(name: str, total: int | None = None) -> Iterator[Step]:
    """Show on stderr the step's `name`, how much of `total` is done, and how long it took.

    A step that raises is not shown as done.
    """
    shown = _bar(name, total) if sys.stderr.isatty() else _lines(name, total)
    with shown as step:
        yield step


@contextmanager
def _bar(name: str, total: int | None) -> Iterator[Step]:
    columns = [
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description}", table_column=Column(width=_NAME_WIDTH)),
        *([BarColumn(), MofNCompleteColumn()] if total else []),
        TimeElapsedColumn(),
    ]
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(name, total=total)
        yield _Bar(progress, task)
        progress.update(task, total=total or 1, completed=total or 1)


class _Bar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def update(self, completed: int) -> None:
        self._progress.update(self._task, completed=completed)


@contextmanager
def _lines(name: str, total: int | None) -> Iterator[Step]:
    started = time.monotonic()
    _print(f"{name} ...")
    yield _Lines(name, total)
    _print(f"{name}: done in {time.monotonic() - started:.1f} s")


class _Lines:
    def __init__(self, name: str, total: int | None) -> None:
        self._name = name
        self._total = total
        self._next = time.monotonic() + _LINE_EVERY_SECONDS

    def update(self, completed: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _LINE_EVERY_SECONDS
            _print(f"{self._name}: {completed} of {self._total}")


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
