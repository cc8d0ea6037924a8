"""The commands: their flags, and what they refuse before Spark starts."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics_support.raw_schema import RAW
from events_analytics.cli import main
from events_analytics.job.command import make_job
from events_analytics.job.job import Job
from events_analytics.settings import DdlSettings, Engine, RunSettings
from events_analytics.versions.layout import Layout, SortBy
from events_schema import Contract, Event
from events_schema.runtime.command import read_settings
from events_schema.runtime.errors import UsageError
from line_support.processes import wait_until_ended

DEADLINE_SECONDS = 90
CONTRACT = Contract(Event)
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
QUICK = ("--conf", "spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A raw table of a thousand rows of nulls."""
    path = tmp_path / "raw" / "event_date=2026-11-24" / "a.parquet"
    path.parent.mkdir(parents=True)
    nulls = [pa.nulls(1000, field.type) for field in RAW]
    pq.write_table(pa.table(nulls, schema=RAW), path)
    return tmp_path / "raw"


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run the command in this process; return its exit code and its one line on stderr."""
    code = main(arguments)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("events-analytics: ")
    return code, line


@pytest.mark.parametrize(
    ("text", "time_"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00+01:30", datetime(2026, 1, 31, 10, 30, tzinfo=UTC)),
        ("2026-01-31T12:00:00.000001-00:00", datetime(2026, 1, 31, 12, 0, 0, 1, tzinfo=UTC)),
    ],
)
def test_processing_times_have_a_zone(text: str, time_: datetime) -> None:
    """An ISO-8601 time with a zone is read to the microsecond."""
    assert (
        read_settings(
            RunSettings, "events-analytics run", ["--processing-time", text]
        ).processing_time
        == time_
    )


@pytest.mark.parametrize(
    "text",
    [
        "now",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00:00.1234567Z",
        "2026-02-30T12:00:00Z",
        "2026-01-31T25:00:00Z",
        "1700000000",
        "0001-01-01T00:00:00+01:00",
        "1969-12-31T23:59:59Z",
        "9999-12-31T23:59:59-01:00",
        "\u0662026-01-31T12:00:00Z",
    ],
)
def test_other_times_are_refused(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """Any other text for the time ends with exit code 2 and an example."""
    code, line = refused(capsys, "run", "--processing-time", text)
    assert code == 2
    assert "--processing-time" in line
    assert repr(text) in line


def test_flags_have_defaults_that_work_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without flags the stream's default target is read; the environment names the same."""
    monkeypatch.delenv("EVENTS_ANALYTICS_SOURCE", raising=False)
    settings = read_settings(RunSettings, "events-analytics run")
    assert (settings.source, settings.target) == ("./events-data/raw", "./events-data/enriched")
    assert (settings.master, settings.driver_memory, settings.keep_versions) == (
        "local[*]",
        "1g",
        1,
    )
    monkeypatch.setenv("EVENTS_ANALYTICS_SOURCE", "elsewhere")
    assert read_settings(RunSettings, "events-analytics run").source == "elsewhere"


def test_spark_settings_are_flags() -> None:
    """`--conf` is repeatable, its values may hold commas, and it comes last."""
    arguments = ["--driver-memory", "3g", "--conf", "spark.a=1,2,b=c", "--conf", "spark.d=e=f"]
    settings = read_settings(RunSettings, "events-analytics run", arguments).session_settings()
    assert settings == {"spark.driver.memory": "3g", "spark.a": "1,2,b=c", "spark.d": "e=f"}
    both = read_settings(RunSettings, "events-analytics run", ["--conf", "spark.driver.memory=2g"])
    assert both.session_settings() == {"spark.driver.memory": "2g"}


