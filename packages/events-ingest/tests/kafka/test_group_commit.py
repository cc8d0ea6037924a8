"""Group commit with a test double as sink."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch
from hypothesis import given, settings
from hypothesis import strategies as st

from events_ingest import BrokerUnavailable, BufferFull, NotAcknowledged, ProducerError
from events_ingest.budget import Budget
from events_ingest.kafka.group_commit import RECORD_OVERHEAD, GroupCommit

VALUE = b"v" * 100
LONG = 3600.0
SHORT = 0.01


class Sink:
    """Keeps each batch in flight until the test decides its outcome."""

    def __init__(self, lanes: int = 1, batch_bytes: int = 16_384) -> None:
        self.lanes = lanes
        self.batch_bytes = batch_bytes
        self.sent: list[tuple[BatchBuilder, asyncio.Future[None]]] = []
        self._arrived = asyncio.Condition()

    def create_batch(self) -> BatchBuilder:
        """An empty batch."""
        return BatchBuilder(self.batch_bytes, 0)

    async def send(self, batch: BatchBuilder) -> None:
        """Wait for the test's decision."""
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sent.append((batch, outcome))
        async with self._arrived:
            self._arrived.notify_all()
        await outcome

    def end_next(self, how: str) -> None:
        """Acknowledge, fail or cancel the first batch in flight, if there is one."""
        outcome = next((each for _, each in self.sent if not each.done()), None)
        if outcome is None:
            return
        if how == "acknowledge":
            outcome.set_result(None)
        elif how == "fail":
            outcome.set_exception(NotAcknowledged("lost"))
        else:
            outcome.cancel()

    async def has(self, batches: int) -> None:
        """Return once this many batches were sent."""
        async with asyncio.timeout(30), self._arrived:
            await self._arrived.wait_for(lambda: len(self.sent) >= batches)

    def sizes(self) -> list[int]:
        """The number of records in each batch."""
        return [batch.record_count() for batch, _ in self.sent]

    def values(self) -> list[list[bytes]]:
        """The values in each batch."""
        built = [bytes(batch._build()) for batch, _ in self.sent]
        return [[record.value for record in DefaultRecordBatch(each)] for each in built]

    def acknowledge(self, index: int) -> None:
        """Acknowledge a batch."""
        self.sent[index][1].set_result(None)

    def fail(self, index: int, error: BaseException) -> None:
        """Fail a batch."""
        self.sent[index][1].set_exception(error)


class Observer:
    """Records the outcomes."""

    def __init__(self) -> None:
        self.records: list[int] = []
        self.errors: list[ProducerError] = []

    def acknowledged(self, records: int, seconds: float) -> None:
        """Store the number of records."""
        assert seconds >= 0
        self.records.append(records)

    def failed(self, error: ProducerError) -> None:
        """Store the error."""
        self.errors.append(error)


