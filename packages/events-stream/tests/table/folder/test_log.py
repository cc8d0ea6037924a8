"""The log loses no commit, whatever its state of folding."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from events_schema import NotAnEvolution
from events_schema.runtime.errors import TableDamaged
from events_schema.tables import commit_log as reading
from events_schema.tables.commit_log import numbered
from events_schema.tables.paths import TablePaths
from events_stream import open_table
from events_stream.errors import OtherSource
from events_stream.table.folder import log as commit_log
from events_stream.table.folder.commit import Commit, CommitKind
from events_stream.table.folder.log import read_log, read_state
from events_stream.table.folder.state import TableState
from events_stream.table.folder.table import Table
from events_stream.table.position import Backlog, Counts, Cut, Epoch, Loss, Position
from events_stream.table.steps import Step
from stream_support.contracts import PRICED
from stream_support.envelopes import NOON
from stream_support.staged_change import SOURCE, files, store_batch, write_batch

LOGS = Path(__file__).parent / "logs"
"""Logs that earlier releases wrote."""


@pytest.fixture(autouse=True)
def fold_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fold every 3 commits."""
    monkeypatch.setattr(commit_log, "FOLD_COMMITS", 3)


class Killed(BaseException):
    """Stands for kill -9."""


def killing_at(step: Step) -> Callable[[Step], None]:
    """Return a `Watch` that raises `Killed` at `step`."""

    def watch(reached: Step) -> None:
        if reached is step:
            raise Killed

    return watch


def fill(target: Path, commits: int) -> TableState:
    """Store this many commits; return the state of the table."""
    with open_table(str(target)) as table:
        for _ in range(commits):
            store_batch(table)
        return table.state


def test_a_folded_log_says_what_its_commits_said(tmp_path: Path) -> None:
    """This holds for any number of commits, and few files are left."""
    target = tmp_path / "raw"
    log = tmp_path / "raw.control" / "log"
    commits: list[Commit] = []
    for number in range(10):
        state = fill(target, 1)
        assert state.number == number
        assert len(state.table_files) == 2 * (number + 1)
        assert len(state.failed_files) == number + 1
        position = state.position
        assert (position.totals.read, position.totals.stored) == (3 * number + 3, 2 * number + 2)
        assert position.next_offsets == {0: number + 1}
        assert read_state(log) == state
        assert len(files(log)) <= 3
        last = read_log(log).last
        commits += [last] if last else []
    assert files(log) == ["000000000008.folded.json", "000000000009.json"]
    assert [commit.number for commit in commits] == [0, 1, 3, 4, 6, 7, 9]


@pytest.mark.parametrize("step", [Step.FOLDED, Step.TIDIED, Step.FINISHED])
def test_killed_while_folding_the_log_is_whole(tmp_path: Path, step: Step) -> None:
    """The next writer deletes the folded commits."""
    target = tmp_path / "raw"
    fill(target, 2)
    with open_table(str(target)) as table:
        table.watch = killing_at(step)
        with pytest.raises(Killed):
            store_batch(table)
    assert read_state(tmp_path / "raw.control/log").number == 2
    assert fill(target, 1).number == 3
    assert files(tmp_path / "raw.control/log") == ["000000000002.folded.json", "000000000003.json"]
    assert len(files(target)) == 8


def test_a_log_that_was_folded_meanwhile_is_read_again(tmp_path: Path) -> None:
    """A process that read it before gets the new state."""
    target = tmp_path / "raw"
    fill(target, 1)
    log = read_log(tmp_path / "raw.control/log")
    assert log.state.number == 0
    expected = fill(target, 6)
    log.refresh()
    assert log.state == expected


def read_while_written(
    table: Table, step: int, monkeypatch: pytest.MonkeyPatch
) -> TableState | None:
    """Read the log, and at this step of the reader store 5 batches; None if it has fewer steps."""
    taken: list[str] = []

    def counting(act: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: object) -> object:
            taken.append("step")
            if len(taken) == step:
                for _ in range(5):
                    store_batch(table)
            return act(*arguments)

        return wrapped

    with monkeypatch.context() as patched:
        for name in ("fold_numbers", "commit_numbers", "_read"):
            patched.setattr(reading, name, counting(getattr(reading, name)))
        read = read_state(table.paths.log)
    return read if len(taken) >= step else None


