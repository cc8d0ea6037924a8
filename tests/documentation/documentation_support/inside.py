"""Runs commands inside the walls, as `room.py` asks for them: one line of JSON each way."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import Any

import psutil

from documentation_support.walls import shut_in
from events_loadgen.errors import ChildFailed, TooLate
from events_loadgen.processes.broker import LocalBroker
from events_loadgen.processes.child import ChildProcess
from events_loadgen.processes.waiting import wait_until
from events_schema import Contract, Event
from faults_support.shared_java import SharedJava
from line_support.topics import Topics

SECONDS = 300.0
"""How long a command may take to end, or a server to be ready."""
END_SECONDS = 60.0
HOME = Path("/srv/reader")
"""The reader's folder, with the example contract in it."""
BROKERS = "localhost:9092"
CURL = 'write-out = "%{stderr}\\nHTTP %{http_code}\\n"\n'
FOREIGN = ("EVENTS_", "PYTEST_", "PYTHON", "SPARK_")
"""Variables that are not the reader's."""
CONTRACT = Contract(Event)


@dataclass(frozen=True)
class Wanted:
    """A script to run in `folder`; a server says when it is `ready`, and how it is ended."""

    script: str
    folder: str
    files: Mapping[str, str]
    ready: str | None = None
    signal: int = Signals.SIGINT
    needed: bool = False
    """Whether it runs until the end of the page."""
    own_java: bool = False
    """Whether Spark starts a Java process of its own, rather than taking the shared one."""


class Inside:
    """The broker, the shared Java and the servers that pages need until their end."""

    def __init__(self, folder: Path, java_options: str, stack: ExitStack) -> None:
        self._folder = folder
        self._servers: list[tuple[ChildProcess, Wanted]] = []
        self._collector: ChildProcess | None = None
        self._number = 0
        os.environ["JAVA_TOOL_OPTIONS"] = java_options
        self._java = stack.enter_context(SharedJava("", folder / "java.log"))
        stack.enter_context(LocalBroker(folder / "kafka", 9092))
        self._topics = Topics(BROKERS)
        self._topics.create(4, "events")

    def run(self, wanted: Wanted) -> dict[str, Any]:
        """Run a script; return its output, its exit code, and what went wrong besides."""
        before = set(psutil.pids())
        child = self._start(wanted)
        answer: dict[str, Any] = {"problem": ""}
        try:
            if wanted.ready is None:
                self._wait(child, SECONDS)
            else:
                self._wait_until_ready(child, wanted.ready)
                if wanted.needed:
                    self._servers.append((child, wanted))
                    return {"problem": "", "code": None, "output": child.output()}
                self._signal(child, wanted)
        except (TooLate, ChildFailed) as error:
            answer["problem"] = str(error)
        answer["code"] = child.exit_code
        child.stop()
        answer["problem"] = answer["problem"] or self._left_behind(before)
        return {**answer, "output": child.output()}

    def serve(self, command: list[str], ready: str) -> None:
        """Start a collector, which replaces the one that was started before."""
        if self._collector:
            self._collector.stop()
        self._number += 1
        log = self._folder / f"{self._number}.log"
        self._collector = ChildProcess("the collector", ["env", "-C", str(HOME), *command], log=log)
        self._wait_until_ready(self._collector, ready)

    def produce(self, *, failed: bool) -> None:
        """Write one record to the topic, for a stream to store or to keep as a failed event."""
        event = Event(user_id=1, app_name="product_1", event_category="category_1")
        envelope = CONTRACT.envelope.from_posted(event)
        self._topics.produce("events", [b"garbage" if failed else CONTRACT.encode(envelope)])

    def end_page(self) -> None:
        """End the servers that commands of the page needed."""
        while self._servers:
            child, wanted = self._servers.pop()
            self._signal(child, wanted)
            child.stop()

    def _start(self, wanted: Wanted) -> ChildProcess:
        folder = HOME / wanted.folder
        for name, text in wanted.files.items():
            (HOME / name).parent.mkdir(parents=True, exist_ok=True)
            (HOME / name).write_text(text, "utf-8")
        folder.mkdir(parents=True, exist_ok=True)
        self._number += 1
        bash = ["bash", "-euo", "pipefail", "-c", wanted.script]
        return ChildProcess(
            "it",
            ["env", "-C", str(folder), *bash],
            log=self._folder / f"{self._number}.log",
            environment={} if wanted.own_java else self._java.environment,
        )

    @staticmethod
    def _wait(child: ChildProcess, seconds: float) -> None:
        with suppress(ChildFailed):  # the exit code says so
            child.wait(seconds=seconds)

    @staticmethod
    def _wait_until_ready(child: ChildProcess, ready: str) -> None:
        def is_ready() -> bool:
            child.check()
            return ready in child.output()

        wait_until(is_ready, repr(ready), seconds=SECONDS)

    def _signal(self, child: ChildProcess, wanted: Wanted) -> None:
        os.killpg(child.pid, wanted.signal)
        self._wait(child, END_SECONDS)

    @staticmethod
    def _left_behind(before: set[int]) -> str:
        """Wait for the processes that a script started to end; kill and name the others."""

        def left() -> list[psutil.Process]:
            new = [each for each in psutil.process_iter() if each.pid not in before]
            return [each for each in new if _is_alive(each)]

        try:
            wait_until(lambda: not left(), "the end", seconds=END_SECONDS)
        except TooLate:
            remaining = left()
            for process in remaining:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            return f"left behind: {remaining}"
        return ""


def _is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def _furnish(checkout: Path) -> None:
    """Give the reader a folder, a key file, and a curl that says how it was answered."""
    shutil.copytree(checkout / "examples", HOME / "examples")
    for name in ("acme_events.py", "released"):
        source, copy = checkout / "examples" / name, HOME / name
        shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
    (HOME / "events-data").symlink_to("/data")
    if not os.environ.get("EVENTS_CAMPAIGN"):  # then the first hour's line makes this folder
        with suppress(FileExistsError):
            (checkout / "events-data").symlink_to("/data")
    Path("/etc/events/tokens").write_text("SECRET\n", "utf-8")
    (HOME / ".curlrc").write_text(CURL, "utf-8")
    for name in [each for each in os.environ if each.startswith(FOREIGN)]:
        del os.environ[name]
    os.environ |= {
        "CURL_HOME": str(HOME),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
    }


def main(folder: Path, checkout: Path, java_options: str) -> None:
    """Answer each request until there are no more."""
    shut_in(folder, checkout)
    print(json.dumps("shut in"), flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    _furnish(checkout)
    with ExitStack() as stack:
        inside = Inside(folder, java_options, stack)
        print(json.dumps("ready"), flush=True)
        for line in sys.stdin:
            print(json.dumps(_answer(inside, json.loads(line))), flush=True)


def _answer(inside: Inside, request: dict[str, Any]) -> dict[str, Any] | None:
    match request.pop("do"):
        case "run":
            return inside.run(Wanted(**request))
        case "produce":
            inside.produce(**request)
        case "serve":
            inside.serve(**request)
        case "end_page":
            inside.end_page()
    return None


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
