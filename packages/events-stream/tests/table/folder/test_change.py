"""A change is stored completely when its context ends, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from events_schema.runtime.errors import PublishError
from events_stream import Table, open_table
from events_stream.table.folder import log as commit_log
from events_stream.table.folder.commit import CommitKind
from events_stream.table.folder.log import read_state
from events_stream.table.folder.open import open_beside_stream
from events_stream.table.position import Counts, Epoch
from events_stream.table.steps import Step
from stream_support.envelopes import NOON
from stream_support.staged_change import SOURCE, files, store_batch, write_batch

STORING = [Step.STAGED, Step.SYNCED, Step.COMMITTED, Step.PLACED, Step.REMOVED, Step.FINISHED]
OPENING = [Step.BEGUN, Step.RECOVERED]

COMMIT = """{
 "format": 5,
 "number": 1,
 "committed_at": "%(committed_at)s",
 "staging": "%(staging)s",
 "table_files": [
  {
   "final": "raw/event_date=2026-01-01/000000000001.parquet",
   "rows": 1,
   "earliest_received": "2026-01-31T12:00:00Z",
   "latest_received": "2026-01-31T12:00:00Z",
   "staged": "table/event_date=2026-01-01/part.parquet"
  }
 ],
 "failed_files": [
  {
   "final": "raw.failed/000000000001.parquet",
   "rows": 1,
   "earliest_received": "2026-01-31T12:00:00Z",
   "latest_received": "2026-01-31T12:00:00Z",
   "staged": "failed/f.parquet"
  }
 ],
 "removed": [
  "raw/event_date=2026-01-01/000000000000.parquet"
 ],
 "kind": "batch",
 "source": {
  "cluster_id": "c",
  "topic": "events",
  "topic_id": "t"
 },
 "before": {
  "0": 1
 },
 "after": {
  "0": 2
 },
 "counts": {
  "read": 2,
  "stored": 1,
  "duplicates": 0,
  "failed": 1
 },
 "complete_up_to": "2026-01-31T12:00:00Z",
 "lost": [],
 "leader_epochs": {
  "0": [
   [
    3,
    0
   ]
  ]
 },
 "cuts": [],
 "empty_offsets": 0,
 "backlog": null
}"""


class Killed(BaseException):
    """Stands for kill -9."""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A table with one commit: two days, and failed events."""
    with open_table(str(tmp_path / "raw")) as table:
        store_batch(table)
    return tmp_path / "raw"


def open_watched(target: Path) -> tuple[Table, list[Step]]:
    """Return the table, and a list to which its changes add their steps."""
    steps: list[Step] = []
    return open_beside_stream(str(target), steps.append), steps


def test_fields_that_are_not_set_stay_unchanged(target: Path) -> None:
    """Source, offsets, totals and files stay."""
    table, steps = open_watched(target)
    before = read_state(table.paths.log)
    with table.change(CommitKind.EXPIRY) as change:
        assert change.state == before
    commit = change.commit
    assert (commit.number, commit.kind, commit.source) == (1, CommitKind.EXPIRY, SOURCE)
    assert (commit.before, commit.after, commit.counts) == ({0: 1}, {0: 1}, Counts())
    assert (commit.files, commit.removed, commit.lost) == ((), (), ())
    assert commit.complete_up_to is None
    changed = {"number": 1, "committed_at": commit.committed_at}
    assert table.state == before.model_copy(update=changed) == read_state(table.paths.log)
    assert steps == [*OPENING, *STORING]


def test_a_discarded_change_leaves_the_offsets(target: Path) -> None:
    """This also holds if its offsets were set one by one: a later change must not skip records."""
    table, _ = open_watched(target)
    with table.change(CommitKind.BATCH) as change:
        change.after[0] = 99
        change.discard()
    for state in (table.state, read_state(table.paths.log)):
        assert state.position.next_offsets == {0: 1}


