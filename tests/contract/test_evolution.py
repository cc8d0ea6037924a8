"""Tests of a contract that changes while the line runs: events are neither lost nor altered."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import httpx
import pytest
from pyspark.sql import SparkSession

import events_analytics
from events_ingest import CollectorServer, ServeSettings
from events_loadgen.processes.waiting import wait_until
from events_schema import Contract, NotAnEvolution, StoredEvent, load_contract
from events_schema.evolution.check import release_contract
from events_stream.commands.replay import replay
from events_stream.records.writer import RecordWriter
from events_stream.table.folder.open import open_beside_stream
from line_support.topics import Topics
from stream_support.streaming import store

DEFAULT = "events_schema:Event"
FIELDS = ("plan: Text", "price: Float64", "vip: Bool")
HEAD = '''"""The contract of the Acme shop."""

from events_schema import Bool, Event, Float64, Text


class AcmeEvent(Event):
    """An event of the Acme shop."""

'''
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Three versions of a contract, each in its own module, with all releases up to it."""
    with pytest.MonkeyPatch.context() as patch:
        names = []
        before: Path | None = None
        for number in range(1, len(FIELDS) + 1):
            folder = tmp_path_factory.mktemp(f"acme{number}")
            if before is not None:
                shutil.copytree(before / "released", folder / "released")
            lines = (f"    {field} | None = None\n" for field in FIELDS[:number])
            (folder / f"acme_version_{number}.py").write_text(HEAD + "".join(lines))
            patch.syspath_prepend(str(folder))
            names.append(f"acme_version_{number}:AcmeEvent")
            contract = load_contract(names[-1], allow_unreleased=True)
            release_contract(contract, f"1.{number}.0")
            before = folder
        yield names


class Ledger:
    """The posted and acknowledged events: the fields of each, by event id."""

    def __init__(self, brokers: str, topic: str) -> None:
        self._brokers, self._topic = brokers, topic
        self.events: dict[str, dict[str, Any]] = {}

    @contextmanager
    def collector(self, contract: str) -> Iterator[httpx.Client]:
        """Run a collector with `contract`, and wait until it accepts events."""
        settings = ServeSettings(
            brokers=self._brokers, topic=self._topic, port=0, token="key", contract=contract
        )
        with (
            CollectorServer(settings).in_thread() as url,
            httpx.Client(base_url=url, headers={"X-Token": "key"}) as client,
        ):
            wait_until(
                lambda: client.get("/readyz").is_success, "the collector to be ready", seconds=60
            )
            yield client

    def post(self, client: httpx.Client, count: int, **own: object) -> None:
        """Post `count` events with these own fields; each must be acknowledged."""
        for _ in range(count):
            event_id = str(uuid4())
            event = {
                "event_id": event_id,
                "event_time": datetime.now(UTC).isoformat(),
                "user_id": 1 + len(self.events) % 3,
                "app_name": "shop",
                "event_category": "checkout",
                "event_action": "pay",
                **own,
            }
            answer = client.post("/track", json=event)
            assert answer.status_code == HTTPStatus.OK, answer.text
            self.events[event_id] = event

    def rows(self, contract: Contract[Any]) -> list[StoredEvent]:
        """Return the expected rows of the raw table, without the time of receipt."""
        return [
            contract.stored(**{**dict.fromkeys(contract.stored.model_fields), **event,
                               "event_time": datetime.fromisoformat(event["event_time"])})
            for event in self.events.values()
        ]  # fmt: skip


def refused(client: httpx.Client, **own: object) -> str:
    """Post an event with these own fields; return the field for which it is refused."""
    event = {"user_id": 1, "app_name": "shop", "event_category": "checkout", **own}
    answer = client.post("/track", json=event)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    (field,) = answer.json()["error"]["fields"]
    return str(field["field"])


