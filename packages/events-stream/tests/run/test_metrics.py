"""The metrics' values, and the ports on which they cannot be served."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from events_loadgen.processes.waiting import wait_until
from events_stream.cli import main
from events_stream.run.metrics import StreamMetrics
from events_stream.table.folder.state import TableState
from events_stream.table.position import Counts
from line_support.topics import Topics
from stream_support.envelopes import encoded
from stream_support.stream_process import stored
from stream_support.streaming import running

DEADLINE = 90.0


def lag(metrics: StreamMetrics) -> tuple[float, float]:
    """Return the lag in events and in seconds."""
    names = ("events_stream_lag_events", "events_stream_lag_seconds")
    events, seconds = map(metrics.registry.get_sample_value, names)
    assert events is not None
    assert seconds is not None
    return events, seconds


def test_an_unknown_lag_is_not_reported_as_zero() -> None:
    """The lag is unknown before the first answer of Kafka, and grows if Kafka does not answer."""
    metrics = StreamMetrics()
    events, seconds = lag(metrics)
    assert (math.isnan(events), seconds) == (True, math.inf)
    metrics.looked(TableState(), 7, datetime.now(UTC))
    assert lag(metrics) == (7, math.inf)
    metrics.looked(TableState(), 0, datetime.now(UTC) - timedelta(seconds=10))
    assert lag(metrics) == (0, 0)
    metrics.looked_in_vain()
    events, seconds = lag(metrics)
    assert math.isnan(events)
    assert 10 <= seconds < math.inf


def samples(metrics: StreamMetrics) -> dict[str, float]:
    """Return the metrics, by name and first label."""
    return {
        " ".join(
            (sample.name.removeprefix("events_stream_"), *sample.labels.values())
        ): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
    }


def test_each_outcome_of_a_record_is_counted() -> None:
    """The counter has what became of all records that were read."""
    metrics = StreamMetrics()
    for _ in range(2):
        metrics.stored(Counts(read=10, stored=4, duplicates=3, failed=2, erased=1), files=1)
    found = {
        name: value for name, value in samples(metrics).items() if name.startswith("records_total")
    }
    assert found == {
        "records_total stored": 8,
        "records_total duplicates": 6,
        "records_total failed": 4,
        "records_total erased": 2,
    }


def test_metrics_say_what_is_stored_and_how_far_behind_it_is(
    spark: SparkSession, topics: Topics, tmp_path: Path
) -> None:
    """Partitions that are added while it runs are read as well."""
    topic = topics.create(partitions=1)
    events = encoded(50)
    topics.produce(topic, [*events, *events[:10], b"garbage"])
    started = time.time()
    with running(spark, topics.bootstrap, topic, tmp_path, max_records_per_batch=62) as stream:
        metrics = stream.stream.sink.metrics

        def wait_for(name: str, value: float) -> None:
            wait_until(lambda: samples(metrics).get(name) == value, name, seconds=DEADLINE)

        wait_for("records_total stored", 50)
        wait_for("lag_events", 0)
        now = samples(metrics)
        assert now["batches_total"] == 1
        assert now["records_total duplicates"] == 10
        assert now["records_total failed"] == 1
        assert now["files_written_total"] == 2
        assert now["table_files"] == 1
        assert now["lag_seconds"] == 0
        assert now["rows_per_second"] > 0
        assert started - 60 < now["complete_up_to_timestamp_seconds"] <= time.time()
        phases = ("recovered", "written", "deduplicated", "committed", "placed", "finished")
        for phase in phases:
            assert now[f"phase_seconds_count {phase}"] >= 1
        assert now["batch_seconds_count"] == 1
        topics.add_partitions(topic, 2)
        topics.produce(topic, encoded(200), partition=1)
        wait_until(lambda: samples(metrics)["lag_events"] > 0, "a lag", seconds=DEADLINE)
        assert samples(metrics)["lag_seconds"] > 0
        wait_for("records_total stored", 250)
        wait_for("lag_events", 0)
        assert samples(metrics)["lag_seconds"] == 0
    assert stored(tmp_path) == 250


@pytest.mark.parametrize(("port", "exit_code"), [("taken", 3), ("0", 2), ("70000", 2)])
def test_a_bad_port_is_refused(
    topics: Topics, port: str, exit_code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bad port is refused before Spark starts."""
    given = topics.bootstrap.rpartition(":")[2] if port == "taken" else port
    assert main(["run", "--target", str(tmp_path / "raw"), "--metrics-port", given]) == exit_code
    said = capsys.readouterr().err
    assert said.startswith("events-stream: --metrics-port")
    assert said.count("\n") == 1
