"""Tests of the campaign's comparison, with correct and wrong tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import duckdb
import pytest

from events_schema import EventEnvelope, FailureReason
from events_schema.tables.paths import TablePaths
from events_stream.table.position import Cut
from faults_support.comparison import differences, missing, not_as_received, strangers
from faults_support.erased import NOTHING
from faults_support.losses import Losses, TopicLoss, match
from faults_support.readers import READERS, FailedRow, Found, Row
from faults_support.sender import EPOCH, MICROSECOND, Sent

NOON = datetime(2026, 1, 31, 12, 0, 0, 1, UTC)
SECOND = timedelta(seconds=1)
RECEIVED = (NOON - EPOCH) // MICROSECOND
ENVELOPE = EventEnvelope(
    event_id=str(uuid4()),
    received_time=NOON,
    event_time=NOON,
    user_id=1,
    app_name="ß",
    event_category="page",
)
SENT = Sent(RECEIVED, 1, "ß", None, "page", None)
ROW = Row(RECEIVED, 1, "ß", None, "page", None, ENVELOPE.event_id, RECEIVED, "2026-01-31")
GARBAGE = {b"x": FailureReason.NOT_SINGLE_OBJECT}
FAILED = FailedRow(partition=0, offset=3, value=b"x", reason="not_single_object")


def wrong(rows: list[Row], failed: list[FailedRow] | None = None) -> str:
    """Return what is wrong with these rows if only `ROW` was sent."""
    found = Found(rows, failed or [])
    return " ".join(differences(found, {ROW.event_id: SENT}, GARBAGE, NOTHING))


def test_an_unaltered_event_is_right() -> None:
    """An unaltered row is right; a time that was left out is the time of receipt."""
    assert wrong([ROW], [FAILED]) == ""
    untimed = {ROW.event_id: SENT._replace(event_time=None)}
    assert differences(Found([ROW], []), untimed, {}, NOTHING) == []
    assert differences(Found([ROW._replace(received_time=0)], []), untimed, {}, NOTHING) != []


@pytest.mark.parametrize("field", Sent._fields)
def test_an_altered_field_is_named(field: str) -> None:
    """A change in any of the six fields is reported as altered."""
    other: object = "other" if field.startswith(("app", "event_a", "event_c")) else 7
    assert wrong([ROW._replace(**{field: other})]).startswith("altered")  # type: ignore[arg-type]


def test_an_unexpected_row_is_named() -> None:
    """Duplicates, rows that were never sent and rows in the wrong place are reported."""
    assert wrong([ROW, ROW]).startswith("stored twice")
    assert wrong([ROW._replace(event_id="0")]).startswith("never sent")
    assert wrong([ROW._replace(event_date="2026-01-30")]).startswith("in another day's folder")
    assert wrong([], [FAILED, FAILED]).startswith("failed twice")
    assert wrong([], [FAILED._replace(reason="empty")]).startswith("failed for another reason")
    assert wrong([], [FAILED._replace(value=b"y")]).startswith("failed for another reason")


def test_a_missing_row_is_named() -> None:
    """Missing events and missing garbage are reported."""
    assert missing(Found([ROW], [FAILED]), [ROW.event_id], GARBAGE) == []
    assert missing(Found([], []), [ROW.event_id], GARBAGE) == [ROW.event_id, "78"]


LOSS = TopicLoss(0, 60, [(60, b"a"), (61, b"b"), (62, b"c")], read_before=61, at=NOON)


def told(offset: int = 60, table_end: int = 62, partition: int = 0) -> Cut:
    """Return a cut as the table tells of it."""
    return Cut(partition=partition, offset=offset, table_end=table_end, found_at=NOON)


def test_what_kafka_lost_is_told_apart_from_what_the_table_lost() -> None:
    """The table had read what lies before its end; only the rest may be missing."""
    assert match([LOSS], [told()]) == Losses(read=[b"a", b"b"], unread=[b"c"])
    beyond = replace(LOSS, read_before=60)
    assert match([beyond], []) == Losses(read=[], unread=[b"a", b"b", b"c"])
    again = replace(LOSS, records=[(60, b"d")], read_before=60, at=NOON + SECOND)
    later = told(table_end=61).model_copy(update={"found_at": NOON + 2 * SECOND})
    assert match([LOSS, again], [told(), later]).read == [b"a", b"b", b"d"]
    assert match([beyond, again], [later]) == Losses(read=[b"d"], unread=[b"a", b"b", b"c"])


@pytest.mark.parametrize(
    "cuts", [[], [told(table_end=60)], [told(offset=61)], [told(partition=1)], [told(), told()]]
)
def test_a_cut_that_is_not_told_is_named(cuts: list[Cut]) -> None:
    """Each cut of records that the table had read must be told, and no other."""
    with pytest.raises(AssertionError, match="told"):
        match([LOSS], cuts)


def test_a_row_equals_its_record_to_the_microsecond() -> None:
    """A row whose time of receipt differs by a microsecond is reported."""
    assert not_as_received(Found([ROW], []), [ENVELOPE]) == []
    late = ROW._replace(received_time=RECEIVED + 1)
    assert not_as_received(Found([late], []), [ENVELOPE]) == [late]


@pytest.mark.parametrize("reader", READERS)
def test_readers_see_every_column(reader: str, tmp_path: Path) -> None:
    """Readers see all columns of rows and failed events, and no rows if there are no files."""
    paths = TablePaths(tmp_path / "raw")
    assert READERS[reader](paths) == Found([], [])
    for folder in (paths.target / "event_date=2026-01-31", paths.failed):
        folder.mkdir(parents=True)
    duckdb.execute(
        f"COPY (SELECT $1::TIMESTAMPTZ AS event_time, 1::INT AS user_id, 'ß' AS app_name, "
        f"NULL::VARCHAR AS event_action, 'page' AS event_category, NULL::INT AS event_value, "
        f"$2 AS event_id, $1::TIMESTAMPTZ AS received_time) "
        f"TO '{paths.target}/event_date=2026-01-31/0.parquet'",
        [NOON, ROW.event_id],
    )
    duckdb.execute(
        f"COPY (SELECT 0::INT AS partition, 3::BIGINT AS \"offset\", 'x'::BLOB AS value, "
        f"'not_single_object' AS reason) TO '{paths.failed}/0.parquet'"
    )
    assert READERS[reader](paths) == Found([ROW], [FAILED])
    assert strangers(paths.target) == []
    (paths.target / "event_date=2026-01-31" / "_SUCCESS").touch()
    assert len(strangers(paths.target)) == 1
