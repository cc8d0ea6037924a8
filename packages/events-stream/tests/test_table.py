"""The table's protocol on a real file system: stored whole or not at all, whatever dies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from events_schema import posix
from events_schema.errors import AlreadyLocked, PublishError
from events_stream import commit_log as commit_log_module
from events_stream import open_table
from events_stream import table as table_module
from events_stream.commit import Commit, Counts, SourceIdentity, StoredFile
from events_stream.errors import NotOurs, OtherSource, TableDamaged
from events_stream.table import Table

SOURCE = SourceIdentity(cluster_id="c", topic="events", topic_id="t")
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Killed(BaseException):
    """Stands for kill -9: nothing catches it, nothing cleans up."""


def stage(table: Table, days: int = 2) -> Commit:
    """Write a batch of one file a day and one failed file; return its commit."""
    staging = table.stage()
    number = len(table.log.commits)
    files = []
    for day in range(days):
        staged = Path(f"table/event_date=2026-01-0{day + 1}/part.parquet")
        final = f"{table.layout.target.name}/{staged.parent.name}/{staging.commit_name}.parquet"
        files.append(stored_file(staged, final))
    failed = stored_file(Path("failed/f.parquet"), f"raw.failed/{staging.commit_name}.parquet")
    for file in (*files, failed):
        path = staging.folder / file.staged
        path.parent.mkdir(parents=True)
        path.write_text(staging.commit_name)
    return Commit(
        number=number,
        committed_at=NOON,
        source=SOURCE,
        before={0: number},
        after={0: number + 1},
        counts=Counts(read=days + 1, stored=days, duplicates=0, failed=1),
        table_files=tuple(files),
        failed_files=(failed,),
    )


def stored_file(staged: Path, final: str) -> StoredFile:
    """Return a file of one row received at noon."""
    return StoredFile(
        staged=str(staged), final=final, rows=1, earliest_received=NOON, latest_received=NOON
    )


def files(folder: Path) -> list[str]:
    """Return all that lies in `folder`, whoever lists it."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@contextmanager
def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let the process die before its `step`-th file-system step; yield the steps it took."""
    taken: list[str] = []

    def counting(name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            if len(taken) == step:
                raise Killed
            taken.append(name)
            return act(*arguments, **options)

        return wrapped

    with monkeypatch.context() as patched:
        for name in ("sync_file", "sync_folder", "make_folders", "rename_new"):
            patched.setattr(table_module, name, counting(name, getattr(table_module, name)))
        create = counting("create_new", posix.create_new)
        patched.setattr(commit_log_module, "create_new", create)
        rmtree = counting("rmtree", table_module.shutil.rmtree)  # type: ignore[attr-defined]
        patched.setattr(table_module.shutil, "rmtree", rmtree)  # type: ignore[attr-defined]
        yield taken


def test_a_batch_is_stored_whole_or_not_at_all_wherever_it_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before each step in turn; whoever opens the table next finds or finishes it."""
    outcomes = set()
    for step in range(1000):
        target = tmp_path / str(step) / "raw"
        with open_table(str(target)) as table:
            table.store(stage(table))
        before = files(target)
        with killed_at(step, monkeypatch) as taken:
            try:
                with open_table(str(target)) as table:
                    taken.clear()
                    table.store(stage(table))
                finished = True
            except Killed:
                finished = False
        assert all(name.endswith(".parquet") for name in files(target))
        with open_table(str(target)) as table:
            committed = len(table.log.commits) == 2
            assert files(table.layout.staging) == []
        outcomes.add((finished, committed))
        assert len(files(target)) == (4 if committed else 2)
        assert set(before) <= set(files(target))
        if finished:
            break
    assert outcomes == {(False, False), (False, True), (True, True)}


