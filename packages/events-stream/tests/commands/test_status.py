"""`status` describes a table in plain words."""

from __future__ import annotations

import errno
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from events_schema.tables.paths import TablePaths
from events_stream import open_table
from events_stream.cli import main
from events_stream.commands.status import describe
from events_stream.table.folder.commit import CommitKind
from events_stream.table.position import Backlog, Cut, Loss
from events_stream.table.steps import Step
from stream_support.contracts import PRICED
from stream_support.envelopes import NOON
from stream_support.staged_change import store_batch, write_batch

METADATA = '{"batchWatermarkMs":0,"batchTimestampMs":1769860800000}'


def said(folder: Path, now: datetime = NOON) -> dict[str, str]:
    """Return the description of the table in `folder`, by label."""
    return dict(describe(TablePaths.at(str(folder / "raw")), folder / "checkpoint", now))


def plan(folder: Path, batch: int, end: int | str) -> None:
    """Write a checkpoint in which Spark planned a batch of partition 0 up to `end`."""
    query = folder / "checkpoint" / "query"
    for name, offset in (("sources/0/0", 0), (f"offsets/{batch}", end)):
        (query / name).parent.mkdir(parents=True, exist_ok=True)
        (query / name).write_text(f'v1\n{METADATA}\n{{"events":{{"0":{offset}}}}}')


@pytest.mark.parametrize("verb", ["status", "failed", "replay-failed --dry-run"])
def test_a_table_that_this_user_may_not_read_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    verb: str,
) -> None:
    """The command ends with a one-line error."""

    def refuse(_: str) -> TablePaths:
        raise PermissionError(errno.EACCES, "Permission denied", "/data/raw.control/log")

    monkeypatch.setattr(TablePaths, "at", refuse)
    assert main([*verb.split(), "--target", str(tmp_path / "raw")]) == 1
    assert "cannot read /data/raw.control/log: Permission denied; run" in capsys.readouterr().err


def test_a_stored_table_is_described(tmp_path: Path) -> None:
    """It says rows, days, age, source and failed events."""
    (tmp_path / "checkpoint").mkdir()
    with open_table(str(tmp_path / "raw")) as table:
        with table.change(CommitKind.BATCH) as change:
            write_batch(change)
            change.complete_up_to = NOON - timedelta(seconds=70)
            change.lost = (Loss(partition=0, start=3, end=5),)
        assert said(tmp_path)["stream"] == "running"
    committed_at = change.commit.committed_at
    now = said(tmp_path, NOON + timedelta(seconds=42))
    now["last change"] = said(tmp_path, committed_at + timedelta(seconds=42))["last change"]
    assert now == {
        "stream": "not running",
        "table": f"{tmp_path}/raw: 2 rows in 2 files, 2 days, 2026-01-01 to 2026-01-02",
        "last change": f"commit 0, {committed_at:%Y-%m-%d %H:%M:%S} UTC (0:00:42 ago)",
        "complete": "up to 2026-01-31 11:58:50 UTC (0:01:52 ago); "
        "every event acknowledged before that is stored, but for what Kafka lost, as told below",
        "source": "topic events of cluster c",
        "next offsets": "0: 1",
        "records": "3 read = 2 stored + 0 copies + 1 failed",
        "failed": "1 kept; `events-stream failed --summary` counts them",
        "lost": "partition 0: offsets 3 to 4, accepted",
        "checkpoint": "no batch planned; the stream will start where the table ends",
    }


class Killed(BaseException):
    """Stands for kill -9."""


def kill_at_the_first_rename(step: Step) -> None:
    """Raise `Killed` when one file of a commit is in the table."""
    if step is Step.PLACED_ONE:
        raise Killed


def test_an_unfinished_commit_is_not_called_complete(tmp_path: Path) -> None:
    """The description says so until the next start has finished the commit."""
    with open_table(str(tmp_path / "raw")) as table:
        table.watch = kill_at_the_first_rename
        with suppress(Killed), table.change(CommitKind.BATCH) as change:
            write_batch(change)
            change.complete_up_to = NOON
        assert said(tmp_path)["complete"].startswith("up to 2026-01-31 12:00:00 UTC")
    now = said(tmp_path)
    assert now["complete"] == "no: commit 0 is unfinished"
    assert "killed while it put 3 files into the table and removed 0; the" in now["unfinished"]
    assert "missing" not in now
    with open_table(str(tmp_path / "raw")):
        pass
    assert said(tmp_path)["complete"].startswith("up to 2026-01-31 12:00:00 UTC")


