"""The command `events-stream erase`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from events_schema.runtime.errors import UsageError
from events_schema.runtime.java.find import find_java
from events_schema.runtime.locks import is_locked
from events_schema.runtime.session.failures import lost_java
from events_schema.runtime.session.start import stop_session
from events_stream.commands.failed_of_users import FailedOfUsers
from events_stream.commands.maintenance import checked, refusing_unreadable
from events_stream.kafka.described_topic import DescribedTopic
from events_stream.kafka.security import client_security, java_options
from events_stream.run.session import failure, java_ended, stream_session
from events_stream.settings import EraseSettings
from events_stream.table.erasure import Erasure
from events_stream.table.folder.eraser import Eraser, Look, OnKafka
from events_stream.table.folder.open import open_for_maintenance
from events_stream.table.folder.table import Table

_NEXT = (
    "now publish without them: events-analytics run --keep-versions 0; backups and copies of the "
    "table still have them"
)


@refusing_unreadable()
def erase_users(settings: EraseSettings) -> None:
    """Erase users, or print how many of their rows would be erased."""
    contract = settings.load_contract()
    find_java()
    client_security(settings)  # refuses unusable files first
    with open_for_maintenance(settings.target, "events-stream erase") as table:
        checked(table.paths, contract)  # before Spark starts
        if settings.topic_gone and is_locked(table.paths.control / "lock"):
            raise UsageError("--topic-gone, but a stream fills this table; leave the flag out")
        if table.state.position.source is None:
            print("the table is empty: there is nothing to erase")
            return
        with _session(settings, table.paths.target) as spark:
            users = frozenset(settings.user_id)
            failed = FailedOfUsers(spark, contract, users, table.paths.rewriting / "failed")
            eraser = Eraser(table, users, failed.name)
            with _look(spark, settings, table) as look:
                text = _erase(eraser, look) if settings.apply else _find(eraser, look)
    print(text)
    if failed.undecodable:
        print(
            f"{_count(failed.undecodable, 'failed event')} cannot be decoded: if a replay stores "
            f"some of them later, erase the same users again"
        )


@contextmanager
def _session(settings: EraseSettings, target: Path) -> Iterator[SparkSession]:
    spark = stream_session(settings, java_options(settings))
    try:
        yield spark
    except (PySparkException, Py4JError, ConnectionError, duckdb.Error) as error:
        if lost_java(error, spark):
            raise java_ended() from error
        raise failure(error, target) from error
    finally:
        stop_session(spark)


@contextmanager
def _look(spark: SparkSession, settings: EraseSettings, table: Table) -> Iterator[Look]:
    """Yield a function that looks at the table's topic on Kafka."""
    source = table.state.position.source
    if settings.topic_gone or source is None:
        yield lambda: None
        return
    kafka = DescribedTopic(
        spark, settings.brokers, source.topic, security=client_security(settings)
    )

    def look() -> OnKafka:
        topic = kafka.look()
        table.state.position.check_source(topic.identity)
        return OnKafka(topic.latest, topic.leaders, kafka.retention())

    try:
        yield look
    finally:
        kafka.close()


def _find(eraser: Eraser, look: Look) -> str:
    kafka, found = look(), eraser.find()
    rows = sum(each.rows for each in found if each.part.day is not None)
    failed = sum(each.rows for each in found if each.part.day is None)
    days = [each.part.day for each in found if each.part.day is not None]
    span = f" of {_span(days)}" if days else ""
    what = f"{_count(rows, 'row')}{span} and {_count(failed, 'failed event')}"
    return f"would erase {what}; {_kafka_keeps(kafka)}; --apply does it"


def _span(days: Sequence[str]) -> str:
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _kafka_keeps(kafka: OnKafka | None) -> str:
    if kafka is None:
        return "no record of them can come from Kafka"
    if kafka.retention is None:
        return "Kafka keeps their records for ever, and the stream drops them"
    return f"Kafka keeps their records for up to {kafka.retention}, and the stream drops them"


def _erase(eraser: Eraser, look: Look) -> str:
    receipt = eraser.erase(look)
    return "\n".join([_erased(receipt), _until(receipt), _NEXT])


def _erased(receipt: Erasure) -> str:
    days = ", ".join(
        str(first) if first == last else f"{first} to {last}" for first, last in receipt.days
    )
    span = f" of {days}" if days else ""
    failed = _count(receipt.failed, "failed event")
    return f"erased {_count(receipt.rows, 'row')}{span} and {failed}"


def _until(receipt: Erasure) -> str:
    if receipt.closed:
        return "Kafka has no records of them any more"
    if receipt.on_kafka_until is None:
        return "Kafka keeps their records for ever; the stream drops them, and keeps their ids"
    until = f"{receipt.on_kafka_until:%Y-%m-%d %H:%M} UTC"
    return f"Kafka may hold records of them until {until}; until then the stream drops them"
