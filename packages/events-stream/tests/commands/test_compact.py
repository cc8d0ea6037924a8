"""`compact` says what it would do, does it with --apply, and refuses what it cannot do safely."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from events_schema.runtime import files as file_operations
from events_stream import open_table
from events_stream.cli import main
from events_stream.table.folder.compaction import Compacted, SmallFiles, compact
from events_stream.table.folder.open import open_beside_stream, open_for_maintenance
from events_stream.table.folder.table import Table
from events_stream.table.steps import Step
from line_support.small_disk import fill, mount, small_disk
from stream_support.contracts import CONTRACT
from stream_support.envelopes import envelope
from stream_support.real_files import as_rows, rows, store_events
from stream_support.staged_change import files

EVENTS = [CONTRACT.stored.from_envelope(envelope()) for _ in range(3)]


def make(folder: Path) -> Path:
    """Return a table with three files of one day, and three of failed events."""
    with open_table(str(folder / "raw")) as table:
        for event in EVENTS:
            store_events(table, [event], [b"failed"])
    return folder / "raw"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A table with three files of one day, and three of failed events."""
    return make(tmp_path)


def run(target: Path | str, *flags: str) -> int:
    """Run `events-stream compact`."""
    return main(["compact", "--target", str(target), *flags])


def test_it_says_what_it_would_do_and_does_it(
    target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --apply nothing changes; with it each folder is named; then nothing is left to do."""
    before = files(target)
    assert run(target) == 0
    said = capsys.readouterr().out
    assert said.startswith("would rewrite 6 files with 0.0 MiB of 2026-01-31 into about 2;")
    assert said.endswith("into about 2; --apply does it\n")
    assert files(target) == before
    assert run(target, "--apply") == 0
    assert capsys.readouterr().out.splitlines() == [
        "2026-01-31: 3 files are 1 now, 3 rows",
        "failed events: 3 files are 1 now, 3 rows",
    ]
    assert run(target, "--apply") == 0
    assert capsys.readouterr().out.startswith("nothing to compact before ")
    assert rows(target) == as_rows(EVENTS)


def test_an_open_day_is_left_alone(target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Days that ended less than --older-than ago are open."""
    before = files(target)
    assert run(target, "--older-than", "99999 days", "--apply") == 0
    assert capsys.readouterr().out == "failed events: 3 files are 1 now, 3 rows\n"
    assert files(target) == before


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (["--target", "/nonexistent"], 1, "there is no table at /nonexistent"),
        (["--target", "s3://bucket/raw"], 1, "remote address"),
        (["--older-than", "0 days"], 2, "--older-than: '0 days' is not a duration"),
        (["--older-than", "-1 day"], 2, "is not a duration"),
        (["--older-than", "yesterday"], 2, "is not a duration"),
        (["--before", "2026-01-01"], 2, "--before"),
    ],
)
def test_bad_input_is_refused(
    target: Path, flags: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad input ends with a one-line error, and nothing changes."""
    before = files(target.parent)
    assert (
        main(["compact", *([] if "--target" in flags else ["--target", str(target)]), *flags])
        == code
    )
    assert said in one_line(capsys)
    assert files(target.parent) == before


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the error, which is one line."""
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error


def test_a_folder_that_is_no_table_is_refused(
    target: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plain folder of parquet files has no log, so nobody knows what is in it."""
    plain = tmp_path / "plain"
    (target / "event_date=2026-01-31").rename(plain)
    before = files(plain)
    assert run(plain, "--apply") == 1
    assert "there is no table at" in one_line(capsys)
    assert files(plain) == before


def test_two_commands_at_once_are_refused(target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second one names the first, and changes nothing."""
    before = files(target)
    with open_for_maintenance(str(target), "events-stream erase"):
        assert run(target, "--apply") == 3
    assert "maintenance.lock is held by events-stream erase, process" in one_line(capsys)
    assert files(target) == before


def test_a_stream_may_run(target: Path) -> None:
    """The stream's lock does not matter; only the lock for writing is taken, for a moment."""
    with open_table(str(target)) as table:
        assert run(target, "--apply") == 0
        store_events(table, EVENTS[:1])
    assert rows(target) == as_rows([*EVENTS, EVENTS[0]])


def test_too_little_room_is_refused_before_it_writes(
    target: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The new files of a day may take as much as the old ones."""
    before = files(target)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    assert run(target, "--apply") == 1
    assert "raw.control has 0 MiB free, but the new files of event_date=2026-01-31" in one_line(
        capsys
    )
    assert files(target) == before


def test_a_file_system_without_exchange_is_refused(
    target: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without renameat2 flags, a day could not be replaced in one step."""
    before = files(target)

    def refuse(one: Path, other: Path) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), str(one))

    monkeypatch.setattr(file_operations, "exchange", refuse)
    assert run(target, "--apply") == 1
    assert "lacks renameat2; give a folder on ext4, xfs or btrfs" in one_line(capsys)
    assert files(target) == before


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A separate small file system."""
    with small_disk(tmp_path / "disk", "4m") as disk:
        yield disk


STEPS = [Step.REWRITTEN, Step.COMPARED, Step.BEGUN, Step.STAGED, Step.SYNCED, Step.COMMITTED]


@pytest.mark.extended
@pytest.mark.parametrize("step", STEPS)
def test_a_full_disk_in_each_step_costs_nothing(
    disk: Path, step: Step, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends with one line or succeeds; run again with room, it goes on where it was."""
    target = make(disk)
    passed: list[Step] = []

    def watch(reached: Step) -> None:
        if reached is step and not passed:
            passed.append(step)
            fill(disk)

    def compact_watched(table: Table, found: Sequence[SmallFiles]) -> Iterator[Compacted]:
        table.watch = watch
        return compact(table, found)

    monkeypatch.setattr("events_stream.commands.compact.compact", compact_watched)
    code = run(target, "--apply")
    error = capsys.readouterr().err
    assert (code, error.count("\n")) in ((0, 0), (1, 1)), error
    assert code == 0 or "free some space and" in error
    assert passed == [step]
    (disk / "filler").unlink()
    assert rows(target) == as_rows(EVENTS)
    assert run(target, "--apply") == 0
    assert rows(target) == as_rows(EVENTS)
    assert len(list(disk.glob("raw*/**/*.parquet"))) == 2


@pytest.mark.extended
def test_a_read_only_disk_is_refused(disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with one line."""
    target = make(disk)
    assert mount("-o", "remount,ro", str(disk)).returncode == 0
    try:
        assert run(target, "--apply") == 1
        assert "Read-only file system; mount it writable" in one_line(capsys)
    finally:
        mount("-o", "remount,rw", str(disk))


def test_owners_and_permissions_stay(target: Path) -> None:
    """The new files and the new folder have them too."""
    day = target / "event_date=2026-01-31"
    day.chmod(0o750)
    for path in [day, *day.iterdir()]:
        os.chown(path, 12345, 12345)
    assert run(target, "--apply") == 0
    for path in [day, *day.iterdir()]:
        assert path.stat().st_uid == 12345
    assert day.stat().st_mode & 0o777 == 0o750
    store_events(open_beside_stream(str(target)), EVENTS[:1])


def test_root_is_refused_if_the_table_is_not_its_own(
    target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed as root, it would leave folders that the table's owner cannot delete."""
    log = target.with_name("raw.control") / "log"
    os.chown(log, 12345, 12345)
    before = files(target.parent)
    assert run(target, "--apply") == 1
    said = one_line(capsys)
    assert f"{log} belongs to user 12345" in said
    assert "`sudo -u '#12345'`" in said
    assert files(target.parent) == before
    os.chown(log, 0, 0)
    os.chown(target, 12345, 12345)  # made for a stream of root
    assert run(target, "--apply") == 0
