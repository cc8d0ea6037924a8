"""The offsets at which a query starts, and those that a batch covers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events_stream.errors import (
    CheckpointUnreadable,
    OffsetGap,
    OtherRecords,
    RecordsLost,
    TopicCut,
)
from events_stream.kafka.offsets import OffsetRange, Start, choose_start, last_plan, offset_range
from events_stream.kafka.topic import TopicNow
from events_stream.table.position import Loss, Offsets, SourceIdentity, Span

PLANNED = datetime(2026, 1, 31, 12, tzinfo=UTC)
METADATA = '{"batchWatermarkMs":0,"batchTimestampMs":1769860800000}'
OFFSETS = st.dictionaries(st.integers(0, 3), st.integers(0, 20), max_size=4)


IDENTITY = SourceIdentity(cluster_id="c", topic="events", topic_id="t")


def topic(earliest: Offsets, latest: Offsets) -> TopicNow:
    """Return a topic that begins and ends at these offsets."""
    return TopicNow(IDENTITY, earliest, latest, leaders={0: 3})


def checkpoint(folder: Path, **files: str) -> Path:
    """Write a checkpoint as Spark does."""
    for name, text in files.items():
        path = folder / {"initial": "sources/0/0"}.get(name, f"offsets/{name.strip('_')}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_the_first_batch_starts_where_the_source_did(tmp_path: Path) -> None:
    """The first batch starts at the source's initial offsets, and the second where it ended."""
    folder = checkpoint(
        tmp_path,
        initial='v1\n{"events":{"0":5,"1":0}}',
        _0=f'v1\n{METADATA}\n{{"events":{{"0":9,"1":3}}}}',
        _1=f'v1\n{METADATA}\n{{"events":{{"0":9,"1":4,"2":7}}}}',
    )
    first = OffsetRange({0: 5, 1: 0}, {0: 9, 1: 3}, PLANNED)
    assert offset_range(folder, 0, "events") == first
    second = OffsetRange({0: 9, 1: 3, 2: 0}, {0: 9, 1: 4, 2: 7}, PLANNED)
    assert offset_range(folder, 1, "events") == second
    assert (first.records, second.records) == (7, 8)
    assert last_plan(folder) == 1
    assert last_plan(folder / "none") is None


@pytest.mark.parametrize(
    "text",
    ["", "v1", "v1\n{}\n-", f'v1\n{METADATA}\n{{"other":{{"0":1}}}}', 'v1\n{}\n{"events":{"0":1}}'],
)
def test_an_unreadable_checkpoint_is_refused(text: str, tmp_path: Path) -> None:
    """The error says how to continue."""
    folder = checkpoint(tmp_path, initial='v1\n{"events":{"0":5}}', _0=text)
    with pytest.raises(CheckpointUnreadable, match="start again"):
        offset_range(folder, 0, "events")


def test_a_batch_must_start_where_the_table_ends() -> None:
    """A batch that starts above or below, or goes backwards, is refused with its offsets."""
    OffsetRange({0: 4, 1: 0}, {0: 6, 1: 0}, PLANNED).check_follows({0: 4})
    for start, end in ((5, 6), (3, 6), (4, 3)):
        with pytest.raises(OffsetGap, match=f"partition 0: .* offset 4, .* from {start} to {end}"):
            OffsetRange({0: start}, {0: end}, PLANNED).check_follows({0: 4})


def test_a_new_table_starts_where_the_topic_does() -> None:
    """The earliest offset may be greater than 0, because of retention."""
    start = choose_start({}, topic({0: 1000, 1: 0}, {0: 1001, 1: 0}), {}, accept_loss=False)
    assert start == Start({0: 1000, 1: 0}, leaders={0: 3})


def test_records_that_are_gone_are_refused_unless_accepted() -> None:
    """This includes the first records of a partition that the table has not read yet."""
    now = topic({0: 4, 1: 9, 2: 2}, {0: 6, 1: 12, 2: 3})
    said = r"partition 1: .* to read is 7, .* begins at 9: Kafka deleted 4 .* --accept-loss"
    with pytest.raises(RecordsLost, match=said):
        choose_start({0: 5, 1: 7}, now, {}, accept_loss=False)
    start = choose_start({0: 5, 1: 7}, now, {}, accept_loss=True)
    lost = (Loss(partition=1, start=7, end=9), Loss(partition=2, start=0, end=2))
    assert start == Start({0: 5, 1: 9, 2: 2}, lost, leaders={0: 3})


