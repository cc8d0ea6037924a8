"""Leader epochs tell how far Kafka's log is the one that was read."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from events_stream.kafka.epochs import RecordAt, extend, find_cut, since
from events_stream.table.position import Epoch

Log = Sequence[int | None]
"""The epoch of the record at each offset; None where there is no record."""


def looking_in(log: Log, earliest: int = 0) -> RecordAt:
    """Return the function that looks for records in `log`, which begins at `earliest`."""

    def record_at(offset: int) -> Epoch | None:
        assert earliest <= offset <= len(log)
        records = (Epoch(epoch, at) for at, epoch in enumerate(log) if epoch is not None)
        return next((each for each in records if each.start >= offset), None)

    return record_at


def first_offsets(log: Log) -> tuple[Epoch, ...]:
    """Return the epochs in `log`, each with its first offset."""
    epochs = sorted({epoch for epoch in log if epoch is not None})
    return tuple(Epoch(epoch, log.index(epoch)) for epoch in epochs)


STEPS = st.lists(st.sampled_from([0, 0, 0, 2]), max_size=12)


@st.composite
def two_logs(draw: st.DrawFn) -> tuple[int, Log, Log]:
    """Draw two logs of a partition, and up to which offset they are the same.

    A leader has only one log, so after that they have no epoch in common; one of them may have
    more records of the last common epoch.
    """
    common = list(accumulate(draw(STEPS), initial=0))
    more = draw(st.integers(0, 3))
    one = [*common, *[common[-1]] * more]
    one += accumulate(draw(STEPS), initial=common[-1] + 1)
    other = common + list(accumulate(draw(STEPS), initial=common[-1] + 2))
    pair = draw(st.permutations([one, other]))
    return len(common), pair[0], pair[1]


@given(two_logs(), st.data())
def test_the_end_of_the_common_part_is_found(
    logs: tuple[int, Log, Log], data: st.DataObject
) -> None:
    """Exactly, whatever was read of a log, and in whatever parts."""
    common, log, now = logs
    ends = sorted(data.draw(st.lists(st.integers(0, len(log)), min_size=1, max_size=5)))
    epochs: tuple[Epoch, ...] = ()
    for start, end in zip([0, *ends], ends, strict=False):
        if end > start:
            epochs = extend(epochs, range(start, end), looking_in(log))
    read = range(ends[-1])
    assert epochs == first_offsets(log[: read.stop])
    if read:
        cut = find_cut(epochs, read, len(now), looking_in(now))
        assert cut == (None if read.stop <= common else common)


@given(two_logs(), st.data())
def test_what_kafka_deleted_or_compacted_does_not_hide_a_cut(
    logs: tuple[int, Log, Log], data: st.DataObject
) -> None:
    """No record that differs is before the cut, and none that is the same far after it."""
    common, whole, now = logs
    empty = data.draw(st.sets(st.integers(0, common - 1)))
    log, now = ([None if at in empty else e for at, e in enumerate(each)] for each in (whole, now))
    last = data.draw(st.sampled_from([at for at, epoch in enumerate(log) if epoch is not None]))
    earliest = data.draw(st.integers(0, min(last, len(now))))
    epochs = since(extend((), range(last + 1), looking_in(log)), earliest)
    cut = find_cut(epochs, range(earliest, last + 1), len(now), looking_in(now, earliest))
    if cut is None:
        assert last < common
    else:
        assert last >= common
        assert cut <= max(common, earliest)
        assert all(epoch is None for epoch in log[max(cut, earliest) : common])


@given(st.lists(st.integers(0, 3), min_size=1), st.integers(0, 40))
def test_epochs_of_deleted_records_are_forgotten(epochs: list[int], earliest: int) -> None:
    """The last one is kept."""
    log = sorted(epochs)
    kept = since(first_offsets(log), earliest)
    assert {each.epoch for each in kept} == {*log[earliest:], log[-1]}