def test_all_is_on_disk_before_the_commit_and_before_staging_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a power cut: files and folders are synced, then the commit, then the renames."""
    with open_table(str(tmp_path / "raw")) as table:
        commit = stage(table)
        with killed_at(-1, monkeypatch) as taken:
            table.store(commit)
    committed = taken.index("create_new")
    # Three files; two days, `table`, `failed`, the batch's folder and the one above it.
    assert taken[:committed] == ["sync_file"] * 3 + ["sync_folder"] * 6
    renamed = len(taken) - taken[::-1].index("rename_new")
    assert taken.count("rename_new") == 3
    assert taken[renamed:] == ["sync_folder"] * 3 + ["rmtree"]


def test_recovery_may_die_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit left unfinished is finished, however often finishing it is interrupted."""
    target = str(tmp_path / "raw")
    with open_table(target) as table, monkeypatch.context() as patched:
        commit = stage(table)

        def die(*_: object) -> None:
            raise Killed

        patched.setattr(table_module, "rename_new", die)
        with pytest.raises(Killed):
            table.store(commit)
    for step in range(30):
        with killed_at(step, monkeypatch) as taken:
            try:
                with open_table(target):
                    pass
            except Killed:
                continue
        break
    assert "rmtree" in taken or not files(tmp_path / "raw.control" / "staging")
    assert len(files(tmp_path / "raw")) == 2
    assert files(tmp_path / "raw.failed") == ["000000000000.parquet"]


def test_a_second_stream_on_the_table_is_refused(tmp_path: Path) -> None:
    """As long as the first holds it."""
    with (
        open_table(str(tmp_path / "raw")),
        pytest.raises(AlreadyLocked, match="held by events-stream"),
        open_table(str(tmp_path / "raw")),
    ):
        pass


@pytest.mark.parametrize("name", ["raw/notes.txt", "raw/a.parquet", "raw.control/notes.txt"])
def test_a_target_with_something_that_is_not_ours_is_refused(name: str, tmp_path: Path) -> None:
    """And left as it is."""
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).touch()
    with (
        pytest.raises(NotOurs, match="not written by events-stream"),
        open_table(str(tmp_path / "raw")),
    ):
        pass
    assert files(tmp_path) == [name]


@pytest.mark.parametrize("target", ["/proc", "s3://bucket/raw"])
def test_a_target_that_cannot_be_renamed_into_is_refused(target: str) -> None:
    """A mount point, an address."""
    with pytest.raises(PublishError), open_table(target):
        pass


def test_a_target_below_a_file_is_refused(tmp_path: Path) -> None:
    """In one line that names the place."""
    (tmp_path / "file").touch()
    with pytest.raises(PublishError, match="cannot write"), open_table(str(tmp_path / "file/raw")):
        pass


def test_a_table_whose_files_are_gone_is_refused(tmp_path: Path) -> None:
    """The log alone is no table."""
    with open_table(str(tmp_path / "raw")) as table:
        for _ in range(2):
            table.store(stage(table))
    for path in (tmp_path / "raw").rglob("*.parquet"):
        path.unlink()
    for folder in (tmp_path / "raw").iterdir():
        folder.rmdir()
    with pytest.raises(TableDamaged, match="restore it"), open_table(str(tmp_path / "raw")):
        pass


def test_a_log_with_a_hole_is_refused(tmp_path: Path) -> None:
    """The missing commit is named."""
    with open_table(str(tmp_path / "raw")) as table:
        for _ in range(3):
            table.store(stage(table))
    (tmp_path / "raw.control/log/000000000001.json").unlink()
    with pytest.raises(TableDamaged, match="lacks commit 1"), open_table(str(tmp_path / "raw")):
        pass


@pytest.mark.parametrize("part", ["cluster_id", "topic", "topic_id"])
def test_another_source_is_refused(part: str, tmp_path: Path) -> None:
    """Each part of a source's identity counts."""
    with open_table(str(tmp_path / "raw")) as table:
        table.log.check_source(SOURCE)
        table.store(stage(table))
        table.log.check_source(SOURCE)
        with pytest.raises(OtherSource, match=f"filled from {part}"):
            table.log.check_source(SOURCE.model_copy(update={part: "other"}))


def test_the_files_of_the_window_are_found(tmp_path: Path) -> None:
    """Both ends of the window count; a day deleted by an operator is no obstacle."""
    hour = timedelta(hours=1)
    with open_table(str(tmp_path / "raw")) as table:
        table.store(stage(table, days=1))
        for moment in (NOON - hour, NOON, NOON + hour):
            assert len(table.log.files_received_near(moment, moment, hour)) == 1
        for moment in (NOON - 2 * hour, NOON + 2 * hour):
            assert table.log.files_received_near(moment, moment, hour) == []
        near = table.log.files_received_near(NOON, NOON, hour)
        assert len(table.paths(near)) == 1
        table.paths(near)[0].unlink()
        assert table.paths(near) == []