def test_the_log_entry_of_a_change_has_exactly_these_bytes(target: Path) -> None:
    """The format is public, so it must not change by accident."""
    table, _ = open_watched(target)
    with table.change(CommitKind.BATCH) as change:
        write_batch(change, days=1)
        change.complete_up_to = NOON
        change.leader_epochs = {0: (Epoch(3, 0),)}
        change.removed = (next(iter(change.state.table_files)),)
    committed_at = change.commit.committed_at.isoformat().replace("+00:00", "Z")
    expected = COMMIT % {"committed_at": committed_at, "staging": change.staging.folder.name}
    assert (table.paths.log / "000000000001.json").read_text() == expected


@pytest.mark.parametrize("written", [False, True])
def test_a_discarded_change_leaves_everything_as_it_was(target: Path, written: bool) -> None:
    """This holds whether or not files were written for it."""
    table, steps = open_watched(target)
    before = files(target.parent)
    with table.change(CommitKind.BATCH) as change:
        if written:
            write_batch(change)
        change.discard()
        assert list(table.paths.staging.iterdir()) == []
    assert files(target.parent) == before
    assert steps == [*OPENING, *([Step.STAGED] if written else [])]
    assert not hasattr(change, "commit")
    assert store_batch(table).number == 1


@pytest.mark.parametrize("error", [OSError, ValueError, KeyboardInterrupt, GeneratorExit, Killed])
def test_a_change_that_raises_is_not_stored(target: Path, error: type[BaseException]) -> None:
    """The next change deletes its files and takes its number."""
    table, steps = open_watched(target)
    before = files(target)
    with suppress(error, PublishError), table.change(CommitKind.BATCH) as change:
        write_batch(change)
        raise error
    assert files(target) == before
    assert read_state(table.paths.log).number == 0
    assert Step.SYNCED not in steps
    assert not hasattr(change, "commit")
    assert store_batch(table).number == 1
    assert list(table.paths.staging.iterdir()) == []


def test_the_folder_is_made_once_and_has_a_new_name_for_each_change(target: Path) -> None:
    """So files that a killed process still writes do not end up in another change."""
    table, steps = open_watched(target)
    names = set()
    for _ in range(2):
        with suppress(Killed), table.change(CommitKind.BATCH) as change:
            assert change.staging is change.staging
            names.add(change.staging.folder.name)
            raise Killed
    assert [name[:13] for name in names] == ["000000000001-"] * 2
    assert steps.count(Step.STAGED) == 2


def test_the_first_change_must_name_its_source(tmp_path: Path) -> None:
    """Without a source, the change raises, and nothing is stored."""
    with open_table(str(tmp_path / "raw")) as table:
        with (
            pytest.raises(ValueError, match="must name its source"),
            table.change(CommitKind.LOSS),
        ):
            pass
        assert table.state.number == -1
        assert files(table.paths.log) == []


def test_a_batch_passes_the_steps_in_order(target: Path) -> None:
    """`PLACED_ONE` is passed once for each file."""
    table, steps = open_watched(target)
    store_batch(table)
    placed = STORING.index(Step.PLACED)
    assert steps == [*OPENING, *STORING[:placed], *[Step.PLACED_ONE] * 3, *STORING[placed:]]


@pytest.mark.parametrize(
    "step", [*OPENING, *STORING, Step.PLACED_ONE, Step.FOLDED, Step.TIDIED], ids=str
)
def test_a_change_killed_at_any_step_is_stored_completely_or_not_at_all(
    target: Path, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it was committed, the next writer finishes it; otherwise it is deleted."""
    monkeypatch.setattr(commit_log, "FOLD_COMMITS", 2)
    with pytest.raises(Killed):
        store_batch(open_beside_stream(str(target), killing_at(step)))
    stored = step not in {*OPENING, Step.STAGED, Step.SYNCED}
    assert read_state(target.with_name("raw.control") / "log").number == (1 if stored else 0)
    with open_table(str(target)) as table:
        assert len(files(target)) == len(table.state.table_files) == (4 if stored else 2)
        assert list(table.paths.staging.iterdir()) == []
        assert store_batch(table).number == (2 if stored else 1)


def killing_at(step: Step) -> Callable[[Step], None]:
    """Return a `Watch` that raises `Killed` at `step`."""

    def watch(reached: Step) -> None:
        if reached is step:
            raise Killed

    return watch
