"""DuckDB over files that disappear while they are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import pytest

from events_schema.runtime import database as database_module
from events_schema.runtime.database import READ_TRIES, Database, open_database, read_steadily
from events_schema.runtime.errors import DatabaseFailed, PublishError, TableReplaced


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the pause between retries."""
    monkeypatch.setattr(database_module, "RETRY_SECONDS", 0)


def read_by_python(_: Database, files: Sequence[Path]) -> str:
    """The text of the first file; raises `FileNotFoundError` if it is missing."""
    return files[0].read_text()


def read_by_duckdb(database: Database, files: Sequence[Path]) -> str:
    """The text of the first file; raises DuckDB's error if it is missing."""
    (text,) = database.one("FROM read_csv($path, header = false)", path=str(files[0]))
    return str(text)


def read_checked(_: Database, files: Sequence[Path]) -> str:
    """The text of the first file; raises an error of this project if it is missing."""
    if not files[0].exists():
        raise PublishError("the file is missing")
    return files[0].read_text()


@pytest.mark.parametrize("read", [read_by_python, read_by_duckdb, read_checked])
def test_files_that_vanish_are_listed_anew(
    read: Callable[[Database, Sequence[Path]], str], tmp_path: Path
) -> None:
    """The result comes from the second listing, whichever error the first read raised."""
    new = tmp_path / "new"
    new.write_text("new")
    listings = iter([[tmp_path / "old"], [new]])
    assert read_steadily(lambda: next(listings), read) == "new"


def test_a_listing_that_fails_is_made_anew(tmp_path: Path) -> None:
    """A file that disappears during the listing is handled like one that disappears later."""
    new = tmp_path / "new"
    new.write_text("new")
    tries = iter([tmp_path / "old", new])

    def listed() -> Sequence[Path]:
        path = next(tries)
        path.stat()
        return [path]

    assert read_steadily(listed, read_by_python) == "new"


def test_files_that_always_vanish_are_given_up(tmp_path: Path) -> None:
    """After the last try the error names the missing file and is retriable."""
    tries: list[Path] = []

    def listed() -> Sequence[Path]:
        tries.append(tmp_path / f"{len(tries)}.parquet")
        return tries[-1:]

    with pytest.raises(TableReplaced) as given_up:
        read_steadily(listed, read_by_duckdb)
    assert len(tries) == READ_TRIES
    assert str(given_up.value).startswith(f"{tries[-1]} disappeared before it was read")
    assert given_up.value.retriable


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (PublishError("the table is not ours"), PublishError),
        (ValueError("not a number"), ValueError),
        (duckdb.IOException("the disk is broken"), DatabaseFailed),
    ],
)
def test_a_failure_with_all_files_there_is_passed_on(
    failure: Exception, raised: type[Exception], tmp_path: Path
) -> None:
    """A failure is not retried if all files exist; DuckDB's errors become one line."""
    file = tmp_path / "file"
    file.touch()
    tries = []

    def read(_: Database, files: Sequence[Path]) -> None:
        tries.append(files)
        raise failure

    with pytest.raises(raised, match=str(failure)):
        read_steadily(lambda: [file], read)
    assert tries == [[file]]


def test_a_database_keeps_to_its_folder_and_memory(tmp_path: Path) -> None:
    """Data beyond the given memory goes to the given folder, which is not deleted."""
    spill = tmp_path / "spill"
    spill.mkdir()
    with open_database("64MiB", spill) as database:
        (folder,) = database.one("SELECT current_setting('temp_directory')")
        (memory,) = database.one("SELECT current_setting('memory_limit')")
    assert (folder, memory) == (str(spill), "64.0 MiB")
    assert spill.is_dir()


def test_a_database_without_a_folder_makes_one_for_itself() -> None:
    """The temporary folder exists while the database is open, and is deleted afterwards."""
    with open_database() as database:
        (folder,) = database.one("SELECT current_setting('temp_directory')")
        assert Path(folder).is_dir()
    assert not Path(folder).exists()
