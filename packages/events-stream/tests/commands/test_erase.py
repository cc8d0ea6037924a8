"""`erase`: what is stored goes, what is on the way is dropped, and what comes later is kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from events_loadgen.processes.broker import LocalBroker
from events_loadgen.processes.waiting import wait_until
from events_schema import Contract, DecodeError
from events_schema.runtime.errors import TableDamaged
from events_stream import open_table
from events_stream.cli import main
from events_stream.commands import erase
from events_stream.kafka.described_topic import retention
from events_stream.settings import EraseSettings
from events_stream.table.folder.eraser import Eraser
from events_stream.table.folder.log import read_state
from events_stream.table.position import Counts
from line_support.dropped_records import drop_records
from line_support.topics import Topics
from stream_support.contracts import CONTRACT, SHOP
from stream_support.envelopes import envelope
from stream_support.streaming import running, store

pytestmark = pytest.mark.extended

DEADLINE = 120.0
ONE, TWO = 1_000_001, 1_000_002


def event(user: int, contract: Contract[Any] = CONTRACT, **fields: Any) -> bytes:
    """Return a record of `user`, received now."""
    received = datetime.now(UTC)
    given = dict(envelope(contract=contract)) | {"received_time": received, "user_id": user}
    return contract.encode(contract.envelope.model_validate(given | fields))


def outside(user: int) -> bytes:
    """Return a record of `user` that decodes, and is not valid."""
    return event(user, app_name="bad shop").replace(b"bad shop", b"bad\0shop")


def users_in(folder: Path, contract: Contract[Any] = CONTRACT) -> list[int]:
    """Return the users of the rows and of the failed events that decode, in all parquet files.

    This includes files that readers do not see, such as those in the control folder.
    """
    users: list[Any] = []
    for path in folder.rglob("*.parquet"):
        rows = pq.ParquetFile(path).read()
        if "user_id" in rows.column_names:
            users += rows.column("user_id").to_pylist()
        elif "value" in rows.column_names:
            users += [user for value in rows.column("value").to_pylist() if (user := _user(value))]
    return sorted(users)


def _user(value: bytes | None) -> int | None:
    repaired = (value or b"").replace(b"bad\0shop", b"bad shop")
    for contract in (CONTRACT, SHOP):
        try:
            return contract.decode(repaired).user_id
        except DecodeError:
            continue
    return None


@pytest.fixture
def in_session(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command use the tests' Spark session."""

    @contextmanager
    def session(_: EraseSettings, target: Path) -> Iterator[SparkSession]:
        yield spark

    monkeypatch.setattr(erase, "_session", session)


