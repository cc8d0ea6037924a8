"""Runs the whole line on this machine, from HTTP to SQL (`events-loadgen simulate`)."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from events_loadgen.errors import (
    CountsDisagree,
    FolderNotEmpty,
    Interrupted,
    NotAcknowledged,
    TooLate,
)
from events_loadgen.line.kafka import GivenKafka, Kafka, kafka_environment
from events_loadgen.line.line import TOPIC, Line, contract_flags
from events_loadgen.line.query import StoredCount, answer, count_stored, users_query
from events_loadgen.line.stats import serve_stats
from events_loadgen.load.classic import classic_events
from events_loadgen.load.client import post_events
from events_loadgen.load.load import choose_seed
from events_loadgen.load.progress import Step, show_step
from events_loadgen.load.report import Report
from events_loadgen.processes.broker import COORDINATES, LocalBroker
from events_loadgen.processes.child import ChildProcess
from events_loadgen.processes.interruption import Interruption
from events_loadgen.processes.waiting import wait_until
from events_loadgen.settings import SimulateSettings
from events_schema import Contract, EventsError
from events_schema.runtime.files import refusing_unwritable
from events_schema.runtime.java.find import find_java
from events_schema.runtime.java.jars import resolve_jars
from events_schema.runtime.session.start import connector_jars

READY_SECONDS = 60.0
STORED_SECONDS = 120.0
"""How long the stream may make no progress."""
BATCH_SECONDS = 600.0
AGGREGATE_EVERY_SECONDS = 60


def run_simulation(settings: SimulateSettings, contract: Contract[Any]) -> None:
    """Run the line with `settings` and `contract`, and stop every process afterwards.

    Raises `EventsError` if a part fails, `CountsDisagree` if an event is lost or stored twice,
    `Interrupted` if a signal arrives before the result is checked.
    """
    started = time.monotonic()
    with Interruption() as interruption, ExitStack() as children:
        with interruption.at_once():
            find_java()
            given = None if settings.brokers is None else GivenKafka.of(settings)
            with show_step("Fetching jars (downloaded once)"):
                connector_jars()
                if given is None:
                    resolve_jars(COORDINATES)
        folder = open_folder(settings.dir)
        print(f"all data and logs are in {folder}", flush=True)
        kafka = given or LocalBroker(folder / "kafka", pause=interruption.pause)
        # fmt: off
        line = Line(
            folder, kafka.bootstrap, contract, contract_flags(settings),
            topic=given.topic if given else TOPIC, kafka_settings=kafka_environment(settings),
        )
        # fmt: on
        simulation = Simulation(settings, interruption, children, kafka, line)
        try:
            simulation.run()
        except EventsError:
            interruption.check()  # Ctrl-C also makes short-lived children fail
            raise
        print(f"\nall done in {time.monotonic() - started:.0f} s", flush=True)
        if settings.keep:
            simulation.keep()


def open_folder(given: Path | None) -> Path:
    """Return the folder for all data; create it if it does not exist.

    Raises `FolderNotEmpty`, and `PublishError` if it cannot be written.
    """
    if given is None:
        return Path(tempfile.mkdtemp(prefix="events-"))
    folder = given.resolve()
    with refusing_unwritable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise FolderNotEmpty(f"--dir {folder} is not empty; give a new folder")
    return folder


@dataclass
class Simulation:
    """One run of the line. Closing `children` ends every process that it starts."""

    settings: SimulateSettings
    interruption: Interruption
    children: ExitStack
    kafka: Kafka
    line: Line
    _services: list[ChildProcess] = field(default_factory=list)
    """The child processes that should be running now."""

    def run(self) -> None:
        """Post the events, follow them through the line, and check the result."""
        self._start_kafka_and_collector()
        stream = self._start_service(self.line.start_stream())
        posted = self._post().acknowledged
        self._wait_until_stored(posted)
        if not self.settings.keep:
            self._finish(stream)
        self._aggregate()
        self._check_result(posted)
        self._show_result()

    def keep(self) -> None:
        """Aggregate every minute until a signal arrives. Raises `EventsError` if a part fails."""
        print(
            f"\nthe line is running; Ctrl-C stops it\n"
            f"  Kafka      {self.kafka.bootstrap}, topic {self.line.topic}\n"
            f"  collector  {self.line.url}\n"
            f"  demo page  {self.line.demo_url}\n\n"
            f"send an event; it is in the enriched table within 2 minutes:\n\n"
            f"{self.line.curl()}\n",
            flush=True,
        )
        try:
            while True:
                for _ in range(AGGREGATE_EVERY_SECONDS):
                    self._pause(1.0)
                print(self._run_batch(self.line.start_aggregation()).strip(), flush=True)
        except Interrupted:
            print("stopping", flush=True)

    def _start_kafka_and_collector(self) -> None:
        with show_step("Starting Kafka and the collector"):
            self.children.callback(self.kafka.stop)
            self.kafka.launch()
            if self.settings.keep:
                self.children.enter_context(serve_stats(self.line))
            self._start_service(self.line.start_collector(demo=self.settings.keep))
            self.kafka.wait_until_ready()
            wait_until(
                self.line.collector_ready,
                "the collector to be ready",
                seconds=READY_SECONDS,
                pause=self._pause,
            )

    def _start_service(self, child: ChildProcess) -> ChildProcess:
        self.children.enter_context(child)
        self._services.append(child)
        return child

    def _pause(self, seconds: float) -> None:
        """Sleep; raise if a signal arrived or a part of the line has exited."""
        self.interruption.pause(seconds)
        self.kafka.check()
        for service in self._services:
            service.check()

    def _post(self) -> Report:
        seed = choose_seed(self.settings.seed)
        with show_step("Posting events", self.settings.events) as step:
            report = asyncio.run(self._post_until_interrupted(seed, step))
        print(f"seed          {seed}", *report.lines(), sep="\n", flush=True)
        if report.acknowledged != self.settings.events:
            missing = self.settings.events - report.acknowledged
            raise NotAcknowledged(
                f"the collector did not acknowledge {missing} of {self.settings.events} events "
                f"({report.first_refusal or report.last_failure}); see {self.line.logs}"
            )
        return report

    async def _post_until_interrupted(self, seed: int, step: Step) -> Report:
        done = itertools.count(1)
        posting = asyncio.ensure_future(
            post_events(
                classic_events(self.settings.events, seed, self.line.contract),
                url=self.line.url,
                token=self.line.token,
                concurrency=self.settings.concurrency,
                on_event=lambda: step.update(next(done)),
            )
        )
        try:
            while not posting.done():
                self._pause(0)
                await asyncio.wait({posting}, timeout=0.1)
        finally:
            posting.cancel()
        return await posting

    def _wait_until_stored(self, wanted: int) -> None:
        with show_step("Storing events", wanted) as step:
            count, changed = self._count(), time.monotonic()
            while count.rows < wanted:
                self._pause(0.25)
                before, count = count, self._count()
                step.update(count.rows)
                if count != before:
                    changed = time.monotonic()
                elif time.monotonic() > changed + STORED_SECONDS:
                    raise TooLate(
                        f"only {count.rows} of {wanted} events are stored, and none were added "
                        f"for {STORED_SECONDS:g} s; see {self.line.logs}"
                    )
        if (count.rows, count.events) != (wanted, wanted):
            raise CountsDisagree(
                f"{wanted} events were acknowledged, but {self.line.raw} has {count.rows} rows "
                f"with {count.events} distinct events"
            )

    def _count(self) -> StoredCount:
        return count_stored(self.line.raw, self.line.contract)

    def _finish(self, service: ChildProcess) -> None:
        with show_step("Stopping the stream"):
            self._services.remove(service)
            service.stop()
            if service.exit_code != 0:
                service.check()

    def _aggregate(self) -> None:
        with show_step("Aggregating"):
            said = self._run_batch(self.line.start_aggregation())
        print(said.strip(), flush=True)

    def _check_result(self, wanted: int) -> None:
        with show_step("Checking the result"):
            said = self._run_batch(self.line.start_check())
        print(said.rstrip(), flush=True)
        if f"Rows in the result dataset: {wanted}" not in said.splitlines():
            raise CountsDisagree(f"{self.line.enriched} does not have {wanted} rows; see above")

    def _run_batch(self, child: ChildProcess) -> str:
        """Wait for a child that exits when it is done; return its output."""
        with child:
            child.wait(seconds=BATCH_SECONDS, pause=self._pause)
            return child.output()

    def _show_result(self) -> None:
        sql = users_query(self.line.enriched)
        print(
            f"\nraw events       {self.line.raw}\n"
            f"enriched events  {self.line.enriched}\n"
            f"logs             {self.line.logs}\n\n"
            f"in DuckDB:\n\n{sql}\n\n{answer(sql)}",
            flush=True,
        )