def test_a_start_goes_back_to_where_kafka_cut() -> None:
    """Only partitions that were cut go back, and the cut is told."""
    now = topic({0: 0, 1: 0}, {0: 140, 1: 60})
    start = choose_start({0: 100, 1: 50}, now, {0: 60}, accept_loss=False)
    assert start.offsets == {0: 60, 1: 50}
    (cut,) = start.cuts
    assert (cut.partition, cut.offset, cut.table_end) == (0, 60, 100)


def test_a_cut_whose_new_records_are_gone_is_a_loss() -> None:
    """The records between the cut and the topic's beginning are refused unless accepted."""
    with pytest.raises(RecordsLost, match=r"to read is 60, .* Kafka deleted 10 records"):
        choose_start({0: 100}, topic({0: 70}, {0: 140}), {0: 60}, accept_loss=False)


def read(**spans: Span) -> dict[int, Span]:
    """Return what was read, by partition."""
    return {int(name.strip("_")): span for name, span in spans.items()}


def test_a_batch_that_was_read_as_planned_is_taken() -> None:
    """Kafka is not asked to count."""
    plan = OffsetRange({0: 4, 1: 0, 2: 7}, {0: 6, 1: 1, 2: 7}, PLANNED)
    assert plan.partitions == (0, 1)

    def count(*_: int) -> int:
        raise AssertionError

    assert plan.check_read(read(_0=Span(2, 4, 5), _1=Span(1, 0, 0)), count) == {}


def test_offsets_without_a_record_are_counted() -> None:
    """Kafka has no record there either: transaction markers, or compaction removed them."""
    plan = OffsetRange({0: 4}, {0: 14}, PLANNED)
    there = {(0, 4, 14): 7}
    assert plan.check_read(read(_0=Span(7, 5, 12)), lambda *asked: there[asked]) == {0: 3}
    assert plan.check_read(read(_0=Span(0, None, None)), lambda *_: 0) == {0: 10}
    assert plan.check_read(read(_0=Span(7, 5, 12)), lambda *_: 6) == {0: 3}  # compacted meanwhile


@pytest.mark.parametrize(
    ("span", "there"),
    [
        (Span(8, 4, 13), 9),
        (Span(0, None, None), 10),
        (Span(10, 3, 12), 10),
        (Span(10, 5, 14), 10),
        (Span(11, 4, 13), 10),
        (Span(9, 3, 12), 9),
    ],
)
def test_a_batch_that_differs_from_its_plan_is_refused(span: Span, there: int) -> None:
    """Spark left out records that Kafka has, or returned records of other offsets."""
    plan = OffsetRange({0: 4}, {0: 14}, PLANNED)
    with pytest.raises(OtherRecords, match=r"partition 0: expected .* offsets 4 to 13, but Spark"):
        plan.check_read(read(_0=span), lambda *_: there)


@pytest.mark.parametrize("latest", [{0: 4}, {1: 9}])
def test_a_topic_that_ends_before_the_table_is_refused(latest: dict[int, int]) -> None:
    """Even accepting losses does not help, since new records would reuse the table's offsets."""
    with pytest.raises(TopicCut, match="partition 0: the table ends at offset 5"):
        choose_start({0: 5}, topic(dict.fromkeys(latest, 0), latest), {}, accept_loss=True)


@given(OFFSETS, OFFSETS, OFFSETS)
def test_a_start_leaves_nothing_out_and_takes_nothing_twice(
    next_offsets: dict[int, int], earliest: dict[int, int], more: dict[int, int]
) -> None:
    """Each record on the topic is either before the table's end or after the start."""
    latest = {p: offset + more.get(p, 0) for p, offset in earliest.items()}
    try:
        start = choose_start(next_offsets, topic(earliest, latest), {}, accept_loss=True)
    except TopicCut:
        assert any(offset > latest.get(p, -1) for p, offset in next_offsets.items())
        return
    assert start.offsets.keys() == earliest.keys()
    for partition, offset in start.offsets.items():
        known = next_offsets.get(partition, 0) if next_offsets else earliest[partition]
        assert offset == max(known, earliest[partition])
        gone = [loss.end - loss.start for loss in start.lost if loss.partition == partition]
        assert sum(gone) == offset - known
