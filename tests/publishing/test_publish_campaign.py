"""Tests of publishing under faults: readers see one complete version at any moment.

CI runs 10 jobs and kills 6 of them; `hatch run campaign publish` runs 50 and kills 30.
`--hypothesis-seed` repeats a schedule.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from threading import Timer

import duckdb
import pytest
from pyspark.sql import SparkSession

from events_loadgen.processes.broker import LocalBroker
from events_schema.tables.paths import TablePaths
from faults_support.shared_java import SharedJava
from publishing_support import dying_run
from publishing_support.dying_run import NEVER, Point
from publishing_support.expected_versions import ExpectedVersions, found
from publishing_support.growing_table import GrowingTable, T
from publishing_support.publishing_run import (
    NOTHING,
    WRITING,
    Before,
    PublishingRun,
    current_versions,
    names,
)
from publishing_support.run_schedule import Moment, Turn, schedule
from publishing_support.tight_readers import TightReader, readers
from stream_support.quick_start import quick_java

pytestmark = pytest.mark.extended

LONG = bool(os.environ.get("EVENTS_CAMPAIGN"))
ALL = 1000
KEPT = 2
READS = 10
TRIES = 4
FILES = 3


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> int:
    """The seed of the schedule and of the events."""
    asked = str(pytestconfig.getoption("--hypothesis-seed"))
    return int(asked) if asked.isdigit() else secrets.randbelow(2**32)


def _random(seed: int) -> Random:
    return Random(seed)  # noqa: S311  # repeatable on purpose


class Campaign:
    """Runs the job in `folder` repeatedly, kills it, and checks what is left."""

    def __init__(self, folder: Path, java: str, shared: SharedJava, seed: int) -> None:
        self.table = GrowingTable(folder / "raw", _random(seed))
        self.paths = TablePaths.at(str(folder / "enriched"))
        self.expected = ExpectedVersions(self.paths, self.table.paths.target)
        self.phases: Counter[str] = Counter()
        """How far the killed runs came."""
        self.runs: list[PublishingRun] = []
        self.published: list[str] = []
        self._folder, self._java, self._shared = folder, java, shared
        self._usual = 0.0

    def take(self, turn: Turn, keep: int = ALL) -> None:
        """Do one run, complete or killed. If it ends before the kill, try again with a new run."""
        for _ in range(TRIES):
            begun = time.monotonic()
            before, files = Before(self.paths), set(self.table.files)
            with self._growing(turn):
                run = self._start(turn, keep, shared=bool(self.published))
                dead = self._killed(run, turn, before, begun)
            if dead:
                self._look_at_the_dead(turn, before.phase())
            else:
                assert run.exit_code == 0, run.said
                self._usual = self._usual or time.monotonic() - begun
            self._note_what_is_published(files)
            if dead == bool(turn.death):
                return
        raise AssertionError(f"no run was {turn}")

    @contextmanager
    def _growing(self, turn: Turn) -> Iterator[None]:
        if not turn.growing:
            self.table.grow()
            yield
            return
        timer = Timer(self._usual * turn.after, self.table.grow)
        timer.start()
        try:
            yield
        finally:
            timer.join()

    def _start(self, turn: Turn, keep: int, *, shared: bool) -> PublishingRun:
        """Start a run: as users do, or in the shared Java if the run is not killed from outside."""
        program, environment = ["-m", "events_analytics"], None
        if shared and not isinstance(turn.death, Moment):
            program = [str(dying_run.__file__), turn.death or NEVER]
            environment = self._shared.environment
        # fmt: off
        command = [
            sys.executable, *program, "run",
            "--source", str(self.table.paths.target), "--target", str(self.paths.target),
            "--processing-time", (T + timedelta(minutes=len(self.runs))).isoformat(),
            "--keep-versions", str(keep), "--files", str(FILES), "--master", "local[2]",
            "--conf", f"spark.driver.extraJavaOptions={self._java}",
            "--conf", "spark.sql.shuffle.partitions=2",
            "--conf", "spark.sql.codegen.wholeStage=false",
            "--conf", "spark.sql.codegen.factoryMode=NO_CODEGEN",
        ]
        # fmt: on
        log = self._folder / f"run-{len(self.runs):04}.log"
        self.runs.append(PublishingRun(command, log, environment))
        return self.runs[-1]

    def _killed(self, run: PublishingRun, turn: Turn, before: Before, begun: float) -> bool:
        """Wait until `run` ends or kill it; return whether it was killed."""
        moments: dict[Moment | Point | None, Callable[[], bool]] = {
            Moment.ANY: lambda: time.monotonic() - begun > self._usual * turn.after,
            Moment.WRITING: lambda: bool(before.staging()),
            Moment.PUBLISHING: lambda: bool(before.manifests()),
        }
        every = 0.001 if turn.death is Moment.PUBLISHING else 0.02
        if turn.death in moments and run.wait_until(moments[turn.death], every):
            run.kill(java=turn.java)
            return True
        run.wait_for_end()
        return isinstance(turn.death, Point) and run.exit_code == -9

    def _look_at_the_dead(self, turn: Turn, phase: str) -> None:
        print(f"  left: {phase}", flush=True)
        self.phases[phase] += 1
        if isinstance(turn.death, Point):
            assert phase == turn.death
        elif turn.death is not Moment.ANY:
            assert phase != NOTHING

    def _note_what_is_published(self, files: set[str]) -> None:
        """The published version is either the earlier one, or made from all earlier files."""
        (version,) = current_versions(self.paths) or {None}
        if version and version not in self.published:
            self.published.append(version)
            made_from = {file.name for file in self.expected.manifest(version).raw_files}
            assert files <= made_from <= set(self.table.files)

    def end(self) -> None:
        """Kill the runs that are still running."""
        for run in self.runs:
            run.end()

    def check_kept(self) -> None:
        """Check that all versions are complete, and that nothing else is left."""
        *old, current = self.published
        expected = {"lock", *old, *(f"{version}.json" for version in self.published)}
        assert names(self.paths.versions) == expected
        folders = [self.paths.target, *(self.paths.versions / version for version in old)]
        with duckdb.connect() as connection:
            for version, folder in zip([current, *old], folders, strict=True):
                rows = f"read_parquet('{folder}/*', filename=true)"
                assert self.expected.check(found(connection, rows)) == version


@pytest.fixture
def campaign(broker: LocalBroker, seed: int, tmp_path: Path) -> Iterator[Campaign]:
    """A campaign with a raw table, before the first run."""
    java = quick_java(broker.bootstrap)
    with SharedJava(java, tmp_path / "java.log") as shared, ExitStack() as ending:
        campaign = Campaign(tmp_path, java, shared, seed)
        ending.callback(campaign.end)
        yield campaign


def test_readers_see_one_version_whole_whatever_is_killed(
    campaign: Campaign, spark: SparkSession, seed: int
) -> None:
    """Readers never see a mixture, a part or nothing, and the next run cleans up."""
    first, *turns, tidying, last = schedule(_random(seed), long=LONG)
    print(f"--hypothesis-seed {seed}")
    campaign.take(first)
    with ExitStack() as reading:
        reads = readers(campaign.paths.target, spark).items()
        all_readers = [
            # Spark's reads keep every core busy, whatever their priority.
            TightReader(name, read, campaign.expected, rest=1 if name == "Spark" else 0)
            for name, read in reads
        ]
        for reader in all_readers:
            reading.enter_context(reader)
        _all_see(all_readers, campaign)
        for number, turn in enumerate(turns, 2):
            print(f"run {number}: {turn}", flush=True)
            campaign.take(turn)
            for reader in all_readers:
                reader.check()
        for run in campaign.runs:
            run.wait_for_java()
        campaign.take(tidying)
        campaign.check_kept()
        campaign.take(last, keep=KEPT)
        _all_see(all_readers, campaign)
    print(f"left: {campaign.phases}", *all_readers, sep="\n")
    assert min(reader.seen.total() for reader in all_readers) >= READS
    assert campaign.phases.keys() >= {WRITING, *Point}
    del campaign.published[: -KEPT - 1]
    campaign.check_kept()


def _all_see(all_readers: list[TightReader], campaign: Campaign) -> None:
    """Wait for each reader to have seen the newest version."""
    for reader in all_readers:
        reader.wait_for(campaign.published[-1])


@pytest.mark.parametrize(("long", "runs", "kills"), [(False, 10, 6), (True, 50, 30)])
def test_a_schedule_has_as_many_kills_as_stated(
    seed: int, long: bool, runs: int, kills: int
) -> None:
    """With any seed, the numbers are right, and some kills leave Java running."""
    turns = schedule(_random(seed), long=long)
    deaths = Counter(turn.death for turn in turns)
    assert (len(turns), len(turns) - deaths[None]) == (runs, kills)
    assert {turn.java for turn in turns if isinstance(turn.death, Moment)} == {True, False}
