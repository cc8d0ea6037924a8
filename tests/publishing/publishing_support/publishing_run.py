"""Runs the job as processes that can be killed at any moment, and looks at what is left."""

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
    """A started run; `environment` is added to the environment of this process."""

    def __init__(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._child = ChildProcess("a run", command, log=log, environment=environment)
        self._started: set[psutil.Process] = set()

    @property
    def exit_code(self) -> int | None:
        """The exit code, as in `ChildProcess`."""
        return self._child.exit_code

    @property
    def said(self) -> str:
        """The run's output."""
        return self._child.output()

    def wait_until(self, condition: Callable[[], bool], every: float = 0.02) -> bool:
        """Wait until `condition` is true or the run has exited; return whether it still runs."""

        def holds() -> bool:
            return not self._runs() or condition()

        wait_until(holds, "a run to reach its state", seconds=SECONDS, every=every)
        return self._runs()

    def wait_for_end(self) -> None:
        """Wait until it has exited; its Java may run a moment longer."""
        self.wait_until(lambda: False)
        self._child.kill()  # it has exited; this reaps it

    def kill(self, *, java: bool) -> None:
        """Kill it together with its Java, or only its Python; then its Java exits by itself."""
        self._runs()
        if java:
            self._child.kill()
        else:
            os.kill(self._child.pid, signal.SIGKILL)
            self.wait_for_end()

    def wait_for_java(self) -> None:
        """Wait until all processes that it has started have ended."""
        wait_until_ended(self._started)

    def end(self) -> None:
        """Kill all of its processes, in any state."""
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
    """Return the names in `folder` that end in `suffix`; none if there is no such folder."""
    with suppress(FileNotFoundError):
        return {name for name in os.listdir(folder) if name.endswith(suffix)}  # noqa: PTH208
    return set()


def current_versions(paths: TablePaths) -> set[str | None]:
    """Return the versions of the files that readers see."""
    return {version_of_file(name) for name in names(paths.target)}


class Before:
    """The state of a table before a run, to find out how far the run came."""

    def __init__(self, paths: TablePaths) -> None:
        self._paths = paths
        self._staging = names(paths.versions, STAGING)
        self._manifests = names(paths.versions, MANIFEST)
        self._current = current_versions(paths)

    def staging(self) -> set[str]:
        """Return the staging folders that are new."""
        return names(self._paths.versions, STAGING) - self._staging

    def manifests(self) -> set[str]:
        """Return the manifests that are new."""
        return names(self._paths.versions, MANIFEST) - self._manifests

    def phase(self) -> str:
        """Return how far the killed run came."""
        exchanged = current_versions(self._paths) != self._current
        for staging in self.staging():
            files = names(self._paths.versions / staging)
            if exchanged:
                return Point.EXCHANGED
            if not {version_of_file(name) for name in files} - {None}:
                return WRITING
            return Point.KNOWN if self.manifests() else Point.STAGED
        return PUBLISHED if exchanged else NOTHING
