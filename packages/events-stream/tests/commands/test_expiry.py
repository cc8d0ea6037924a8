"""`expire` removes old days from the table and its log, and nothing else."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from events_stream import open_table
from events_stream.cli import main
from events_stream.commands.expiry import expire
from events_stream.table.folder import log as commit_log
from events_stream.table.folder.log import read_state
from events_stream.table.folder.open import open_beside_stream
from events_stream.table.steps import Step
from stream_support.staged_change import files, store_batch


class Killed(BaseException):
    """Stands for kill -9."""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A table with the days 1 to 3, from two commits."""
    with open_table(str(tmp_path / "raw")) as table:
        for _ in range(2):
            store_batch(table, days=3)
    return tmp_path / "raw"


def days(target: Path) -> list[str]:
    """Return the days that readers see."""
    return sorted(path.name for path in target.iterdir())


def run(target: Path, *flags: str) -> int:
    """Run `events-stream expire`."""
    return main(["expire", "--target", str(target), *flags])


def test_without_apply_nothing_is_deleted(target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what it would delete."""
    before = files(target.parent)
    assert run(target, "--before", "2026-01-03") == 0
    said = capsys.readouterr().out
    assert said == "would delete 4 files, 4 rows, days 2026-01-01 to 2026-01-02; --apply does it\n"
    assert files(target.parent) == before


def test_old_days_are_deleted_and_the_log_knows(
    target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The given day stays, and the table opens and grows as before."""
    assert run(target, "--before", "2026-01-03", "--apply") == 0
    assert capsys.readouterr().out == "deleted 4 files, 4 rows, days 2026-01-01 to 2026-01-02\n"
    assert days(target) == ["event_date=2026-01-03"]
    state = read_state(target.with_name("raw.control") / "log")
    assert (state.rows, state.position.totals.stored, len(state.failed_files)) == (2, 6, 2)
    assert run(target, "--before", "2026-01-03", "--apply") == 0
    assert capsys.readouterr().out == "nothing to delete\n"
    with open_table(str(target)) as table:
        assert table.state.position.next_offsets == {0: 2}
        store_batch(table, days=1)  # a late event creates the day again
    assert days(target) == ["event_date=2026-01-01", "event_date=2026-01-03"]


@pytest.mark.parametrize("step", [step for step in Step if not step.name.startswith("WR")])
def test_killed_anywhere_it_is_done_whole_or_not_at_all(
    target: Path, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next writer finishes a committed expiry."""
    monkeypatch.setattr(commit_log, "FOLD_COMMITS", 3)

    def die(reached: Step) -> None:
        if reached is step:
            raise Killed

    not_passed = {Step.FAILED_WRITTEN, Step.DEDUPLICATED, Step.CHECKED, Step.PLACED_ONE}
    not_passed |= {Step.REWRITTEN, Step.COMPARED, Step.EXCHANGED}
    try:
        expire(open_beside_stream(str(target), die), date(2026, 1, 3), apply=True)
        assert step in not_passed
    except Killed:
        assert step not in not_passed
    committed = {Step.COMMITTED, Step.PLACED, Step.REMOVED, Step.FINISHED, Step.FOLDED, Step.TIDIED}
    with open_table(str(target)) as table:
        done = len(table.state.table_files) == 2
        assert done == (step in committed | not_passed)
    assert len(days(target)) == (1 if done else 3)
    assert run(target, "--before", "2026-01-03", "--apply") == 0
    assert days(target) == ["event_date=2026-01-03"]


def test_files_that_somebody_deleted_are_forgotten(
    target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--missing` makes a table usable that no longer opens."""
    shutil.rmtree(target / "event_date=2026-01-02")
    assert run(target, "--missing") == 0
    assert "would delete 2 files, 2 rows, days 2026-01-02 to 2026-01-02" in capsys.readouterr().out
    assert run(target, "--missing", "--apply") == 0
    with open_table(str(target)) as table:
        assert len(table.state.table_files) == 4


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        ([], 2, "give --before YYYY-MM-DD"),
        (["--before", "2026-01-03", "--missing"], 2, "give --before YYYY-MM-DD"),
        (["--before", "yesterday"], 2, "--before: 'yesterday' is not a day; give YYYY-MM-DD"),
        (["--before", "20260103"], 2, "is not a day"),
        (["--before", "1767225600"], 2, "is not a day"),
        (["--before", "2026-02-30"], 2, "is not a day"),
        (["--before", "tomorrow"], 2, "would delete today's events"),
        (["--before", "2026-01-01", "--target", "/nonexistent"], 1, "there is no table at"),
        (["--before", "2026-01-01", "--target", "s3://bucket"], 1, "remote address"),
    ],
)
def test_bad_input_is_refused(
    target: Path, flags: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad input ends with a one-line error, and nothing is deleted."""
    if "tomorrow" in flags:
        flags = ["--before", str(datetime.now(UTC).date() + timedelta(days=1))]
    assert (
        main(["expire", *flags, *([] if "--target" in flags else ["--target", str(target)])])
        == code
    )
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert len(days(target)) == 3