@pytest.mark.parametrize(
    ("shrinks_by", "text"),
    [
        (None, "how long catching up will take is not known yet"),
        (-5.0, "it grows: more events arrive than are stored"),
        (1000.0, "caught up in about 0:01:30"),
        (10_000.0, "it should have caught up by now; if this stays, read the stream's log"),
    ],
)
def test_a_backlog_is_described(tmp_path: Path, shrinks_by: float | None, text: str) -> None:
    """The time that it will take counts from now."""
    with open_table(str(tmp_path / "raw")) as table, table.change(CommitKind.BATCH) as change:
        write_batch(change)
        change.backlog = Backlog(records=120_000, at=NOON, shrinks_by=shrinks_by)
    later = NOON + timedelta(seconds=30)
    about = "120,000 records on 2026-01-31 12:00:00 UTC (0:00:30 ago)"
    with open_table(str(tmp_path / "raw")):
        assert said(tmp_path, later)["behind"] == f"{about}; {text}"
    assert said(tmp_path, later)["behind"] == f"{about}; start the stream to store them"


def test_cuts_of_kafkas_log_are_told(tmp_path: Path) -> None:
    """They stay in the description."""
    with open_table(str(tmp_path / "raw")) as table:
        with table.change(CommitKind.BATCH) as change:
            write_batch(change)
        with table.change(CommitKind.LOSS) as change:
            change.cuts = (Cut(partition=0, offset=60, table_end=100, found_at=NOON),)
        store_batch(table)
    assert said(tmp_path)["cut"] == (
        "partition 0 at offset 60, found 2026-01-31 12:00:00 UTC (0:00:00 ago); the table had read "
        "up to 100; acknowledged events after that may be lost"
    )


def test_a_checkpoint_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Somebody who forgot --checkpoint is not told about a checkpoint that no stream uses."""
    with open_table(str(tmp_path / "raw")) as table:
        store_batch(table)
    text = said(tmp_path)["checkpoint"]
    assert text.startswith(f"{tmp_path}/checkpoint does not exist; if the stream uses another one")


def test_own_fields_are_named(tmp_path: Path) -> None:
    """Own fields are listed in order, with the contract's names of their types."""
    with open_table(str(tmp_path / "raw")) as table, table.change(CommitKind.BATCH) as change:
        write_batch(change)
        change.own_types = PRICED.own_types
    assert said(tmp_path)["own fields"] == "plan: Text, price: Float64"


def test_an_empty_table_is_described(tmp_path: Path) -> None:
    """A new table is described as empty."""
    with open_table(str(tmp_path / "raw")):
        assert said(tmp_path) == {"stream": "running", "table": f"{tmp_path}/raw: empty"}


@pytest.mark.parametrize(
    ("end", "running", "text"),
    [
        (1, False, "its last batch, 7, is stored"),
        (9, False, "batch 7 was not stored; the stream will start where the table ends"),
        (9, True, "batch 7 is being stored, up to 0: 9"),
        ('"', False, "unreadable, which is harmless: the stream will start where the table ends"),
    ],
)
def test_the_checkpoint_is_compared_with_the_table(
    tmp_path: Path, end: int | str, running: bool, text: str
) -> None:
    """The description says whether the last planned batch is stored."""
    plan(tmp_path, 6, 0)
    plan(tmp_path, 7, end)
    with open_table(str(tmp_path / "raw")) as table:
        store_batch(table)
        if running:
            assert said(tmp_path)["checkpoint"] == text
    if not running:
        assert said(tmp_path)["checkpoint"] == text


def test_missing_files_and_a_clock_that_is_behind_are_reported(tmp_path: Path) -> None:
    """Files are reported as missing only when no stream runs, since a commit precedes its files."""
    with open_table(str(tmp_path / "raw")) as table:
        store_batch(table)
        next((tmp_path / "raw").rglob("*.parquet")).unlink()
        assert "missing" not in said(tmp_path)
    assert said(tmp_path)["missing"].startswith(
        "1 files that the log lists, for example raw/event_"
    )
    assert "ahead of this machine's clock" in said(tmp_path, NOON - timedelta(1))["last change"]
    assert said(tmp_path)["complete"] == "not yet: a backlog is being read"


def test_the_command_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints one line for each label, and an error if there is no table."""
    flags = ["--target", str(tmp_path / "raw"), "--checkpoint", str(tmp_path / "checkpoint")]
    assert main(["status", *flags]) == 1
    assert "there is no table at" in capsys.readouterr().err
    with open_table(str(tmp_path / "raw")) as table:
        store_batch(table)
    assert main(["status", *flags]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "stream        not running"
    assert len(lines) == 9