def test_a_reader_beside_a_writer_sees_every_commit_that_was_there_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer may commit, fold and delete between any two steps of the reader."""
    for step in range(1, 1000):
        with open_table(str(tmp_path / str(step) / "raw")) as table:
            store_batch(table)
            store_batch(table)
            read = read_while_written(table, step, monkeypatch)
        if read is None:
            break
        assert read.number == 6
    assert step > 5


def test_a_log_with_a_gap_is_refused(tmp_path: Path) -> None:
    """The error names the missing commit, after a fold or in its place."""
    target = tmp_path / "raw"
    log = tmp_path / "raw.control/log"
    fill(target, 5)
    (log / "000000000003.json").unlink()
    with pytest.raises(TableDamaged, match=r"lacks commit 3 but has 000000000004\.json"):
        fill(target, 1)
    (log / "000000000002.folded.json").unlink()
    with pytest.raises(TableDamaged, match="lacks commit 0"):
        fill(target, 1)


@pytest.mark.parametrize("name", ["000000000002.folded.json", "000000000003.json"])
@pytest.mark.parametrize("text", ["", "{}", '{"number": 7}', "[]"])
def test_a_log_that_cannot_be_read_is_refused(tmp_path: Path, name: str, text: str) -> None:
    """The error has the name of the file."""
    fill(tmp_path / "raw", 4)
    (tmp_path / "raw.control/log" / name).write_text(text)
    with pytest.raises(TableDamaged, match=name):
        fill(tmp_path / "raw", 1)


def test_a_log_of_the_first_release_is_read(tmp_path: Path) -> None:
    """Its commits have format 1, and its last one may be unfinished."""
    target = tmp_path / "raw"
    with open_table(str(target)) as table:
        table.watch = killing_at(Step.SYNCED)
        with suppress(Killed), table.change(CommitKind.BATCH) as change:
            write_batch(change)
    commit = change.describe()
    staging = tmp_path / "raw.control/staging"
    (staging / commit.staging_name).rename(staging / numbered(commit.number))
    released = commit.model_dump(
        mode="json", exclude={"kind", "staging", "complete_up_to", "lost", "removed"}
    )
    text = commit.model_validate({**released, "format": 1}).model_dump_json(
        exclude={"kind", "staging", "complete_up_to", "lost", "removed"}
    )
    (tmp_path / "raw.control/log/000000000000.json").write_text(text)
    assert fill(target, 1).number == 1
    assert len(files(target)) == 4


@pytest.mark.parametrize("release", ["release_3_1", "release_3_1_own", "release_4_0"])
def test_a_log_of_an_earlier_release_is_read_and_upgraded(tmp_path: Path, release: str) -> None:
    """Its last commit is unfinished here; the next commit and the next fold have the new format."""
    log = tmp_path / "raw.control/log"
    shutil.copytree(LOGS / release, log)
    was = read_log(log)
    assert was.last is not None
    staging = tmp_path / "raw.control/staging" / was.last.staging_name
    finals = {**was.state.table_files, **was.state.failed_files}
    for final in finals:
        (tmp_path / final).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / final).write_text(release)
    for file in was.last.files:
        (staging / file.staged).parent.mkdir(parents=True)
        (tmp_path / file.final).rename(staging / file.staged)
    state = fill(tmp_path / "raw", 1)
    assert (state.number, state.rows, state.position.next_offsets) == (3, 8, {0: 4})
    assert state.own_types == was.state.own_types
    assert all((tmp_path / final).read_text() == release for final in finals)
    near = state.files_received_near([(NOON, NOON)], timedelta(0))
    assert {file.final for file in near} == {*state.table_files}
    assert json.loads((log / "000000000003.json").read_text())["format"] == 5
    folded = fill(tmp_path / "raw", 1)
    assert json.loads((log / "000000000004.folded.json").read_text())["format"] == 4
    assert read_state(log) == folded


def test_the_position_of_an_earlier_release_is_kept() -> None:
    """A fold of 4.0 has its fields beside the files, and its commits have them as now."""
    state = read_state(LOGS / "release_4_0")
    assert (state.number, len(state.table_files), len(state.failed_files)) == (2, 6, 3)
    assert (state.own_types, state.erasures) == ({"plan": "string"}, ())
    assert state.position == Position(
        source=SOURCE,
        next_offsets={0: 3},
        leader_epochs={0: (Epoch(0, 0), Epoch(2, 1))},
        totals=Counts(read=9, stored=6, failed=3),
        complete_up_to=NOON + timedelta(seconds=2),
        lost=(
            Loss(partition=0, start=0, end=9, records=4),
            Loss(partition=0, start=20, end=21),
        ),
        cuts=(Cut(partition=0, offset=1, table_end=2, found_at=NOON),),
        empty_offsets=3,
        backlog=Backlog(records=70, at=NOON + timedelta(seconds=2), shrinks_by=10),
    )


def test_the_log_remembers_the_own_columns(tmp_path: Path) -> None:
    """All kinds of change keep them, folded or not."""
    target = tmp_path / "raw"
    log = tmp_path / "raw.control/log"
    fill(target, 1)
    written = json.loads((log / "000000000000.json").read_text())
    assert (written["format"], "own_types" in written) == (5, False)
    own = {"price": "float64", "plan": "string"}
    with open_table(str(target)) as table:
        with table.change(CommitKind.BATCH) as change:
            write_batch(change)
            change.own_types = own
        with table.change(CommitKind.EXPIRY) as change:
            change.removed = tuple(change.state.table_files)
    assert files(log) == ["000000000002.folded.json"]
    folded = json.loads((log / "000000000002.folded.json").read_text())
    assert (folded["format"], list(folded["own_types"].items())) == (4, list(own.items()))
    assert fill(target, 1).own_types == own
    written = json.loads((log / "000000000003.json").read_text())
    assert (written["format"], written["own_types"]) == (5, own)
    assert read_state(log).own_types == own


def test_a_fold_has_these_fields(tmp_path: Path) -> None:
    """The format is public, so it must not change by accident."""
    fill(tmp_path / "raw", 3)
    folded = json.loads((tmp_path / "raw.control/log/000000000002.folded.json").read_text())
    assert list(folded) == [
        "format", "number", "committed_at", "table_files", "failed_files", "position", "erasures",
    ]  # fmt: skip
    assert list(folded["position"]) == [
        "source", "next_offsets", "leader_epochs", "totals", "complete_up_to", "lost", "cuts",
        "empty_offsets", "backlog",
    ]  # fmt: skip
    assert folded["format"] == 4


@pytest.mark.parametrize(
    ("name", "newer"), [("000000000002.folded.json", 5), ("000000000003.json", 6)]
)
def test_a_log_of_a_later_release_is_refused(tmp_path: Path, name: str, newer: int) -> None:
    """It may have fields that this release does not know."""
    fill(tmp_path / "raw", 4)
    path = tmp_path / "raw.control/log" / name
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": newer}))
    with pytest.raises(TableDamaged, match=f"{name} has format {newer}, from a newer"):
        fill(tmp_path / "raw", 1)


@pytest.mark.parametrize(
    "own_types",
    [
        {"plan": "int32"},
        {"plan": "string", "price": "float64", "more": "bool"},
        {"price": "float64", "plan": "string"},
        {"price": "float64"},
    ],
)
def test_a_contract_that_does_not_fit_the_own_columns_is_refused(
    own_types: dict[str, str], tmp_path: Path
) -> None:
    """It may have another type or order, or lack a column, or have a new one before the others."""
    paths = TablePaths(tmp_path / "raw")
    for fitting in ({}, {"plan": "string"}, PRICED.own_types):
        TableState(own_types=fitting).check_contract(PRICED, paths)
    with pytest.raises(NotAnEvolution, match=f"the table {paths.target} has the own field"):
        TableState(own_types=own_types).check_contract(PRICED, paths)


@pytest.mark.parametrize("part", ["cluster_id", "topic", "topic_id"])
def test_another_source_is_refused(part: str, tmp_path: Path) -> None:
    """A source with any different part of its identity is refused."""
    Position().check_source(SOURCE)
    state = fill(tmp_path / "raw", 1)
    state.position.check_source(SOURCE)
    with pytest.raises(OtherSource, match=f"filled from {part}"):
        state.position.check_source(SOURCE.model_copy(update={part: "other"}))


def test_the_files_of_the_window_are_found(tmp_path: Path) -> None:
    """The window extends in both directions."""
    hour = timedelta(hours=1)
    state = fill(tmp_path / "raw", 1)
    for moment in (NOON - hour, NOON, NOON + hour):
        assert len(state.files_received_near([(moment, moment)], hour)) == 2
    for moment in (NOON - 2 * hour, NOON + 2 * hour):
        assert state.files_received_near([(moment, moment)], hour) == []
