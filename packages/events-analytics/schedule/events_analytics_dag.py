"""Airflow's DAG for events-analytics: copy it to the DAG folder.

It assumes the data in /data and the command in /opt/events. If yours differ, adapt the three paths.

The command runs in its own environment, so its packages do not clash with those of Airflow.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.latest_only import LatestOnlyOperator
from airflow.sdk import DAG

COMMAND = "/opt/events/bin/events-analytics"
SOURCE = "/data/raw"
TARGET = "/data/enriched"

ALREADY_RUNNING = 3
"""The exit code of a run that another one keeps from starting."""

with DAG(
    "events_analytics",
    description="Raw events to enriched ones, in one step",
    schedule="0 */3 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
):
    # The table has one version: a run of an older interval would put it back in time.
    latest_only = LatestOnlyOperator(task_id="latest_only")

    # The end of the run's interval, the same for each of its tries; a run by hand has a time, too,
    # but not always an interval.
    run = BashOperator(
        task_id="run",
        bash_command=(
            f"exec {COMMAND} run --source {SOURCE} --target {TARGET}"
            " --processing-time '{{ dag_run.run_after.isoformat() }}'"
        ),
        skip_on_exit_code=ALREADY_RUNNING,
        retries=2,
        retry_delay=timedelta(minutes=10),
        execution_timeout=timedelta(hours=6),
    )

    latest_only >> run
