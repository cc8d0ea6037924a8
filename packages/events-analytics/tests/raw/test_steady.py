"""A table whose files disappear while they are read is read again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from events_analytics.raw import steady
from events_analytics.raw.steady import noticing_gone, steadily
from events_schema import EventsError
from events_schema.runtime.database import READ_TRIES
from events_schema.runtime.errors import DatabaseFailed, SparkFailed, TableReplaced


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry at once."""
    monkeypatch.setattr(steady, "RETRY_SECONDS", 0)


def reading(folder: Path, losses: int, error: EventsError) -> Callable[[], list[str]]:
    """Return a function that lists a folder and fails the first times, when the file is gone."""
    names = iter(range(losses + 1))

    def read() -> list[str]:
        path = folder / f"{next(names)}.parquet"
        path.touch()
        with noticing_gone([path]):
            if int(path.stem) < losses:
                path.unlink()
                raise error
        return [path.name]

    return read


def test_a_read_whose_files_are_gone_is_done_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The result is from the last try, and each retry is one line that names a missing file."""
    assert steadily(reading(tmp_path, 2, SparkFailed("x"))) == ["2.parquet"]
    lines = "".join(capsys.readouterr()).splitlines()
    assert [name for line in lines for name in ("0.parquet", "1.parquet") if name in line] == [
        "0.parquet",
        "1.parquet",
    ]
    assert all("the table has changed; reading it again" in line for line in lines)


def test_files_that_keep_disappearing_end_it(tmp_path: Path) -> None:
    """After a few tries the error names the last missing file, and a later call may succeed."""
    with pytest.raises(TableReplaced, match=f"{READ_TRIES - 1}.parquet disappeared .* 4 retries"):
        steadily(reading(tmp_path, READ_TRIES, DatabaseFailed("x")))
    assert TableReplaced.retriable


def test_other_failures_are_not_repeated(tmp_path: Path) -> None:
    """An error while all files are there, and a missing temporary folder, are as they were."""
    calls = []

    def fail(error: Exception) -> None:
        calls.append(error)
        with noticing_gone([tmp_path]):
            raise error

    for error in (SparkFailed("out of memory"), FileNotFoundError("no usable folder")):
        with pytest.raises(type(error)) as raised:
            steadily(lambda error=error: fail(error))  # type: ignore[misc]
        assert raised.value is error
    assert len(calls) == 2


def test_a_file_in_a_folder_that_may_not_be_entered_is_not_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error stays the one that says what cannot be read."""

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(SparkFailed), noticing_gone([tmp_path / "a.parquet"]):
        raise SparkFailed("x")
