"""On a real file system, a change is stored completely or not at all, whatever is killed."""

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
from events_schema.runtime.errors import AlreadyLocked, PublishError, TableDamaged
from events_stream import open_table
from events_stream.errors import NotOurs, TableMissing
from events_stream.table.folder import log as commit_log_module
from events_stream.table.folder import open as open_module
from events_stream.table.folder import table as table_module
from events_stream.table.folder.commit import CommitKind
from events_stream.table.folder.open import open_beside_stream
from stream_support.staged_change import files, store_batch, write_batch


class Killed(BaseException):
    """Stands for kill -9: nothing catches it, nothing cleans up."""


@contextmanager
def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Raise `Killed` before the file-system step number `step`; yield the steps taken."""
    taken: list[str] = []

    def counting(name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            if len(taken) == step:
                raise Killed
            taken.append(name)
            return act(*arguments, **options)

        return wrapped

    with monkeypatch.context() as patched:
        patched.setattr(
            open_module, "make_folders", counting("make_folders", files_module.make_folders)
        )
        for name in ("sync_file", "sync_folder", "make_folders", "rename_new"):
            patched.setattr(table_module, name, counting(name, getattr(table_module, name)))
        create = counting("create_new", files_module.create_new)
        patched.setattr(commit_log_module, "create_new", create)
        rmtree = counting("rmtree", files_module.shutil.rmtree)  # type: ignore[attr-defined]
        patched.setattr(files_module.shutil, "rmtree", rmtree)  # type: ignore[attr-defined]
        yield taken


def test_a_batch_is_stored_completely_or_not_at_all_wherever_it_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a kill before any step, the next opening finishes the batch or deletes it."""
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


def test_all_is_on_disk_before_the_commit_and_before_staging_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To survive a power cut, it syncs files and folders, then the commit, then the renames."""
    with open_table(str(tmp_path / "raw")) as table, killed_at(-1, monkeypatch) as taken:
        store_batch(table)
    committed = taken.index("create_new")
    # Three files; two days, `table`, `failed`, the batch's folder and its parent.
    assert taken[:committed] == ["sync_file"] * 3 + ["sync_folder"] * 6
    renamed = len(taken) - taken[::-1].index("rename_new")
    assert taken.count("rename_new") == 3
    assert taken[renamed:] == ["sync_folder"] * 3 + ["rmtree"]


def test_recovery_may_be_killed_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unfinished commit is finished, however often that is interrupted."""
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
    """It is refused while the first stream has the table open."""
    with (
        open_table(str(tmp_path / "raw")),
        pytest.raises(AlreadyLocked, match="held by events-stream"),
        open_table(str(tmp_path / "raw")),
    ):
        pass


@pytest.mark.parametrize("name", ["raw/notes.txt", "raw/a.parquet", "raw.control/notes.txt"])
def test_a_target_with_foreign_files_is_refused(name: str, tmp_path: Path) -> None:
    """Its files are not changed."""
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
    """It may be a mount point, an address, or a name that readers take for a pattern."""
    with pytest.raises(PublishError), open_table(target):
        pass


@pytest.mark.parametrize("part", ["raw.failed", "raw.control"])
def test_a_part_on_another_file_system_is_refused(tmp_path: Path, part: str) -> None:
    """It is refused before anything is stored that could not be renamed into place."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:  # memory
        (tmp_path / part).symlink_to(elsewhere)
        said = f"{part}.* and .* are on different file systems"
        with pytest.raises(PublishError, match=said), open_table(str(tmp_path / "raw")):
            pass


def test_a_target_below_a_file_is_refused(tmp_path: Path) -> None:
    """The error is one line that names the target."""
    (tmp_path / "file").touch()
    with pytest.raises(PublishError, match="cannot write"), open_table(str(tmp_path / "file/raw")):
        pass


def test_a_command_beside_the_stream_waits_for_its_change(tmp_path: Path) -> None:
    """Both may have the table open, but only one at a time may change it."""
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


def test_a_command_beside_the_stream_does_not_create_a_table(tmp_path: Path) -> None:
    """The error says where it looked."""
    with pytest.raises(TableMissing, match="there is no table at"):
        open_beside_stream(str(tmp_path / "raw"))
    assert files(tmp_path) == []


def test_files_that_an_orphaned_process_still_writes_do_no_harm(tmp_path: Path) -> None:
    """Spark's Java process may outlive its Python by a moment and keep writing its batch."""
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


def test_a_missing_file_is_refused_when_it_is_needed(tmp_path: Path) -> None:
    """It may have been deleted by hand while the stream runs."""
    with open_table(str(tmp_path / "raw")) as table:
        store_batch(table)
        stored = list(table.state.table_files.values())
        (first, _) = table.locate(stored)
        first.unlink()
        with pytest.raises(TableDamaged, match=r"is missing.* expire --missing --apply"):
            table.locate(stored)
