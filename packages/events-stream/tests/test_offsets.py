"""Which offsets a batch covers, and what the table makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events_stream.errors import CheckpointUnreadable, OffsetGap
from events_stream.offsets import OffsetRange, forget_unfinished_batch, offset_range

OFFSETS = st.dictionaries(st.integers(0, 3), st.integers(0, 20), max_size=4)


def checkpoint(folder: Path, **files: str) -> Path:
    """Lay out a checkpoint as Spark does."""
    for name, text in files.items():
        path = folder / {"initial": "sources/0/0"}.get(name, f"offsets/{name.strip('_')}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_the_first_batch_starts_where_the_source_did(tmp_path: Path) -> None:
    """The source's own first offsets, then the end that the offset log has."""
    folder = checkpoint(
        tmp_path,
        initial='v1\n{"events":{"0":5,"1":0}}',
        _0='v1\n{"batchWatermarkMs":0}\n{"events":{"0":9,"1":3}}',
        _1='v1\n{"batchWatermarkMs":0}\n{"events":{"0":9,"1":4,"2":7}}',
    )
    assert offset_range(folder, 0, "events") == OffsetRange({0: 5, 1: 0}, {0: 9, 1: 3})
    assert offset_range(folder, 1, "events") == OffsetRange({0: 9, 1: 3, 2: 0}, {0: 9, 1: 4, 2: 7})


@pytest.mark.parametrize("text", ["", "v1", "v1\n{}\n-", 'v1\n{}\n{"other":{"0":1}}', "v1\n{}\n{"])
def test_a_checkpoint_that_says_something_else_is_refused(text: str, tmp_path: Path) -> None:
    """With the way out."""
    folder = checkpoint(tmp_path, initial='v1\n{"events":{"0":5}}', _0=text)
    with pytest.raises(CheckpointUnreadable, match="give an empty --checkpoint"):
        offset_range(folder, 0, "events")


def test_a_batch_that_did_not_end_is_forgotten(tmp_path: Path) -> None:
    """Only the last one, and only where Spark has no commit for it."""
    folder = checkpoint(tmp_path, _0="v1", _1="v1")
    (folder / "commits").mkdir()
    (folder / "commits" / "0").touch()
    for _ in range(2):
        forget_unfinished_batch(folder)
        assert [path.name for path in (folder / "offsets").iterdir()] == ["0"]
    forget_unfinished_batch(tmp_path / "none")


def test_a_batch_above_the_table_is_a_gap() -> None:
    """The partition, both offsets and the number of records are named."""
    batch = OffsetRange({0: 4, 1: 9}, {0: 6, 1: 12})
    with pytest.raises(OffsetGap, match=r"partition 1: .* offset 7, .* at 9, 2 records"):
        batch.check_no_gap({0: 4, 1: 7})


def test_a_new_partition_starts_at_zero() -> None:
    """A partition that the table does not know may not start later."""
    OffsetRange({0: 4, 1: 0}, {0: 6, 1: 2}).check_no_gap({0: 4})
    with pytest.raises(OffsetGap, match="partition 1"):
        OffsetRange({0: 4, 1: 1}, {0: 6, 1: 2}).check_no_gap({0: 4})


def test_a_new_table_starts_where_the_topic_does() -> None:
    """Retention may have taken the first records long ago."""
    OffsetRange({0: 1000}, {0: 1001}).check_no_gap({})


@given(OFFSETS, OFFSETS)
def test_the_tables_offsets_never_step_back(
    next_offsets: dict[int, int], end: dict[int, int]
) -> None:
    """Whatever an old or restored checkpoint offers."""
    batch = OffsetRange({}, end)
    after = batch.after(next_offsets)
    assert all(after[p] >= offset for p, offset in next_offsets.items())
    assert all(after[p] >= offset for p, offset in end.items())
    assert batch.is_known(after)
    if batch.is_known(next_offsets):
        assert after == next_offsets
