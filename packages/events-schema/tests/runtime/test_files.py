"""The file operations for publishing, on a real file system."""

from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from events_schema.runtime.errors import PublishError
from events_schema.runtime.files import (
    check_renames,
    create_new,
    exchange,
    make_folders,
    refusing_unwritable,
    remove_folder,
    rename_new,
)


def test_rename_new_never_replaces(tmp_path: Path) -> None:
    """If the destination exists, both files stay unchanged."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("1")
    other.write_text("2")
    with pytest.raises(FileExistsError):
        rename_new(one, other)
    assert (one.read_text(), other.read_text()) == ("1", "2")
    rename_new(one, tmp_path / "new")
    assert (tmp_path / "new").read_text() == "1"


def test_exchange_swaps_folders(tmp_path: Path) -> None:
    """Each folder gets the other's name."""
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    exchange(tmp_path / "one", tmp_path / "other")
    assert (tmp_path / "one" / "other").exists()
    assert (tmp_path / "other" / "one").exists()


def test_create_new_is_all_or_nothing(tmp_path: Path) -> None:
    """An existing file is not replaced, but a file left over by a process that died is."""
    path = tmp_path / "commit"
    path.with_name("commit.new").write_text("half of")
    create_new(path, b"whole")
    with pytest.raises(FileExistsError):
        create_new(path, b"other")
    assert path.read_bytes() == b"whole"


def test_the_renames_are_tried_where_they_will_be_needed(tmp_path: Path) -> None:
    """The check leaves no files behind."""
    check_renames(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_make_folders_makes_all_that_is_missing(tmp_path: Path) -> None:
    """A second call does nothing."""
    for _ in range(2):
        make_folders(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    """The error names the file that could not be written and the cause."""
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "table"
    with pytest.raises(PublishError, match=r"cannot write .*file: "), refusing_unwritable(folder):
        make_folders(folder)


@pytest.mark.parametrize(
    ("code", "way_out"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EROFS, "mount it writable"),
        (errno.EACCES, "this user"),
    ],
)
def test_an_unwritable_folder_names_the_way_out(tmp_path: Path, code: int, way_out: str) -> None:
    """The error says what to do for each cause."""
    with pytest.raises(PublishError, match=way_out), refusing_unwritable(tmp_path):
        raise OSError(code, os.strerror(code), str(tmp_path))


def test_a_folder_is_removed_in_which_another_still_works(tmp_path: Path) -> None:
    """A folder is removed although another process still creates or deletes files in it."""
    folder = tmp_path / "folder"
    stop = threading.Event()

    def work() -> int:
        made = 0
        while not stop.is_set():
            path = folder / "sub" / f"{made}"
            # The folder may disappear before `mkdir` checks that it is one.
            with suppress(FileNotFoundError, FileExistsError):
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
    """An error that has nothing to do with the folder is passed on unchanged."""
    with pytest.raises(ConnectionRefusedError), refusing_unwritable(tmp_path):
        raise ConnectionRefusedError
