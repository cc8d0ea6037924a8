"""The line that the documentation's commands find: Kafka, a collector, and both tables."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from documentation_support.commands import Unit, one_line, units
from documentation_support.pages import ROOT, SHELL, Block, blocks, pages
from documentation_support.room import Room
from documentation_support.servers import COLLECTOR, STREAM, server

EXCEPTIONS = Path(__file__).parents[1] / "exceptions.toml"
CAMPAIGN = bool(os.environ.get("EVENTS_CAMPAIGN"))
ADD_A_FIELD = "docs/how-to/add-a-field.md"
FIRST_HOUR = "docs/start/first-hour.md"
STORIES = (FIRST_HOUR, "docs/how-to/backup-and-restore.md")
"""Their commands run also if another page had the same: each needs the ones before."""
FOLDERS = {
    ADD_A_FIELD: (".", "acme-events"),
    FIRST_HOUR: (str(ROOT), str(ROOT)),
    "examples/README.md": ("examples", "examples"),
}
"""Where a page says that its files are and its commands run; all others: the reader's folder."""
COLLECTOR_WORDS = [
    "events-ingest", "serve", "--token", "SECRET", "--public-key", "pk_web https://shop.example",
]  # fmt: skip
OWN_CONTRACT = ["--contract", "acme_events:AcmeEvent"]
PREPARING = (
    "events-loadgen run --url http://localhost:8000 --token SECRET --events 200",
    "events-stream run --brokers kafka:9092 --target /data/raw --checkpoint /data/checkpoint",
    "events-analytics run --source /data/raw --target /data/enriched",
)
"""Documented commands that fill the tables; they run before all others."""
BEFORE = {
    "git show main:": "git init -q -b main && git add . && "
    "git -c user.name=reader -c user.email=reader@example.com commit -q -m 'Release 1.0.0'",
}
"""What a reader has done before a command, by how the command starts."""
_OWN_JAVA = re.compile(r"events-loadgen simulate|hatch run demo")
_STATUS = re.compile(r"^HTTP (\d{3})$", re.MULTILINE)
_ERRORS = 400
_SHOWN = 3000


def exceptions(*kinds: str) -> dict[str, str]:
    """Return the commands of these kinds in the list of exceptions, each with the reason.

    By default, these are the commands that do not run now: those that cannot run here, and unless
    this is a campaign also those that take long.
    """
    listed = tomllib.loads(EXCEPTIONS.read_text("utf-8"))
    kinds = kinds or (("cannot",) if CAMPAIGN else ("cannot", "long"))
    return {
        one_line(each.strip()): group["why"]
        for kind in kinds
        for group in listed[kind]
        for each in group["run"]
    }


def shell_blocks(page: str) -> list[Block]:
    """Return the blocks of a page that a reader would type into a shell."""
    return [block for block in blocks(page) if block.language in SHELL]


def pages_with_commands() -> list[str]:
    """Return the pages to run; the last one changes the collector."""
    found = [page for page in pages() if any(True for _ in page_units(page, exceptions()))]
    return sorted(found, key=lambda page: page == ADD_A_FIELD)


def page_units(page: str, left_out: Iterable[str]) -> Iterator[Unit]:
    """Return what runs of a page."""
    names = set(left_out)
    for block in shell_blocks(page):
        yield from units(block, names)


@dataclass
class Line:
    """Runs the commands of pages in a room; each once, unless its page tells a story."""

    room: Room
    _faults: dict[str, str] = field(default_factory=dict)

    def prepare(self) -> None:
        """Run the documented collectors, then one that stays; fill the tables."""
        for page in pages_with_commands():
            for unit in page_units(page, exceptions()):
                if unit.server is COLLECTOR:
                    self._fault_once(unit)
        self._serve(COLLECTOR_WORDS)
        self.room.ask("produce", failed=True)
        for command in PREPARING:
            block = Block("preparation", 0, "sh", "", command)
            self._fault_once(Unit(block, command, server(command)))

    def faults(self, page: str) -> list[str]:
        """Run the commands of a page; return what went wrong."""
        if page == ADD_A_FIELD:
            self._serve([*COLLECTOR_WORDS, *OWN_CONTRACT])
        found = [self._fault_once(unit) for unit in page_units(page, exceptions())]
        self.room.ask("end_page")
        return [fault for fault in found if fault]

    def _serve(self, words: list[str]) -> None:
        self.room.ask("serve", command=words, ready=COLLECTOR.ready)

    def _fault_once(self, unit: Unit) -> str:
        """Run a unit that has not run yet; return what went wrong now or then."""
        tells = unit.block.page in STORIES and unit.server is not COLLECTOR
        if tells or unit.script not in self._faults:
            self._faults[unit.script] = self._fault(unit)
        return self._faults[unit.script]

    def _fault(self, unit: Unit) -> str:
        for start, script in BEFORE.items():
            if unit.script.startswith(start):
                self._ask(Unit(unit.block, script))
        if unit.server is STREAM:
            self.room.ask("produce", failed=False)  # for a batch that it can store
        answer = self._ask(unit)
        problem = answer["problem"] or _problem(unit, answer["code"], answer["output"])
        if not problem:
            return ""
        return f"{unit.block}: {problem}\n{unit.script}\n---\n{answer['output'][-_SHOWN:]}\n---"

    def _ask(self, unit: Unit) -> Any:
        base, folder = FOLDERS.get(unit.block.page, (".", "."))
        serving = unit.server
        return self.room.ask(
            "run",
            script=unit.script,
            folder=folder,
            files={f"{base}/{name}": text for name, text in _files(unit.block.page)},
            own_java=bool(_OWN_JAVA.search(unit.script)),
            **(
                {
                    "ready": serving.ready,
                    "signal": int(serving.signal),
                    "needed": serving.needed,
                }
                if serving
                else {}
            ),
        )


def _files(page: str) -> Iterator[tuple[str, str]]:
    if (ROOT / page).is_file():
        yield from ((block.file, block.text) for block in blocks(page) if block.file)


def _problem(unit: Unit, code: int | None, output: str) -> str:
    if unit.server and unit.server.needed:
        return ""
    expected = unit.server.code if unit.server else 0
    if code != expected:
        return f"exit code {code}, expected {expected}"
    for status in _STATUS.findall(output):
        if (int(status) >= _ERRORS) != unit.block.refused:
            return f"the answer was {status}"
    return ""
