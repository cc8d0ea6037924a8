"""Tests of the DAG for Airflow: it loads, is due every three hours, and runs the real command."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics_support.raw_schema import RAW

SHIPPED = Path(__file__).parents[2] / "packages/events-analytics/schedule/events_analytics_dag.py"
DUE = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """A folder with a raw table of ten rows."""
    (tmp_path / "raw").mkdir()
    nulls = [pa.nulls(10, field.type) for field in RAW]
    pq.write_table(pa.table(nulls, schema=RAW), tmp_path / "raw" / "a.parquet")
    return tmp_path


@pytest.fixture
def dag(dag_folder: Path, command: Path, events: Path) -> Any:
    """The DAG as shipped, except for its paths."""
    from airflow.dag_processing.dagbag import DagBag

    text = SHIPPED.read_text().replace("/opt/events/bin/events-analytics", str(command))
    (dag_folder / "events.py").write_text(text.replace('"/data/', f'"{events}/'))
    bag = DagBag(dag_folder)
    assert not bag.import_errors
    (dag,) = bag.dags.values()
    return dag


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make Spark start faster, with a flag from the environment."""
    conf = "spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1"
    monkeypatch.setenv("EVENTS_ANALYTICS_CONF", conf)


def states(dag: Any) -> dict[str, str]:
    """Run the DAG once for the time at which it is due; return the states of its tasks."""
    dag.get_task("run").retries = 0  # the test would wait for them
    ran = dag.test(run_after=DUE, logical_date=DUE)
    return {task.task_id: str(task.state) for task in ran.get_task_instances()}


def test_it_comes_due_every_three_hours(dag: Any) -> None:
    """The DAG is due every three hours, runs once at a time, and does not catch up."""
    from airflow.serialization.serialized_objects import DagSerialization

    scheduled = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
    infos = scheduled.iter_dagrun_infos_between(DUE, DUE + timedelta(hours=9))
    assert [info.run_after for info in infos] == [DUE + timedelta(hours=h) for h in (0, 3, 6, 9)]
    assert (dag.catchup, dag.max_active_runs) == (False, 1)
    assert dag.get_task("run").retries == 2


def test_a_run_publishes_for_the_time_that_it_was_due(dag: Any, events: Path) -> None:
    """A run uses the time at which it was due as the processing time."""
    assert states(dag) == {"latest_only": "success", "run": "success"}
    (manifest,) = (events / "enriched.versions").glob("*.json")
    published = json.loads(manifest.read_text())
    assert datetime.fromisoformat(published["processing_time"]) == DUE
    assert published["rows"] == 10


@pytest.fixture
def held(events: Path) -> Iterator[None]:
    """Lock the target, as a running job does."""
    (events / "enriched.versions").mkdir()
    with (events / "enriched.versions" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.usefixtures("held")
def test_a_run_is_skipped_while_another_is_under_way(dag: Any, events: Path) -> None:
    """While another run holds the lock, a run is skipped without a failure or a retry."""
    assert states(dag) == {"latest_only": "success", "run": "skipped"}
    assert not (events / "enriched").exists()


def test_a_run_that_fails_is_a_failure(dag: Any, events: Path) -> None:
    """If the command fails, the task fails, so that Airflow shows and retries it."""
    (events / "raw" / "a.parquet").unlink()
    assert states(dag) == {"latest_only": "success", "run": "failed"}


@pytest.mark.parametrize(("hours", "then"), [(0, ["run"]), (3, []), (24, [])])
def test_a_run_for_an_older_time_is_skipped(dag: Any, hours: int, then: list[str]) -> None:
    """A run for an older time is skipped, because it would set the table back to that time."""
    now = datetime.now(UTC)
    latest = now.replace(hour=now.hour // 3 * 3, minute=0, second=0, microsecond=0)
    due = latest - timedelta(hours=hours)
    run = SimpleNamespace(
        run_type="scheduled", logical_date=due, data_interval_start=due, data_interval_end=due
    )
    assert list(dag.get_task("latest_only").choose_branch({"dag_run": run})) == then
