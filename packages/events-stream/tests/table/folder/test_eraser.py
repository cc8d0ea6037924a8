"""Erasing removes the rows and the failed events of users, and nothing else."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events_schema import StoredEvent
from events_schema.tables.listing import list_table
from events_schema.testing import raw_tables
from events_stream import open_table
from events_stream.commands.expiry import expire
from events_stream.errors import BrokerUnavailable
from events_stream.table.erasure import Erasure
from events_stream.table.folder import log as commit_log
from events_stream.table.folder.compaction import compact, find_small_files
from events_stream.table.folder.eraser import Eraser, OnKafka
from events_stream.table.folder.open import open_beside_stream, open_for_maintenance
from events_stream.table.steps import Step, Watch, unwatched
from stream_support.contracts import CONTRACT
from stream_support.envelopes import NOON, envelope
from stream_support.real_files import as_rows, failed_values, rows, store_events

ON_KAFKA = OnKafka({0: 100}, {0: 3}, timedelta(days=7))


class Killed(BaseException):
    """Stands for kill -9."""


def name_failed(users: Collection[int], folder: Path) -> Callable[[list[Path]], Path]:
    """Return a function that names the failed events whose value is `user N`, N in `users`."""
    values = [b"user %d" % user for user in users]

    def name(files: list[Path]) -> Path:
        failed = pa.concat_tables([pq.ParquetFile(path).read() for path in files])
        of_users = failed.filter(pc.is_in(failed["value"], pa.array(values, pa.binary())))
        hashes = [
            hashlib.md5(value.as_py(), usedforsecurity=False).hexdigest()
            for value in of_users["value"]
        ]
        folder.mkdir(exist_ok=True)
        named = of_users.select(["partition", "offset"])
        named = named.append_column("md5", pa.array(hashes, pa.string()))
        pq.write_table(named, folder / "named.parquet")
        return folder

    return name


def erase(
    target: Path, users: Collection[int], kafka: OnKafka | None = ON_KAFKA, watch: Watch = unwatched
) -> Erasure:
    """Erase `users` from the table; it is watched once it is open."""
    with open_for_maintenance(str(target), "a test") as table:
        table.watch = watch
        named = name_failed(users, table.paths.rewriting / "failed")
        return Eraser(table, frozenset(users), named).erase(lambda: kafka)


def of(user: int, day: int = 31) -> StoredEvent:
    """Return an event of `user` at noon of a day in January."""
    at = envelope(event_time=datetime(2026, 1, day, 12, tzinfo=UTC))
    return CONTRACT.stored.from_envelope(at).model_copy(update={"user_id": user})


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A table with three days, and events and a failed event of the users 1 and 2 on each."""
    with open_table(str(tmp_path / "raw")) as table:
        for day in (29, 30, 31):
            store_events(table, [of(1, day), of(2, day)], [b"user 1", b"user 2"])
        store_events(table, [of(2, 31)])
    return tmp_path / "raw"


@settings(max_examples=20)
@given(st.data())
def test_erasing_removes_the_rows_of_the_users_and_no_others(data: st.DataObject) -> None:
    """Whatever is stored, all rows of the users go, and all others stay as they are."""
    batches = data.draw(st.lists(raw_tables(CONTRACT, NOON), min_size=1, max_size=4))
    known = {row.user_id for batch in batches for row in batch if row.user_id is not None}
    users = data.draw(st.sets(st.sampled_from(sorted(known)) if known else st.just(7), min_size=1))
    every = [row for batch in batches for row in batch]
    left = [row for row in every if row.user_id not in users]
    with TemporaryDirectory() as folder:
        target = Path(folder, "raw")
        with open_table(str(target)) as table:
            for batch in batches:
                store_events(table, batch)
        receipt = erase(target, users)
        assert rows(target) == as_rows(left)
        assert (receipt.rows, receipt.failed) == (len(every) - len(left), 0)
        with open_table(str(target)) as table:
            assert table.state.rows == len(left)
            assert table.state.position.totals.stored == len(every)


def test_the_receipt_says_what_and_when_but_not_who(target: Path) -> None:
    """It has the rows, the failed events, the days and the end of the topic, and no id."""
    before = datetime.now(UTC)
    receipt = erase(target, [1])
    assert (receipt.rows, receipt.failed) == (3, 3)
    assert receipt.days == ((date(2026, 1, 29), date(2026, 1, 31)),)
    assert before <= receipt.erased_at <= datetime.now(UTC)
    assert receipt.on_kafka_until == receipt.erased_at + timedelta(days=7)
    assert (receipt.topic_ends, receipt.finished, receipt.closed) == ({0: 100}, True, False)
    with open_table(str(target)) as table:
        assert table.state.erasures == (receipt,)
        log = "".join(path.read_text() for path in table.paths.log.iterdir())
        assert "user_id" not in log
        assert table.paths.control.joinpath("erased.json").stat().st_mode & 0o777 == 0o600
    assert failed_values(target.with_name("raw.failed")) == {b"user 2": 3}