def read(folder: Path, pattern: str, columns: list[str]) -> list[tuple[Any, ...]]:
    """Return the rows of parquet files in a fixed order."""
    found = duckdb.execute(
        f"SELECT {', '.join(columns)} FROM read_parquet(?, union_by_name = true) ORDER BY ALL",
        [str(folder / pattern)],
    )
    return found.fetchall()


def test_fields_can_be_added_while_the_line_runs(
    spark: SparkSession, topics: Topics, acme: list[str], tmp_path: Path
) -> None:
    """Old and new collectors, streams, files and jobs work together in any order of upgrades."""
    topic = topics.create(partitions=2)
    ledger = Ledger(topics.bootstrap, topic)
    first, second, third = (load_contract(name) for name in acme)
    raw, enriched = tmp_path / "raw", tmp_path / "enriched"

    # A collector with the default contract, and a stream that already knows `plan`.
    with ledger.collector(DEFAULT) as client:
        ledger.post(client, 5)
        assert refused(client, plan="pro") == "plan"
    state = store(spark, topics.bootstrap, topic, tmp_path, contract=first)
    assert state.position.totals.model_dump() == {
        "read": 5,
        "stored": 5,
        "duplicates": 0,
        "failed": 0,
    }

    # Files without `price`, and a job that knows it.
    now = datetime.now(UTC) + HOUR
    events_analytics.run(spark, second, raw, enriched, now)
    assert read(enriched, "*.parquet", ["count(*)", "count(price)"]) == [(5, 0)]

    # A new collector beside an old one. An old stream keeps unknown records as failed.
    with ledger.collector(acme[0]) as old, ledger.collector(acme[1]) as new:
        for price in (0.1, -0.0, 1e308):
            ledger.post(old, 1, plan="pro")
            ledger.post(new, 2, plan="free", price=price)
        assert refused(new, price="1") == "price"
    state = store(spark, topics.bootstrap, topic, tmp_path, contract=first)
    assert (state.position.totals.stored, state.position.totals.failed) == (8, 6)
    reasons = read(tmp_path / "raw.failed", "*.parquet", ["reason"])
    assert reasons == [("unknown_schema",)] * 6

    # The stream is upgraded: failed records are stored once, with their own fields.
    with ledger.collector(acme[1]) as client:
        ledger.post(client, 1, plan="pro", price=2.5)
    store(spark, topics.bootstrap, topic, tmp_path, contract=second)
    table = open_beside_stream(str(raw))
    counts = replay(spark, RecordWriter(table, HOUR, second), apply=True)
    assert counts.model_dump() == {"read": 6, "stored": 6, "duplicates": 0, "failed": 0}

    # One more field, and collectors of all versions at the same time.
    with (
        ledger.collector(DEFAULT) as default,
        ledger.collector(acme[0]) as old,
        ledger.collector(acme[2]) as new,
    ):
        for vip in (True, False, None):
            ledger.post(default, 1)
            ledger.post(old, 1, plan="team")
            ledger.post(new, 1, plan="team", price=3.5, vip=vip)
    state = store(spark, topics.bootstrap, topic, tmp_path, contract=third)
    assert state.own_types == third.own_types
    assert state.rows == len(ledger.events)
    assert not state.failed_files

    # The job publishes exactly these events, with the metrics of the definition.
    events_analytics.run(spark, third, raw, enriched, now)
    expected = [
        tuple(repr(value) for value in row.model_dump(exclude={"event_time"}).values())
        for row in third.enrich(ledger.rows(third), now)
    ]
    columns = [name for name in third.enriched.model_fields if name != "event_time"]
    found = read(enriched, "*.parquet", columns)
    assert sorted(tuple(map(repr, row)) for row in found) == sorted(expected)

    # An old contract is refused: the tables remember their fields.
    with pytest.raises(NotAnEvolution, match="price"):
        store(spark, topics.bootstrap, topic, tmp_path, contract=first)
    with pytest.raises(NotAnEvolution, match="price"):
        events_analytics.run(spark, first, raw, enriched, now)
    assert len(read(enriched, "*.parquet", ["user_id"])) == len(ledger.events)
