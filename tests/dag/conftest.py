"""Airflow with a temporary database, and the command that the DAG calls."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def command() -> Path:
    """The real command, from the environment of the other tests."""
    hatch = Path(os.environ["HATCH_UV"]).with_name("hatch")  # the one that runs these
    which = [str(hatch), "--env", "default", "run", "which", "events-analytics"]
    done = subprocess.run(which, cwd=ROOT, capture_output=True, text=True, check=True)
    return Path(done.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def dag_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of DAGs of an Airflow that keeps everything in a temporary folder."""
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(home))  # read at the first import of Airflow
        patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        from airflow.utils.db import initdb

        initdb()
        yield home / "dags"
