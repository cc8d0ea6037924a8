"""Tests of what the campaign says about erased users, with correct and wrong tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from events_schema import EventEnvelope, FailureReason
from events_stream.table.erasure import Erasure
from events_stream.table.folder.state import TableState
from events_stream.table.position import Counts, Position
from faults_support.checks import check_totals, due, split
from faults_support.comparison import differences
from faults_support.erased import NOTHING, Erased, Gone, traces
from faults_support.readers import FailedRow, Found, Row
from faults_support.sender import EPOCH, MICROSECOND, Sent
from stream_support.contracts import CONTRACT

NOON = datetime(2026, 1, 31, 12, 0, 0, 1, UTC)
BEFORE, LATER = NOON - MICROSECOND, NOON + MICROSECOND
FAILED = FailedRow(partition=0, offset=3, value=b"x", reason="not_single_object")


@pytest.fixture
def gone() -> Gone:
    """User 1 was erased at noon, and a failed event."""
    erased = Erased()
    erased.add([1], NOON, LATER, [b"x"])
    return erased.gone


def event(received: datetime, user: int = 1, event_id: str | None = None) -> EventEnvelope:
    """Return an event of `user`."""
    return EventEnvelope(
        event_id=event_id or str(uuid4()),
        received_time=received,
        event_time=NOON - timedelta(hours=1),
        user_id=user,
        app_name="ß",
        event_category="page",
    )


def row(event: EventEnvelope) -> Row:
    """Return the row of `event`."""
    values = {**dict(event), "event_date": str(event.event_time.date())}
    for name in ("event_time", "received_time"):
        values[name] = (values[name] - EPOCH) // MICROSECOND
    return Row(**values)


@pytest.mark.parametrize(
    ("received", "user", "expected"), [(BEFORE, 1, "erased"), (NOON, 1, ""), (BEFORE, 2, "")]
)
def test_a_row_from_before_the_erasure_is_named(
    gone: Gone, received: datetime, user: int, expected: str
) -> None:
    """A later row of the user is right, and so is any row of another user."""
    seen = row(event(received, user))
    wrong = differences(Found([seen], []), {seen.event_id: Sent._make(seen[:6])}, {}, gone)
    assert [each.partition(":")[0] for each in wrong] == [expected] * bool(expected)


def test_an_erased_failed_event_is_named(gone: Gone) -> None:
    """A failed event is known by its value."""
    garbage = {b"x": FailureReason.NOT_SINGLE_OBJECT}
    assert differences(Found([], [FAILED]), {}, garbage, NOTHING) == []
    (wrong,) = differences(Found([], [FAILED]), {}, garbage, gone)
    assert wrong.startswith("erased")


def test_traces_are_found_in_any_file(gone: Gone, tmp_path: Path) -> None:
    """Rows and values in files that no reader sees are reported too."""
    folder = tmp_path / "raw.control/staging/1"
    folder.mkdir(parents=True)
    rows = [{"user_id": 1, "received_time": NOON}, {"user_id": 2, "received_time": BEFORE}]
    pq.write_table(pa.Table.from_pylist(rows), folder / "events.parquet")
    pq.write_table(pa.table({"value": [b"y", None]}), folder / "failed.parquet")
    assert traces(tmp_path, gone) == []
    rows.append({"user_id": 1, "received_time": BEFORE})
    pq.write_table(pa.Table.from_pylist(rows), folder / "events.parquet")
    pq.write_table(pa.table({"value": [b"x"]}), folder / "failed.parquet")
    assert [trace.split(": ")[0] for trace in traces(tmp_path, gone)] == [
        "raw.control/staging/1/events.parquet",
        "raw.control/staging/1/failed.parquet",
    ]


def test_events_are_told_apart_by_their_receipt(gone: Gone) -> None:
    """An event of the user is erased if it was received before, even if it comes again later."""
    events = [event(BEFORE), event(NOON), event(BEFORE, user=2)]
    records = [*map(CONTRACT.encode, events), b"garbage", None]
    assert split(records, gone) == ([events[1], events[2]], [events[0]])


def test_an_event_that_comes_again_must_be_stored_once_its_row_is_gone(gone: Gone) -> None:
    """While its row is there, it may be a copy of that."""
    erased, same = event(BEFORE), str(uuid4())
    again = [event(time, event_id=same) for time in (NOON, LATER)]
    assert due(again, [erased], gone) == again
    assert due(again, [event(BEFORE, event_id=same)], gone) == [again[1]]


COPY = str(uuid4())
EVENTS = [event(BEFORE), event(BEFORE, 2, COPY), event(NOON, 2, COPY), event(BEFORE)]
RECORDS = [*map(CONTRACT.encode, EVENTS), b"x"]
"""Of five records, one is a copy, and three are of an erased user: one of them failed."""


def state(counts: Counts, rows: int) -> TableState:
    """Return a table with these totals, from which so many rows and a failed event are erased."""
    receipt = Erasure(
        number=1, erased_at=NOON, topic_ends={}, on_kafka_until=None, rows=rows, failed=1
    )
    return TableState(position=Position(totals=counts), erasures=(receipt,))


@pytest.mark.parametrize(("rows", "dropped"), [(0, 2), (1, 1), (2, 0)])
def test_each_record_is_accounted_for(gone: Gone, rows: int, dropped: int) -> None:
    """Records of erased users were stored and then erased, or dropped on the way."""
    right = Counts(read=5, stored=1 + rows, duplicates=1, failed=1, erased=dropped)
    found = Found([row(EVENTS[1])], [])
    check_totals(state(right, rows), found, RECORDS, gone)
    wrong: Sequence[Counts] = [
        right.model_copy(update={name: getattr(right, name) + more})
        for name in Counts.model_fields
        for more in (-1, 1)
    ]
    wrong = [*wrong, right.model_copy(update={"duplicates": 0, "erased": dropped + 1})]
    for counts in wrong:
        with pytest.raises(AssertionError):
            check_totals(state(counts, rows), found, RECORDS, gone)


def test_an_event_is_posted_again_unchanged() -> None:
    """The JSON of an event that was sent is read as the same event."""
    for sent in (Sent(1, 1, "ß", None, "page", None), Sent(None, 1, "ß", "x", "page", 0)):
        assert Sent.from_posted(sent.as_posted("id")) == sent
        assert sent.as_posted("id")["event_id"] == "id"
