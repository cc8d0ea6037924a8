"""Tests of `events-loadgen simulate` as a command: its result, and what it leaves behind."""

from __future__ import annotations

import signal
from pathlib import Path

import duckdb
import psutil
import pytest

from events_loadgen.processes.waiting import wait_until
from line_support.secured_kafka import PASSWORD, USER, Secured
from line_support.simulation import simulation
from line_support.topics import Topics

pytestmark = pytest.mark.extended

ACME = '''
"""A contract that is not installed."""

from events_schema import Bool, Event, Float64, Text, Time


class AcmeEvent(Event):
    """An event of the Acme shop."""

    plan: Text | None = None
    price: Float64 | None = None
    trial: Bool | None = None
    renewal: Time | None = None
'''
OWN_COLUMNS = [
    ("plan", "VARCHAR"),
    ("price", "DOUBLE"),
    ("trial", "BOOLEAN"),
    ("renewal", "TIMESTAMP WITH TIME ZONE"),
]
EVENTS = 50


@pytest.mark.parametrize("step", ["Starting Kafka", "Storing events"])
def test_ctrl_c_leaves_no_process_behind(step: str, tmp_path: Path) -> None:
    """Ctrl-C before the result is checked ends it with exit code 130 and one line."""
    with simulation(tmp_path, "--events", "2000") as running:
        running.wait_for(step)
        assert running.signal(signal.SIGINT) == 130
        assert running.alive() == []
        assert running.output().splitlines()[-1] == "events-loadgen: interrupted"


def test_a_killed_simulation_leaves_no_process_behind(tmp_path: Path) -> None:
    """After kill -9, all of its processes end, although it cannot clean up."""
    with simulation(tmp_path, "--events", "100") as running:
        running.wait_for("Storing events")
        assert running.signal(signal.SIGKILL) == -signal.SIGKILL
        wait_until(lambda: not running.alive(), "the end of all processes", seconds=30)


def test_a_part_that_fails_ends_the_simulation(tmp_path: Path) -> None:
    """One line names the failed part and its last output; the other parts are stopped."""
    with simulation(tmp_path, "--events", "100000") as running:
        running.wait_for("Posting events")
        ours = running.process.pid
        collector = next(
            p for p in psutil.Process(ours).children() if "events_ingest" in p.cmdline()
        )
        collector.kill()
        assert running.process.wait(60) == 1
        assert running.alive() == []
        said = running.output().splitlines()[-1]
    assert said.startswith("events-loadgen: events-ingest serve ended with exit code -9: ")


def test_a_contract_with_own_fields_goes_through_the_whole_line(tmp_path: Path) -> None:
    """Own fields of a module in the current folder are in the enriched table."""
    (tmp_path / "acme.py").write_text(ACME)
    flags = ("--contract", "acme:AcmeEvent", "--allow-unreleased", "--events", str(EVENTS))
    with simulation(tmp_path, "--seed", "1", *flags, cwd=tmp_path) as running:
        assert running.process.wait(300) == 0, running.output()
        assert running.alive() == []
    table = f"'{running.folder / 'enriched'}/*.parquet'"
    described = duckdb.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()
    assert [(name, type_) for name, type_, *_ in described[8:]] == OWN_COLUMNS
    query = f"SELECT plan, price, trial, make_timestamp(epoch_us(renewal))::VARCHAR FROM {table}"
    rows = duckdb.execute(query).fetchall()
    assert len(rows) == EVENTS
    assert [set(values) for values in zip(*rows, strict=True)] == [
        {"plan_1", "plan_2", "plan_3", None},
        {0.5, 4.99, 19.95, None},
        {False, True, None},
        {"2026-01-31 08:00:00", "2026-02-28 16:30:00", "2026-03-31 23:59:59.999999", None},
    ]


def test_a_given_kafka_is_left_as_it_was(secured: Secured, tmp_path: Path) -> None:
    """With a login it goes through the whole line; its topic is deleted, and no secret shows."""
    (tmp_path / "password").write_text(PASSWORD)
    before = Topics(secured.plain).names()
    # fmt: off
    flags = (
        "--brokers", secured.login, "--kafka-tls", "--kafka-ca-file", str(secured.ca_file),
        "--sasl-mechanism", "SCRAM-SHA-256", "--sasl-username", USER,
        "--sasl-password-file", "password", "--events", str(EVENTS),
    )
    # fmt: on
    with simulation(tmp_path, *flags, cwd=tmp_path) as running:
        running.wait_for("Storing events")
        (topic,) = Topics(secured.plain).names() - before
        words = [word for process in running.alive() for word in process.cmdline()]
        assert running.process.wait(300) == 0, running.output()
    assert f"topic {topic} at {secured.login}, which is deleted at the end" in running.output()
    assert topic in words
    assert "SCRAM-SHA-256" in words
    assert not [word for word in words if PASSWORD in word]
    assert Topics(secured.plain).names() == before


def test_a_kafka_that_refuses_it_ends_it_at_once(secured: Secured, tmp_path: Path) -> None:
    """With the line that the collector and the stream have too, and before anything starts."""
    login = ("--sasl-mechanism", "PLAIN", "--sasl-username", "nobody", "--sasl-password", "x")
    with simulation(tmp_path, "--brokers", secured.limited, *login) as running:
        assert running.process.wait(60) == 2
    assert "refused the login: unknown user or wrong password" in running.output()
    assert not running.folder.exists()
