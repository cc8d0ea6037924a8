"""Lock files, held by one process at a time."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

import pytest

from events_schema.runtime.errors import AlreadyLocked, PublishError
from events_schema.runtime.locks import exclusive_lock, is_locked


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    """The second process is told who holds the lock; the lock is free once the holder is done."""
    path = tmp_path / "lock"
    with (
        exclusive_lock(path, "the first"),
        pytest.raises(AlreadyLocked, match="held by the first"),
        exclusive_lock(path, "the second"),
    ):
        pass
    with exclusive_lock(path, "the next"):
        assert "the next" in path.read_text()


def test_a_lock_can_be_asked_for_and_waited_for(tmp_path: Path) -> None:
    """A waiting process gets the lock once it is free; `is_locked` does not take it."""
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
    """A lock file in an unwritable folder raises the same error as the folder."""
    (tmp_path / "lock").mkdir()
    with (
        pytest.raises(PublishError, match="cannot write"),
        exclusive_lock(tmp_path / "lock", "the first"),
    ):
        pass


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Otherwise a link in the table's folder would let root overwrite any file."""
    other, path = tmp_path / "other", tmp_path / "lock"
    other.write_text("kept")
    path.symlink_to(other)
    with pytest.raises(PublishError, match="symbolic links"), exclusive_lock(path, "a test"):
        pass
    assert other.read_text() == "kept"