def test_a_job_is_what_the_flags_say() -> None:
    """Days, durations and layouts are read, and what is not given is as it was in 1.0."""
    days = ["--window", "90 minutes", "--since", "30 days"]
    flags = [*days, "--files", "3", "--sort-by", "user_id"]
    job = make_job(read_settings(RunSettings, "events-analytics run", flags), CONTRACT, NOW)
    assert (job.window, job.files, job.sort_by) == (timedelta(minutes=90), 3, SortBy.USER_ID)
    assert job.first_day == date(2026, 1, 1)
    by_day = read_settings(
        RunSettings, "events-analytics run", ["--since", "2026-01-02", "--layout", "events"]
    )
    assert make_job(by_day, CONTRACT, NOW).first_day == date(2026, 1, 2)
    plain = make_job(read_settings(RunSettings, "events-analytics run"), CONTRACT, NOW)
    assert plain == Job(CONTRACT, "./events-data/raw", "./events-data/enriched", NOW)
    users = read_settings(
        RunSettings, "events-analytics run", ["--layout", "users", "--sort-by", "user_id"]
    )
    with pytest.raises(UsageError, match="leave out"):
        make_job(users, CONTRACT, NOW)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--conf", "a=1"],
        ["--conf", "spark.a"],
        ["--driver-memory", "lots"],
        ["--keep-versions", "-1"],
        ["--window", "3"],
        ["--window", "0 hours"],
        ["--since", "yesterday"],
        ["--since", "2026-02-30"],
        ["--files", "0"],
        ["--sort-by", "event_value"],
        ["--layout", "rows"],
    ],
)
def test_wrong_flags_are_refused(arguments: list[str]) -> None:
    """A setting that Spark would not take is refused by its flag."""
    with pytest.raises(UsageError, match=arguments[0]):
        read_settings(RunSettings, "events-analytics run", arguments)


def test_sources_are_refused_before_spark(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, source: Path
) -> None:
    """A missing or empty source, or a file, is refused, and makes no folder."""
    (tmp_path / "empty").mkdir()
    for wrong, said in (
        (tmp_path / "nothing", "does not exist"),
        (source / "event_date=2026-11-24" / "a.parquet", "is a file"),
        (tmp_path / "empty", "no parquet files"),
    ):
        target = tmp_path / "out" / "enriched"
        code, line = refused(capsys, "run", "--source", str(wrong), "--target", str(target))
        assert code == 1
        assert said in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", ["run", "check", "report", "ddl"])
def test_a_contract_is_loaded_first(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    verb: str,
) -> None:
    """A contract that cannot be had ends each verb with exit code 2, whatever else is wrong."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    more = ["--engine", "athena"] if verb == "ddl" else []
    code, line = refused(capsys, verb, "--contract", "nowhere:Event", *more)
    assert code == 2
    assert "module nowhere not found" in line
    monkeypatch.setenv("EVENTS_CONTRACT", "analytics_support.own_fields:ShopEvent")
    code, line = refused(capsys, verb, *more)
    assert code == 2
    assert "--allow-unreleased" in line
    assert list(tmp_path.iterdir()) == []


def test_a_contract_is_of_the_environment_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """EVENTS_CONTRACT names it for all commands, and --allow-unreleased tries it out."""
    monkeypatch.setenv("EVENTS_CONTRACT", "analytics_support.own_fields:ShopEvent")
    assert main(["ddl", "--engine", "trino", "--allow-unreleased"]) == 0
    assert "    shipped timestamp(6),\n    coupon varchar" in capsys.readouterr().out


@pytest.mark.parametrize("target", ["s3://bucket/enriched", "/proc", "/dev/null/x", "/dev/null"])
def test_targets_are_refused_before_spark(
    capsys: pytest.CaptureFixture[str], source: Path, target: str
) -> None:
    """A remote, mounted, misplaced or unwritable target is refused."""
    code, line = refused(capsys, "run", "--source", str(source), "--target", target)
    assert code == 1
    assert target.partition("/x")[0] in line


@pytest.mark.parametrize("verb", ["run", "check"])
@pytest.mark.parametrize("version", [None, "11.0.2", "25.0.1"])
def test_wrong_java_is_refused_first(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    verb: str,
    version: str | None,
) -> None:
    """Without a Java of a supported version both verbs say which one to install."""
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    if version:
        java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
        java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    code, line = refused(capsys, verb)
    assert code == 1
    assert "install Java 17 or 21" in line


@contextmanager
def command(*arguments: str | Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command in a separate process, and end it and its children at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "events_analytics", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    children: list[psutil.Process] = []
    try:
        yield process
    finally:
        if process.poll() is None:
            children = psutil.Process(process.pid).children(recursive=True)
            process.kill()
        for child in children:
            child.kill()
        process.communicate(timeout=DEADLINE_SECONDS)


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until `condition` holds while `process` runs."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def words_of_children(process: subprocess.Popen[str]) -> set[str]:
    """Return the words of the command lines of what `process` has started."""
    words: set[str] = set()
    for child in psutil.Process(process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            words.update(child.cmdline())
    return words


def names(folder: Path) -> set[str]:
    """Return the names in a folder, none where it is not there."""
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


@pytest.mark.extended
def test_a_run_publishes_and_leaves_no_process(tmp_path: Path, source: Path) -> None:
    """It says so in one line; the memory that was asked for is Java's."""
    target = tmp_path / "enriched"
    folders = ["--source", str(source), "--target", str(target)]
    with command("run", *folders, *QUICK, "--driver-memory", "600m") as run:
        wait_until(lambda: "-Xmx600m" in words_of_children(run), run)
        processes = psutil.Process(run.pid).children(recursive=True)
        out, err = run.communicate(timeout=DEADLINE_SECONDS)
    assert (run.returncode, err) == (0, "")
    assert out.startswith("published 1000 rows of 0 users as version v")
    wait_until_ended(processes)