@pytest.mark.usefixtures("in_session")
def test_a_person_is_forgotten(
    spark: SparkSession, topics: Topics, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows and failed events go; records on the way are dropped; later events are stored."""
    topic, target = topics.create(partitions=2), tmp_path / "raw"
    command = ["erase", "--brokers", topics.bootstrap, "--target", str(target)]
    command += ["--user-id", str(ONE)]
    topics.configure(topic, {"retention.ms": "604800000"})
    yesterday = datetime.now(UTC) - timedelta(days=1)
    topics.produce(topic, [event(ONE), event(TWO), event(ONE, event_time=yesterday), outside(ONE)])
    topics.produce(topic, [outside(TWO), b"garbage", None])
    store(spark, topics.bootstrap, topic, tmp_path)
    on_the_way = [event(ONE), event(TWO), outside(ONE), b"more garbage"]
    topics.produce(topic, on_the_way)

    assert main(command) == 0
    said = capsys.readouterr().out
    assert "would erase 2 rows of 2026-01-31 to" in said
    assert "and 1 failed event; Kafka keeps their records for up to 14 days" in said
    assert "2 failed events cannot be decoded: if a replay stores" in said
    assert users_in(tmp_path) == [ONE, ONE, ONE, TWO, TWO]

    assert main([*command, "--apply"]) == 0
    said = capsys.readouterr().out
    assert f"erased 2 rows of 2026-01-31, {yesterday.date()} and 1 failed event" in said
    assert "Kafka may hold records of them until" in said
    assert "events-analytics run --keep-versions 0" in said
    assert users_in(tmp_path) == [TWO, TWO]
    ids = tmp_path / "raw.control/erased.json"
    assert json.loads(ids.read_text())["erasures"] == {"1": [ONE]}
    assert ids.stat().st_mode & 0o777 == 0o600

    state = store(spark, topics.bootstrap, topic, tmp_path)
    assert state.position.totals == Counts(read=11, stored=4, failed=5, erased=2)
    assert users_in(tmp_path) == [TWO] * 3
    before = event(ONE, received_time=state.erasures[0].erased_at - timedelta(seconds=1))
    topics.produce(topic, [before, event(ONE)])  # one was received before, and took long
    state = store(spark, topics.bootstrap, topic, tmp_path)
    assert state.position.totals == Counts(read=13, stored=5, failed=5, erased=3)
    assert users_in(tmp_path) == [ONE, TWO, TWO, TWO]
    log = (tmp_path / "raw.control/log").iterdir()
    assert str(ONE) not in "".join(path.read_text() for path in log)


@pytest.mark.usefixtures("in_session")
def test_the_ids_go_with_kafkas_records(
    spark: SparkSession, topics: Topics, tmp_path: Path
) -> None:
    """Once Kafka has deleted all earlier records, an idle stream deletes the ids too."""
    topic = topics.create(partitions=1)
    topics.produce(topic, [event(ONE), event(TWO)])
    log, ids = tmp_path / "raw.control/log", tmp_path / "raw.control/erased.json"
    command = ["erase", "--brokers", topics.bootstrap, "--target", str(tmp_path / "raw")]
    with running(spark, topics.bootstrap, topic, tmp_path, ack_timeout=1) as stream:
        wait_until(lambda: read_state(log).rows == 2, "the rows", seconds=DEADLINE)
        assert main([*command, "--user-id", str(ONE), "--apply"]) == 0
        assert ids.exists()
        topics.delete_records(topic, partition=0, before=2)
        wait_until(lambda: not ids.exists(), "the ids to be deleted", seconds=DEADLINE)
        assert not stream.ended.done()
    state = read_state(log)
    assert [(each.rows, each.closed) for each in state.erasures] == [(1, True)]
    assert users_in(tmp_path) == [TWO]


@pytest.mark.usefixtures("in_session")
def test_what_follows_a_cut_of_kafkas_log_is_stored(
    spark: SparkSession, mortal_broker: LocalBroker, tmp_path: Path
) -> None:
    """Kafka gives offsets from before the erasure to later events.

    The first topic is cut after what the table has read, the second before that. The third is not
    cut.
    """
    topics = Topics(mortal_broker.bootstrap)
    names = [topics.create(partitions=1) for _ in range(3)]
    for number, topic in enumerate(names):
        line = tmp_path / str(number)
        for some in range(5):
            topics.produce(topic, [event(TWO), event(ONE)])
            if some == (4 if number == 1 else 1):
                store(spark, topics.bootstrap, topic, line)
        command = ["erase", "--brokers", topics.bootstrap, "--target", str(line / "raw")]
        assert main([*command, "--user-id", str(ONE), "--apply"]) == 0
    mortal_broker.kill()
    for topic in names[:2]:
        drop_records(mortal_broker.folder, topic, 0, 6)
    mortal_broker.start()
    for number, topic in enumerate(names):
        topics.produce(topic, [event(ONE), event(TWO)])
        state = store(spark, topics.bootstrap, topic, tmp_path / str(number))
        assert state.position.totals.erased == (1, 0, 3)[number]
        assert [each.topic_ends for each in state.erasures] == [{0: (6, 6, 10)[number]}]
        assert users_in(tmp_path / str(number)) == [ONE] + [TWO] * (4, 6, 6)[number]


@pytest.mark.usefixtures("in_session")
def test_a_copy_that_comes_meanwhile_goes_with_its_event(
    spark: SparkSession, topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While its event is still stored, it is a copy: no reader may see both."""
    topic, begin, again = topics.create(partitions=1), Eraser._begin, str(uuid4())
    topics.produce(topic, [event(TWO), event(ONE, event_id=again)])
    store(spark, topics.bootstrap, topic, tmp_path)

    def begin_and_store(*given: Any) -> Any:
        begun = begin(*given)
        topics.produce(topic, [event(ONE, event_id=again), event(ONE)])
        store(spark, topics.bootstrap, topic, tmp_path)
        return begun

    monkeypatch.setattr(Eraser, "_begin", begin_and_store)
    command = ["erase", "--brokers", topics.bootstrap, "--target", str(tmp_path / "raw")]
    assert main([*command, "--user-id", str(ONE), "--apply"]) == 0
    assert users_in(tmp_path) == [ONE, TWO]
    totals = read_state(tmp_path / "raw.control/log").position.totals
    assert totals == Counts(read=4, stored=3, duplicates=1)


@pytest.mark.usefixtures("in_session")
@pytest.mark.parametrize(
    ("flags", "refusal"),
    [
        ([], (2, "--user-id")),
        (["--user-id", "me"], (2, "--user-id: 'me' is not a user_id; give a whole number from")),
        (["--user-id", "1.0"], (2, "'1.0' is not a user_id")),
        (["--user-id", "2147483648"], (2, "--user-id")),
        (["--user-id", "1", "--target", "/nonexistent"], (1, "there is no table at")),
        (["--user-id", "1", "--brokers", "127.0.0.1:1"], (4, "127.0.0.1:1")),
        (["--user-id", "1", "--topic-gone", "--stream"], (2, "a stream fills this table")),
    ],
)
def test_bad_input_is_refused(
    filled: Path,
    topics: Topics,
    flags: list[str],
    refusal: tuple[int, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Bad input ends with one line, and nothing changes."""
    code, said = refusal
    before = read_state(filled / "raw.control/log")
    running = "--stream" in flags
    given = ["erase", "--target", str(filled / "raw"), "--brokers", topics.bootstrap, "--apply"]
    given += [flag for flag in flags if flag != "--stream"]
    with open_table(str(filled / "raw")) if running else nullcontext():
        assert main(given) == code
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert read_state(filled / "raw.control/log") == before


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, topics: Topics, spark: SparkSession) -> Path:
    """A table with an event of one user."""
    folder = tmp_path_factory.mktemp("filled")
    topic = topics.create(partitions=1)
    topics.produce(topic, [event(ONE)])
    store(spark, topics.bootstrap, topic, folder)
    return folder


@pytest.mark.usefixtures("in_session")
def test_another_topic_is_refused(
    filled: Path, topics: Topics, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The topic must be the one that the table was filled from."""
    folder = shutil.copytree(filled, tmp_path / "line")
    topic = read_state(folder / "raw.control/log").position.source
    assert topic is not None
    topics.delete(topic.topic)
    command = ["erase", "--target", str(folder / "raw"), "--brokers", topics.bootstrap]
    command += ["--user-id", str(ONE), "--apply"]
    assert main(command) == 4
    assert "does not exist" in capsys.readouterr().err
    assert main([*command, "--topic-gone"]) == 0
    assert "erased 1 row of" in capsys.readouterr().out
    assert users_in(folder) == []
    assert not (folder / "raw.control/erased.json").exists()


@pytest.mark.usefixtures("in_session")
def test_a_lost_file_of_ids_stops_the_stream(
    spark: SparkSession, topics: Topics, tmp_path: Path
) -> None:
    """It might store the person again, so it refuses; the same erasure repairs that."""
    topic = topics.create(partitions=1)
    command = ["erase", "--brokers", topics.bootstrap, "--target", str(tmp_path / "raw")]
    command += ["--user-id", str(ONE), "--apply"]
    topics.produce(topic, [event(ONE)])
    store(spark, topics.bootstrap, topic, tmp_path)
    topics.produce(topic, [event(ONE)])
    assert main(command) == 0
    (tmp_path / "raw.control/erased.json").unlink()
    with pytest.raises(TableDamaged, match="or erase the same users again"):
        store(spark, topics.bootstrap, topic, tmp_path)
    assert main(command) == 0
    state = store(spark, topics.bootstrap, topic, tmp_path)
    assert (state.rows, state.position.totals.erased) == (0, 1)
    assert [each.closed for each in state.erasures] == [True, False]


@pytest.mark.core
@pytest.mark.parametrize(
    ("policy", "milliseconds", "expected"),
    [
        ("delete", 604_800_000, timedelta(days=14, minutes=10)),
        ("delete", -1, None),
        ("compact", 604_800_000, None),
        ("compact,delete", 0, timedelta(days=7, minutes=10)),
        ("delete", 2**63 - 1, None),
    ],
)
def test_kafka_keeps_a_record_until_its_segment_is_deleted(
    policy: str, milliseconds: int, expected: timedelta | None
) -> None:
    """A segment takes records for `segment.ms`, and is deleted `retention.ms` after the last."""
    configured = {"retention.ms": str(milliseconds), "segment.ms": "604800000"}
    assert retention({**configured, "cleanup.policy": policy}) == expected