def test_files_without_the_users_are_not_rewritten(target: Path) -> None:
    """Only files with rows of the users change; the others of the day keep their names."""
    with open_table(str(target)) as table:
        store_events(table, [of(3, 31), of(2, 31)])
    before = {path.name for path in target.glob("*/*.parquet")}
    receipt = erase(target, [3])
    after = {path.name for path in target.glob("*/*.parquet")}
    assert receipt.rows == 1
    assert (len(before - after), len(after - before)) == (1, 1)


def test_a_day_of_the_users_alone_goes(target: Path) -> None:
    """A folder without rows is deleted, as after an expiry."""
    erase(target, [1, 2])
    assert list(target.iterdir()) == []
    assert failed_values(target.with_name("raw.failed")) == {}
    with open_table(str(target)) as table:
        store_events(table, [of(1)])
    assert rows(target).total() == 1


def test_users_without_rows_are_remembered_too(target: Path) -> None:
    """Records of them may still be on Kafka, so there is a receipt."""
    receipt = erase(target, [77])
    assert (receipt.rows, receipt.failed, receipt.days, receipt.finished) == (0, 0, (), True)


def test_what_is_stored_after_the_beginning_stays(target: Path) -> None:
    """Events of the users that come while their earlier ones are erased are later events."""
    later = of(1, 30)
    came: list[Step] = []

    def store(step: Step) -> None:
        if step is Step.COMPARED and not came:
            came.append(step)
            store_events(open_beside_stream(str(target)), [later])

    erase(target, [1], watch=store)
    assert [row for row in rows(target) if row[1] == 1] == [*as_rows([later])]


def test_a_topic_that_is_gone_leaves_no_ids(target: Path) -> None:
    """Without Kafka no record can come, so the receipt is closed at once."""
    receipt = erase(target, [1], kafka=None)
    assert (receipt.closed, receipt.topic_ends) == (True, {})
    assert not target.with_name("raw.control").joinpath("erased.json").exists()


def test_a_kafka_that_does_not_answer_changes_nothing(target: Path) -> None:
    """The look at Kafka comes before anything is written."""
    expected = rows(target)

    def fail() -> OnKafka:
        raise BrokerUnavailable("no")

    with open_for_maintenance(str(target), "a test") as table:
        named = name_failed([1], table.paths.rewriting / "failed")
        with pytest.raises(BrokerUnavailable):
            Eraser(table, frozenset([1]), named).erase(fail)
    with open_table(str(target)) as table:
        assert (table.state.number, table.state.erasures) == (3, ())
    assert rows(target) == expected


def test_a_day_that_expires_meanwhile_stays_away(target: Path) -> None:
    """What another command removes is not brought back, and all else is erased."""

    def expire_first(step: Step) -> None:
        if step is Step.REWRITTEN:
            expire(open_beside_stream(str(target)), date(2026, 1, 31), apply=True)

    receipt = erase(target, [1], watch=expire_first)
    assert receipt.rows == 1
    assert rows(target) == as_rows([]) + Counter(
        {row: n for row, n in rows(target).items() if row[1] == 2}
    )
    assert [path.name for path in target.iterdir()] == ["event_date=2026-01-31"]


def test_after_a_compaction_the_rows_go_as_well(target: Path) -> None:
    """Compacted files are rewritten like all others."""
    with open_for_maintenance(str(target), "a test") as table:
        list(compact(table, find_small_files(table, date(2026, 2, 1))))
    assert erase(target, [2]).rows == 4
    assert {row[1] for row in rows(target)} == {1}


STEPS = [Step.REWRITTEN, Step.COMPARED, Step.BEGUN, Step.RECOVERED, Step.STAGED, Step.SYNCED]
STEPS += [Step.COMMITTED, Step.EXCHANGED, Step.FINISHED, Step.FOLDED, Step.TIDIED]


@pytest.mark.parametrize(
    ("step", "nth"), [*((step, 2) for step in STEPS), (Step.BEGUN, 1), (Step.COMMITTED, 1)]
)
def test_killed_anywhere_it_is_run_again(
    target: Path, step: Step, nth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a kill, the same command erases what is left; its receipt includes the earlier one."""
    monkeypatch.setattr(commit_log, "FOLD_COMMITS", 2)
    arrivals: list[Step] = []

    def die(reached: Step) -> None:
        arrivals.append(reached)
        if arrivals.count(step) == nth:
            raise Killed

    with pytest.raises(Killed):
        erase(target, [1], watch=die)
    assert list_table(target).snapshot is not None  # a reader accepts what is there
    kept = Counter({row: n for row, n in rows(target).items() if row[1] == 2})
    assert kept.total() == 4
    erase(target, [1])
    assert rows(target) == kept
    assert failed_values(target.with_name("raw.failed")) == {b"user 2": 3}
    with open_table(str(target)) as table:
        assert sum(each.rows for each in table.state.erasures) == 3
        assert sum(each.failed for each in table.state.erasures) == 3
        assert [each.finished for each in table.state.open_erasures] == [True]
        assert list(table.paths.rewriting.iterdir()) == []
