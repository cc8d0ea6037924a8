"""Runs of the job as processes, each of which can be killed at any moment; what that leaves."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from events_analytics.versions.names import version_of_file
from events_loadgen.processes.child import ChildProcess
from events_loadgen.processes.waiting import wait_until
from events_schema.tables.paths import TablePaths
from line_support.processes import wait_until_ended
from publishing_support.dying_run import Point

SECONDS = 120.0
STAGING, MANIFEST = ".staging", ".json"
NOTHING, WRITING, PUBLISHED = "nothing staged", "being written", "published"


class PublishingRun:
    """A run that has been started; `environment` is added to ours."""

    def __init__(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._child = ChildProcess("a run", command, log=log, environment=environment)
        self._started: set[psutil.Process] = set()

    @property
    def exit_code(self) -> int | None:
        """As that of `ChildProcess`."""
        return self._child.exit_code

    @property
    def said(self) -> str:
        """What it has written."""
        return self._child.output()

    def wait_until(self, condition: Callable[[], bool], every: float = 0.02) -> bool:
        """Wait until `condition` holds or the run has ended; tell whether it runs still."""

        def holds() -> bool:
            return not self._runs() or condition()

        wait_until(holds, "the moment of a run", seconds=SECONDS, every=every)
        return self._runs()

    def wait_for_end(self) -> None:
        """Wait until it has ended; its Java may be there for a moment."""
        self.wait_until(lambda: False)
        self._child.kill()  # it has ended; nobody else may wait for it

    def kill(self, *, java: bool) -> None:
        """Kill it, with its Java at once or so that this finds itself alone."""
        self._runs()
        if java:
            self._child.kill()
        else:
            os.kill(self._child.pid, signal.SIGKILL)
            self.wait_for_end()

    def wait_for_java(self) -> None:
        """Wait until all that it has started has ended."""
        wait_until_ended(self._started)

    def end(self) -> None:
        """End all of it, whatever its state."""
        self.kill(java=True)
        for process in self._started:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.wait_for_java()

    def _runs(self) -> bool:
        if self._child.exit_code is not None:
            return False
        with suppress(psutil.NoSuchProcess):
            self._started.update(psutil.Process(self._child.pid).children(recursive=True))
        return True


def names(folder: Path, suffix: str = "") -> set[str]:
    """Return the names in `folder` that end in `suffix`; none where it is not there."""
    with suppress(FileNotFoundError):
        return {name for name in os.listdir(folder) if name.endswith(suffix)}  # noqa: PTH208
    return set()


def current_versions(paths: TablePaths) -> set[str | None]:
    """Return of which versions the files are that readers see."""
    return {version_of_file(name) for name in names(paths.target)}


class Before:
    """How a table was before a run, which tells how far that came."""

    def __init__(self, paths: TablePaths) -> None:
        self._paths = paths
        self._staging = names(paths.versions, STAGING)
        self._manifests = names(paths.versions, MANIFEST)
        self._current = current_versions(paths)

    def staging(self) -> set[str]:
        """Return the staging folders that have come since."""
        return names(self._paths.versions, STAGING) - self._staging

    def manifests(self) -> set[str]:
        """Return the manifests that have come since."""
        return names(self._paths.versions, MANIFEST) - self._manifests

    def phase(self) -> str:
        """Return how far a run came that is dead."""
        exchanged = current_versions(self._paths) != self._current
        for staging in self.staging():
            files = names(self._paths.versions / staging)
            if exchanged:
                return Point.EXCHANGED
            if not {version_of_file(name) for name in files} - {None}:
                return WRITING
            return Point.KNOWN if self.manifests() else Point.STAGED
        return PUBLISHED if exchanged else NOTHING
