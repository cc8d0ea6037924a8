"""The table's protocol on a real file system: stored whole or not at all, whatever dies."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from events_schema.runtime import files as files_module
from events_schema.runtime.errors import AlreadyLocked, PublishError
from events_stream import open_table
from events_stream.errors import NotOurs, TableDamaged, TableMissing
from events_stream.table.folder import log as commit_log_module
from events_stream.table.folder import table as table_module
from events_stream.table.folder.commit import CommitKind
from events_stream.table.folder.table import open_beside_stream
from stream_support.staged_change import files, store_batch, write_batch


class Killed(BaseException):
    """Stands for kill -9: nothing catches it, nothing cleans up."""


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
        create = counting("create_new", files_module.create_new)
        patched.setattr(commit_log_module, "create_new", create)
        rmtree = counting("rmtree", files_module.shutil.rmtree)  # type: ignore[attr-defined]
        patched.setattr(files_module.shutil, "rmtree", rmtree)  # type: ignore[attr-defined]
        yield taken


def test_a_batch_is_stored_whole_or_not_at_all_wherever_it_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before each step in turn; whoever opens the table next finds or finishes it."""
    outcomes = set()
    for step in range(1000):
        target = tmp_path / str(step) / "raw"
        with open_table(str(target)) as table:
            store_batch(table)
        before = files(target)
        with killed_at(step, monkeypatch) as taken:
            try:
                with open_table(str(target)) as table:
                    taken.clear()
                    store_batch(table)
                finished = True
            except Killed:
                finished = False
        assert all(name.endswith(".parquet") for name in files(target))
        with open_table(str(target)) as table:
            committed = table.state.number == 1
            assert files(table.paths.staging) == []
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
    with open_table(str(tmp_path / "raw")) as table, killed_at(-1, monkeypatch) as taken:
        store_batch(table)
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

        def die(*_: object) -> None:
            raise Killed

        patched.setattr(table_module, "rename_new", die)
        with pytest.raises(Killed):
            store_batch(table)
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


@pytest.mark.parametrize("target", ["/proc", "s3://bucket/raw", "/x/raw[1]", "/x/ra*"])
def test_a_target_that_cannot_be_renamed_into_is_refused(target: str) -> None:
    """A mount point, an address, a name that readers take for a pattern."""
    with pytest.raises(PublishError), open_table(target):
        pass


@pytest.mark.parametrize("part", ["raw.failed", "raw.control"])
def test_a_part_on_another_file_system_is_refused(tmp_path: Path, part: str) -> None:
    """Before anything is stored that could not be put in place."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:  # memory
        (tmp_path / part).symlink_to(elsewhere)
        said = f"{part}.* lies on another file system"
        with pytest.raises(PublishError, match=said), open_table(str(tmp_path / "raw")):
            pass


def test_a_target_below_a_file_is_refused(tmp_path: Path) -> None:
    """In one line that names the place."""
    (tmp_path / "file").touch()
    with pytest.raises(PublishError, match="cannot write"), open_table(str(tmp_path / "file/raw")):
        pass


def test_a_command_beside_the_stream_waits_for_its_change(tmp_path: Path) -> None:
    """Both may have the table open; one at a time may write."""
    target = str(tmp_path / "raw")
    entered = threading.Event()
    with open_table(target) as table, ThreadPoolExecutor(1) as pool:
        beside = open_beside_stream(target, lambda _: entered.set())
        with table.change(CommitKind.BATCH) as change:
            changing = pool.submit(store_batch, beside)
            write_batch(change)
            assert not entered.is_set()
        changing.result(timeout=30)
        assert table.state.number == 0
        with table.change(CommitKind.BATCH) as change:
            assert change.state.number == 1
            write_batch(change)
        assert len(files(tmp_path / "raw")) == 6


def test_no_table_is_made_by_a_command_beside_the_stream(tmp_path: Path) -> None:
    """It says where it looked."""
    with pytest.raises(TableMissing, match="there is no table at"):
        open_beside_stream(str(tmp_path / "raw"))
    assert files(tmp_path) == []


def test_what_an_orphan_still_writes_is_in_nobodys_way(tmp_path: Path) -> None:
    """Spark's Java outlives its Python by a moment, and goes on writing its batch."""
    target = str(tmp_path / "raw")
    with open_table(target) as table, suppress(Killed), table.change(CommitKind.BATCH) as change:
        orphans = change.staging
        raise Killed
    with open_table(target) as table, table.change(CommitKind.BATCH) as change:
        write_batch(change)
        late = orphans.folder / "table/event_date=2026-01-01/late.parquet"
        late.parent.mkdir(parents=True)
        late.touch()
    with open_table(target) as table:
        assert files(table.paths.staging) == []
    assert len(files(tmp_path / "raw")) == 2


def test_a_file_that_is_gone_is_refused_when_it_is_needed(tmp_path: Path) -> None:
    """Deleted by hand while the stream runs."""
    with open_table(str(tmp_path / "raw")) as table:
        store_batch(table)
        stored = list(table.state.table_files.values())
        (first, _) = table.locate(stored)
        first.unlink()
        with pytest.raises(TableDamaged, match=r"is gone.* expire --missing --apply"):
            table.locate(stored)