class Bench:
    """A group commit with its test doubles."""

    def __init__(
        self,
        sink: Sink,
        *,
        budget: int = 1_000_000,
        linger: float = LONG,
        ack_timeout: float = LONG,
    ) -> None:
        self.sink = sink
        self.budget = Budget(budget)
        self.observer = Observer()
        self.commit = GroupCommit(
            self.budget, self.observer, linger=linger, ack_timeout=ack_timeout
        )
        self.commit.sink = sink


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run `test`; errors that its loop logs fail the test."""
    complaints: list[dict[str, Any]] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: complaints.append(context)
        )
        await test()

    asyncio.run(watched())
    assert complaints == []


async def errors_of(futures: list[asyncio.Future[None]]) -> list[BaseException | None]:
    """The outcome of each future."""
    async with asyncio.timeout(30):
        return list(await asyncio.gather(*futures, return_exceptions=True))


async def until(true: Callable[[], bool], turns: int = 100) -> None:
    """Run the loop until a condition holds."""
    for _ in range(turns):
        if true():
            return
        await asyncio.sleep(0)
    assert true()


def test_events_that_come_together_share_a_batch() -> None:
    """Values added in the same turn of the loop share one batch and one future, sent at once."""

    async def test() -> None:
        bench = Bench(Sink())
        futures = [*bench.commit.add([VALUE]), *bench.commit.add([VALUE, VALUE])]
        await bench.sink.has(1)

        assert bench.sink.sizes() == [3]
        assert len(set(futures)) == 1
        assert not futures[0].done()
        bench.sink.acknowledge(0)
        assert await errors_of(futures) == [None] * 3
        assert bench.observer.records == [3]
        assert bench.budget.used == 0

    run(test)


def test_a_full_batch_is_sent_and_another_begun() -> None:
    """Values beyond the size of a batch fill several batches, and none is lost."""

    async def test() -> None:
        bench = Bench(Sink(lanes=9, batch_bytes=1000))
        futures = bench.commit.add([VALUE] * 20)
        await asyncio.sleep(0)
        assert len(set(futures)) > 2
        while not all(future.done() for future in futures):
            await until(lambda: any(not outcome.done() for _, outcome in bench.sink.sent))
            for _, outcome in bench.sink.sent:
                if not outcome.done():
                    outcome.set_result(None)
            await asyncio.sleep(0)

        assert await errors_of(futures) == [None] * 20
        assert sum(bench.sink.sizes()) == 20
        assert all(batch.size() <= 1000 for batch, _ in bench.sink.sent)
        assert bench.budget.used == 0

    run(test)


def test_while_a_batch_is_on_its_way_the_next_waits_for_its_time() -> None:
    """If a lane is free, a batch is sent when its linger ends, and shared until then."""

    async def test() -> None:
        bench = Bench(Sink(lanes=2), linger=SHORT)
        first = bench.commit.add([VALUE])
        await bench.sink.has(1)
        second = bench.commit.add([VALUE])
        await asyncio.sleep(0)
        third = bench.commit.add([VALUE])
        await bench.sink.has(2)

        assert bench.sink.sizes() == [1, 2]
        assert second == third
        bench.sink.acknowledge(1)
        assert await errors_of(second) == [None]
        assert not first[0].done()
        bench.sink.acknowledge(0)
        assert await errors_of(first) == [None]

    run(test)


@pytest.mark.parametrize("linger", [0, LONG])
def test_a_batch_is_sent_as_soon_as_the_last_one_is_done(linger: float) -> None:
    """If no lane is free, a batch grows, and is sent once nothing else is in flight."""

    async def test() -> None:
        bench = Bench(Sink(lanes=1), linger=linger)
        bench.commit.add([VALUE])
        await bench.sink.has(1)
        for _ in range(5):
            bench.commit.add([VALUE])
            await asyncio.sleep(0)
        assert bench.sink.sizes() == [1]
        bench.sink.acknowledge(0)
        await bench.sink.has(2)

        assert bench.sink.sizes() == [1, 5]
        bench.sink.acknowledge(1)
        await until(lambda: bench.budget.used == 0)

    run(test)


@pytest.mark.parametrize("error", [NotAcknowledged("lost"), BrokerUnavailable("gone")])
def test_all_who_wait_for_a_failed_batch_learn_it(error: ProducerError) -> None:
    """Every event of a failed batch gets its error; events of other batches do not."""

    async def test() -> None:
        bench = Bench(Sink())
        futures = [*bench.commit.add([VALUE]), *bench.commit.add([VALUE])]
        await bench.sink.has(1)
        others = bench.commit.add([VALUE])
        bench.sink.fail(0, error)
        await bench.sink.has(2)
        bench.sink.acknowledge(1)

        assert await errors_of(futures) == [error] * 2
        assert await errors_of(others) == [None]
        assert bench.observer.errors == [error]
        assert bench.budget.used == 0

    run(test)


@pytest.mark.parametrize("late", [None, NotAcknowledged("lost")])
def test_the_deadline_passes_and_the_bytes_stay(late: ProducerError | None) -> None:
    """Events of a stuck sink fail in time, but count as in flight until the sink is done."""

    async def test() -> None:
        bench = Bench(Sink(), ack_timeout=SHORT)
        futures = bench.commit.add([VALUE])
        (error,) = await errors_of(futures)

        assert isinstance(error, NotAcknowledged)
        assert bench.budget.used == len(VALUE) + RECORD_OVERHEAD
        if late:
            bench.sink.fail(0, late)
        else:
            bench.sink.acknowledge(0)
        await until(lambda: bench.budget.used == 0)
        assert bench.observer.records == []
        assert bench.observer.errors == [error]

    run(test)


@pytest.mark.parametrize("error", [RuntimeError("defect"), asyncio.CancelledError()])
def test_an_unexpected_end_is_no_acknowledgement(error: BaseException) -> None:
    """Whatever the sink raises, its events are not acknowledged and their bytes are released."""

    async def test() -> None:
        bench = Bench(Sink())
        futures = bench.commit.add([VALUE, VALUE])
        await bench.sink.has(1)
        if isinstance(error, asyncio.CancelledError):
            bench.sink.sent[0][1].cancel()
        else:
            bench.sink.fail(0, error)

        assert [type(each) for each in await errors_of(futures)] == [NotAcknowledged] * 2
        assert bench.observer.records == []
        assert bench.budget.used == 0

    asyncio.run(test())


def test_a_full_buffer_takes_all_or_none() -> None:
    """Values that do not fit are refused together, and none is added."""

    async def test() -> None:
        bench = Bench(Sink(), budget=3 * (len(VALUE) + RECORD_OVERHEAD))
        with pytest.raises(BufferFull):
            bench.commit.add([VALUE] * 4)
        assert bench.budget.used == 0
        futures = bench.commit.add([VALUE] * 3)
        with pytest.raises(BufferFull):
            bench.commit.add([VALUE])
        await bench.sink.has(1)

        assert bench.sink.sizes() == [3]
        bench.sink.acknowledge(0)
        assert await errors_of(futures) == [None] * 3
        assert bench.commit.add([VALUE])

    asyncio.run(test())


def test_draining_sends_what_is_left() -> None:
    """Draining does not wait for the linger, and returns once everything is acknowledged."""

    async def test() -> None:
        bench = Bench(Sink(lanes=2))
        futures = bench.commit.add([VALUE])
        await bench.sink.has(1)
        futures += bench.commit.add([VALUE])
        draining: Awaitable[None] = asyncio.ensure_future(bench.commit.drain(LONG))
        await bench.sink.has(2)
        bench.sink.acknowledge(0)
        bench.sink.acknowledge(1)
        await draining

        assert await errors_of(futures) == [None] * 2

    run(test)


def test_draining_gives_a_stuck_sink_up() -> None:
    """Draining ends after its time, whatever the sink does."""

    async def test() -> None:
        bench = Bench(Sink())
        futures = bench.commit.add([VALUE])
        async with asyncio.timeout(30):
            await bench.commit.drain(SHORT)

        assert not futures[0].done()
        bench.sink.acknowledge(0)
        assert await errors_of(futures) == [None]

    run(test)


def test_without_a_sink_there_is_nothing_to_drain() -> None:
    """If Kafka was never available, there is nothing to wait for at the end."""

    async def test() -> None:
        await GroupCommit(Budget(0), Observer(), linger=0, ack_timeout=LONG).drain(LONG)

    run(test)


def test_a_value_larger_than_a_batch_has_one_of_its_own() -> None:
    """A record longer than a batch gets its own batch; the order is kept."""

    async def test() -> None:
        bench = Bench(Sink(batch_bytes=1000))
        bench.commit.add([b"a", b"x" * 5000, b"b"])
        await bench.sink.has(2)
        bench.sink.acknowledge(0)
        bench.sink.acknowledge(1)
        await bench.sink.has(3)
        bench.sink.acknowledge(2)
        await until(lambda: bench.budget.used == 0)

        assert bench.sink.values() == [[b"a"], [b"x" * 5000], [b"b"]]

    run(test)


def test_a_batch_whose_deadline_has_passed_takes_no_more() -> None:
    """If every lane is stuck, a later event still has its full time before it fails."""

    async def test() -> None:
        bench = Bench(Sink(), linger=0, ack_timeout=SHORT)
        bench.commit.add([b"hangs"])
        await bench.sink.has(1)
        assert isinstance((await errors_of(bench.commit.add([b"early"])))[0], NotAcknowledged)
        (late,) = bench.commit.add([b"late"])

        assert not late.done()
        assert isinstance((await errors_of([late]))[0], NotAcknowledged)
        for index in range(3):
            await bench.sink.has(index + 1)
            bench.sink.acknowledge(index)
        await until(lambda: bench.budget.used == 0)
        assert bench.sink.values() == [[b"hangs"], [b"early"], [b"late"]]

    run(test)


@settings(max_examples=60)
@given(
    st.lists(
        st.lists(st.integers(0, 400), min_size=1, max_size=6)
        | st.sampled_from(["turn", "acknowledge", "fail", "cancel"]),
        max_size=25,
    )
)
def test_every_event_ends_as_its_batch_does(steps: list[list[int] | str]) -> None:
    """However additions and outcomes alternate, each event is sent once and gets the outcome."""

    async def test() -> None:
        bench = Bench(Sink(lanes=2, batch_bytes=1000), linger=0)
        waiting: dict[bytes, asyncio.Future[None]] = {}

        for step in steps:
            if isinstance(step, list):
                values = [b"%d " % (len(waiting) + n) + b"x" * size for n, size in enumerate(step)]
                waiting |= dict(zip(values, bench.commit.add(values), strict=True))
            elif step == "turn":
                await asyncio.sleep(0)
            else:
                bench.sink.end_next(step)
        await bench.commit.drain(0)
        while bench.budget.used:
            bench.sink.end_next("acknowledge")
            await asyncio.sleep(0)

        sent = bench.sink.values()
        assert sorted(value for values in sent for value in values) == sorted(waiting)
        for values, (_, outcome) in zip(sent, bench.sink.sent, strict=True):
            good = not outcome.cancelled() and outcome.exception() is None
            assert {waiting[value].exception() is None for value in values} == {good}

    run(test)


def test_what_hangs_in_an_earlier_sink_keeps_nothing_from_going() -> None:
    """After a sink is replaced, its unresolved batches take no lane of the new one."""

    async def test() -> None:
        bench = Bench(Sink(lanes=1), linger=0)
        (stuck,) = bench.commit.add([VALUE])
        await bench.sink.has(1)
        (waiting,) = bench.commit.add([VALUE])
        fresh = Sink(lanes=1)
        bench.commit.sink = fresh
        await fresh.has(1)
        fresh.acknowledge(0)
        assert await errors_of([waiting]) == [None]
        assert not stuck.done()
        bench.sink.fail(0, NotAcknowledged("gone"))
        assert [type(each) for each in await errors_of([stuck])] == [NotAcknowledged]

    run(test)
