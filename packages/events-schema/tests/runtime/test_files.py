"""The file-system steps that publishing rests on, on a real file system."""

from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import Queue

import pytest

from events_schema.runtime.errors import AlreadyLocked, PublishError
from events_schema.runtime.files import (
    check_renames,
    create_new,
    exchange,
    exclusive_lock,
    is_locked,
    make_folders,
    refusing_unwritable,
    remove_folder,
    rename_new,
)
from events_schema.tables.paths import TableLayout


def test_rename_new_never_replaces(tmp_path: Path) -> None:
    """Where the destination exists, both files stay as they are."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("1")
    other.write_text("2")
    with pytest.raises(FileExistsError):
        rename_new(one, other)
    assert (one.read_text(), other.read_text()) == ("1", "2")
    rename_new(one, tmp_path / "new")
    assert (tmp_path / "new").read_text() == "1"


def test_exchange_swaps_folders(tmp_path: Path) -> None:
    """Each folder stands under the other's name."""
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    exchange(tmp_path / "one", tmp_path / "other")
    assert (tmp_path / "one" / "other").exists()
    assert (tmp_path / "other" / "one").exists()


def test_create_new_is_all_or_nothing(tmp_path: Path) -> None:
    """An existing file is not replaced; a leftover of a process that died is."""
    path = tmp_path / "commit"
    path.with_name("commit.new").write_text("half of")
    create_new(path, b"whole")
    with pytest.raises(FileExistsError):
        create_new(path, b"other")
    assert path.read_bytes() == b"whole"


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    """The second is told who holds it; the lock is free once the holder is done."""
    path = tmp_path / "lock"
    with (
        exclusive_lock(path, "the first"),
        pytest.raises(AlreadyLocked, match="held by the first"),
        exclusive_lock(path, "the second"),
    ):
        pass
    with exclusive_lock(path, "the next"):
        assert "the next" in path.read_text()


def test_the_renames_are_tried_where_they_will_be_needed(tmp_path: Path) -> None:
    """Nothing of the trial stays behind."""
    check_renames(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_make_folders_makes_all_that_is_missing(tmp_path: Path) -> None:
    """Again is no error."""
    for _ in range(2):
        make_folders(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    """The error says what could not be written and why."""
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "table"
    with pytest.raises(PublishError, match=r"cannot write .*file: "), refusing_unwritable(folder):
        make_folders(folder)


@pytest.mark.parametrize(
    ("code", "way_out"),
    [(errno.ENOSPC, "make room"), (errno.EROFS, "mount it writable"), (errno.EACCES, "this user")],
)
def test_an_unwritable_folder_names_the_way_out(tmp_path: Path, code: int, way_out: str) -> None:
    """By what is wrong with it."""
    with pytest.raises(PublishError, match=way_out), refusing_unwritable(tmp_path):
        raise OSError(code, os.strerror(code), str(tmp_path))


@pytest.mark.parametrize("target", ["s3://bucket/table", "hdfs://name/table", "/", "/proc"])
def test_what_cannot_be_published_to_is_refused(target: str) -> None:
    """Addresses and mount points, each with what to give instead."""
    with pytest.raises(PublishError, match="give a"):
        TableLayout.at(target)


def test_a_folder_bound_to_the_target_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bind mount of the same file system has no other device number; the kernel's list says."""
    target = tmp_path / "a table ü"
    target.mkdir()
    point = str(target).replace(" ", "\\040")
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        f"22 1 8:1 / / rw - ext4 /dev/a rw\n36 22 8:1 /x {point} rw - ext4 /dev/a rw\n"
    )
    TableLayout.at(str(target))
    monkeypatch.setattr("events_schema.tables.paths.MOUNTS", mounts)
    with pytest.raises(PublishError, match="is a mount point"):
        TableLayout.at(str(target))


def test_the_parts_of_a_table_lie_beside_it(tmp_path: Path) -> None:
    """Links are resolved first, so that all lie on one file system."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    layout = TableLayout.at(str(tmp_path / "link"))
    assert layout.control == tmp_path / "real.control"
    assert layout.failed == tmp_path / "real.failed"
    assert layout.versions == tmp_path / "real.versions"


def test_a_lock_can_be_asked_for_and_waited_for(tmp_path: Path) -> None:
    """Who waits gets it once it is free; asking takes nothing away."""
    path = tmp_path / "lock"
    got = threading.Event()

    held_by: Queue[str] = Queue()

    def wait() -> None:
        with exclusive_lock(path, "the second", waiting=held_by.put):
            got.set()

    assert not is_locked(path)
    with ThreadPoolExecutor(1) as pool:
        with exclusive_lock(path, "the first"):
            assert is_locked(path)
            waiting = pool.submit(wait)
            with pytest.raises(AlreadyLocked), exclusive_lock(path, "the third"):
                pass
            assert held_by.get(timeout=30) == f"the first, process {os.getpid()}"
            assert not got.is_set()
        waiting.result(timeout=30)
    assert got.is_set()
    assert held_by.empty()
    assert not is_locked(path)


def test_a_lock_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """As the folder is."""
    (tmp_path / "lock").mkdir()
    with (
        pytest.raises(PublishError, match="cannot write"),
        exclusive_lock(tmp_path / "lock", "the first"),
    ):
        pass


def test_a_folder_is_removed_in_which_another_still_works(tmp_path: Path) -> None:
    """Whether it makes files in it or deletes some; and where there is none, nothing is done."""
    folder = tmp_path / "folder"
    stop = threading.Event()

    def work() -> int:
        made = 0
        while not stop.is_set():
            path = folder / "sub" / f"{made}"
            with suppress(FileNotFoundError):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
                path.unlink()
            made += 1
        return made

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        try:
            for _ in range(300):
                remove_folder(folder)
        finally:
            stop.set()
        assert working.result(timeout=30) > 0
    remove_folder(folder)
    assert not folder.exists()
    remove_folder(folder)


def test_a_refused_connection_is_no_files_error(tmp_path: Path) -> None:
    """What is no matter of the folder is not blamed on it."""
    with pytest.raises(ConnectionRefusedError), refusing_unwritable(tmp_path):
        raise ConnectionRefusedError
