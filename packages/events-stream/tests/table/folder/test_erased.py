"""The ids of erased users are in one file that only its owner reads, as long as they are needed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from stat import S_ISDIR

import pytest

from events_schema.runtime.errors import TableDamaged
from events_schema.tables.paths import TablePaths
from events_stream.table.erasure import Erasure
from events_stream.table.folder.erased import ErasedUsers
from events_stream.table.folder.state import TableState
from stream_support.envelopes import NOON

USERS = frozenset({7, -(2**31)})


@pytest.fixture
def paths(tmp_path: Path) -> TablePaths:
    """The paths of a table."""
    paths = TablePaths(tmp_path / "raw")
    paths.control.mkdir()
    return paths


def state(*open_numbers: int) -> TableState:
    """Return a state with open receipts of these numbers, and a closed one."""
    receipt = Erasure(number=99, erased_at=NOON, topic_ends={}, on_kafka_until=None, closed=True)
    opened = [receipt.model_copy(update={"number": n, "closed": False}) for n in open_numbers]
    return TableState(erasures=(*opened, receipt))


def file(paths: TablePaths) -> Path:
    """Return the path of the file."""
    return paths.control / "erased.json"


def test_users_count_while_their_receipt_is_open(paths: TablePaths) -> None:
    """An entry is found by the number of its receipt, and deleted after that was closed."""
    erased = ErasedUsers(paths)
    assert erased.read(state()) == {}
    erased.add(state(), 3, USERS)
    erased.add(state(3), 5, frozenset({8}))
    assert erased.read(state(3, 5)) == {3: USERS, 5: {8}}
    erased.tidy(state(5))
    assert json.loads(file(paths).read_text())["erasures"] == {"5": [8]}
    erased.tidy(state())
    assert list(paths.control.iterdir()) == []


def test_an_entry_without_a_receipt_does_not_count(paths: TablePaths) -> None:
    """A command that was killed before its commit leaves an entry: nobody is erased by it."""
    erased = ErasedUsers(paths)
    erased.add(state(), 3, USERS)
    assert erased.read(state()) == {}
    erased.add(state(), 3, frozenset({8}))  # the next erasure gets the same number
    assert erased.read(state(3)) == {3: {8}}


def test_only_the_owner_may_read_it(paths: TablePaths) -> None:
    """It has mode 0600, whatever the umask, and even after a process was killed."""
    paths.control.joinpath("erased.json.new").write_text("left")
    before = os.umask(0)
    try:
        ErasedUsers(paths).add(state(), 3, USERS)
    finally:
        os.umask(before)
    assert file(paths).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in paths.control.iterdir()] == ["erased.json"]


def test_nothing_is_left_of_a_process_that_was_killed(paths: TablePaths) -> None:
    """What it had begun to write has ids as well, so it goes with the next change."""
    erased = ErasedUsers(paths)
    erased.add(state(), 3, USERS)
    left = file(paths).rename(paths.control / "erased.json.new")
    erased.tidy(state())
    assert not left.exists()


def test_a_damaged_file_that_nobody_needs_is_deleted(paths: TablePaths) -> None:
    """Without an open receipt it does not matter whose ids it had."""
    file(paths).write_text("damaged")
    ErasedUsers(paths).tidy(state())
    assert not file(paths).exists()


def test_it_belongs_to_the_owner_of_the_table(paths: TablePaths) -> None:
    """If root erases, the stream of another user can read it."""
    os.chown(paths.control, 12345, 12345)
    ErasedUsers(paths).add(state(), 3, USERS)
    assert (file(paths).stat().st_uid, file(paths).stat().st_gid) == (12345, 12345)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "lacks the users of the erasure of 2026-01-31 12:00:00 UTC; restore it, or erase"),
        ("{}", "lacks the users"),
        ('{"erasures": {"4": [1]}}', "lacks the users"),
        ("", "is unreadable; restore it, or delete it and erase the same users again"),
        ('{"erasures": {"3": ["me"]}}', "is unreadable"),
        ('{"format": 2, "erasures": {"3": [1]}}', "has format 2, from a newer events-stream"),
    ],
)
def test_a_file_that_does_not_say_who_is_refused(
    paths: TablePaths, content: str | None, said: str
) -> None:
    """Without the ids the stream might store a person again, so it refuses to go on."""
    if content is not None:
        file(paths).write_text(content)
    with pytest.raises(TableDamaged, match=said):
        ErasedUsers(paths).read(state(3))


def test_it_survives_a_kill_between_any_two_lines(
    paths: TablePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file has all of its old content or all of its new content."""
    erased = ErasedUsers(paths)
    erased.add(state(), 3, USERS)
    for function in ("open", "fdopen", "fsync", "replace"):
        with monkeypatch.context() as patched:
            patched.setattr(os, function, _killed)
            with pytest.raises(KeyboardInterrupt):
                erased.add(state(3), 5, frozenset({8}))
        assert erased.read(state(3)) == {3: USERS}
    erased.add(state(3), 5, frozenset({8}))
    assert erased.read(state(3, 5)) == {3: USERS, 5: {8}}


def test_it_is_on_disk_before_it_replaces_the_old_one(
    paths: TablePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power loss leaves the old file or the whole new one."""
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(descriptor: int) -> None:
        calls.append("folder" if S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def note_replace(old: Path, new: Path) -> None:
        calls.append("replace")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    ErasedUsers(paths).add(state(), 3, USERS)
    assert calls == ["file", "replace", "folder"]


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
