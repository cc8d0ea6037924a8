"""A closed room on this machine for the commands of the documentation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from documentation_support.pages import ROOT

_SPACES = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
_REAPING = '"$@"; exit'
"""Bash as the first process of the room: it waits for the processes that others leave."""
_END_SECONDS = 60


class NotPermitted(Exception):
    """Raised when this machine does not allow such a room."""


class Room:
    """The namespaces, and the process in them that runs commands one after the other.

    When the context ends, all processes in it have ended. Everything that they wrote is gone.
    """

    def __init__(self, folder: Path, java_options: str) -> None:
        self._folder, self._java_options = folder, java_options
        self._log = folder / "room.log"

    def __enter__(self) -> Self:
        inner = self._folder / "room"
        inner.mkdir()
        spaces = _SPACES if os.geteuid() == 0 else [*_SPACES, "--map-root-user"]
        module = [sys.executable, "-m", "documentation_support.inside"]
        arguments = [str(inner), str(ROOT), self._java_options]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*spaces, "bash", "-c", _REAPING, "bash", *module, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C on a terminal is for pytest
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        try:
            self._answer(NotPermitted)
            self._answer()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def ask(self, do: str, **arguments: object) -> Any:
        """Let it do something; return its answer."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self, failure: type[Exception] = RuntimeError) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise failure(self._log.read_text("utf-8", "replace"))
        return json.loads(line)

    def _end(self) -> None:
        with self._process as process:
            assert process.stdin
            process.stdin.close()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
