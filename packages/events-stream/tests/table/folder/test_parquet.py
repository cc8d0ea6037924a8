"""What is read from the parquet files of a change."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from events_schema.column import EPOCH
from events_stream.table.folder.parquet import describe_events
from stream_support.envelopes import NOON

HOUR = timedelta(hours=1)


def test_the_hours_of_a_file_are_read_from_it(tmp_path: Path) -> None:
    """Rows without a time of receipt have no hour."""
    times = [EPOCH, NOON, None, NOON + HOUR, NOON + 5 * HOUR]
    column = pa.array(times, pa.timestamp("us", tz="UTC"))
    pq.write_table(pa.table({"received_time": column}), tmp_path / "some.parquet")
    none = pa.table({"received_time": pa.array([None], pa.timestamp("us", tz="UTC"))})
    pq.write_table(none, tmp_path / "none.parquet")
    beats: list[None] = []
    some, without = describe_events(
        [tmp_path / "some.parquet", tmp_path / "none.parquet"], lambda: beats.append(None)
    )
    noon = (NOON - EPOCH) // HOUR
    assert some.received_hours == ((0, 0), (noon, noon + 1), (noon + 5, noon + 5))
    assert (without.rows, without.received_hours, list(without.received)) == (1, (), [])
    assert beats == [None]