@pytest.mark.extended
def test_a_run_that_is_ended_while_java_starts_leaves_nothing(tmp_path: Path, source: Path) -> None:
    """Ended while Spark's Java starts, a run leaves neither a process nor a folder of rows."""
    folders = ["--source", str(source), "--target", str(tmp_path / "enriched")]
    with command("run", *folders, *QUICK) as run:
        wait_until(lambda: "org.apache.spark.deploy.SparkSubmit" in words_of_children(run), run)
        processes = psutil.Process(run.pid).children(recursive=True)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=DEADLINE_SECONDS)
    assert run.returncode == 130
    assert (out, err) == ("", "events-analytics: interrupted; the old result stays\n")
    _, alive = psutil.wait_procs(processes, timeout=DEADLINE_SECONDS)
    assert not alive
    assert names(tmp_path / "enriched.versions") == {"lock"}


@pytest.mark.extended
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_run_that_is_ended_leaves_the_old_result(
    tmp_path: Path, source: Path, number: signal.Signals, code: int
) -> None:
    """Ended while Spark writes, a run leaves what was there, and the next one tidies up."""
    target, versions = tmp_path / "enriched", tmp_path / "enriched.versions"
    folders = ["--source", str(source), "--target", str(target)]
    with command("run", *folders, *QUICK) as run:
        wait_until(lambda: any(name.endswith(".staging") for name in names(versions)), run)
        processes = psutil.Process(run.pid).children(recursive=True)
        run.send_signal(number)
        out, err = run.communicate(timeout=DEADLINE_SECONDS)
    assert run.returncode == code
    assert not target.exists()
    _, alive = psutil.wait_procs(processes, timeout=DEADLINE_SECONDS)
    assert not alive
    if number != signal.SIGKILL:
        assert (out, err) == ("", "events-analytics: interrupted; the old result stays\n")
        assert names(versions) == {"lock"}
        return
    with command("run", *folders, *QUICK) as again:
        out, err = again.communicate(timeout=DEADLINE_SECONDS)
    assert (again.returncode, err) == (0, "")
    assert names(versions) == {"lock", f"{out.split()[8]}.json"}


def test_the_names_of_choices_are_accepted() -> None:
    """A layout, an order and an engine may be given in capitals, as the help of 3.0 showed them."""
    flags = ["--layout", "USERS", "--sort-by", "USER_ID"]
    run = read_settings(RunSettings, "events-analytics run", flags)
    assert (run.layout, run.sort_by) == (Layout.USERS, SortBy.USER_ID)
    ddl = read_settings(DdlSettings, "events-analytics ddl", ["--engine=TRINO", "--layout=EVENTS"])
    assert (ddl.engine, ddl.layout) == (Engine.TRINO, Layout.EVENTS)
    with pytest.raises(UsageError, match="expected 'events' or 'users', not 'Users'"):
        read_settings(RunSettings, "events-analytics run", ["--layout", "Users"])


def test_a_metrics_file_that_is_not_utf_8_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong name of bytes that are not UTF-8 ends the command with 2 and one line."""
    code, line = refused(capsys, "run", "--metrics-file", os.fsdecode(b"\xff"))
    assert code == 2
    assert line.startswith("events-analytics: --metrics-file: '\\udcff' does not end in .prom")
