"""The Kafka that a simulation is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from events_ingest import ServeSettings
from events_ingest.errors import BrokerUnavailable
from events_loadgen.line.kafka import GivenKafka, kafka_environment
from events_loadgen.processes.ports import free_port
from events_loadgen.settings import SimulateSettings
from events_schema.runtime.command import read_settings

# fmt: off
FLAGS = [
    "--brokers", "kafka", "--kafka-tls", "--sasl-mechanism", "PLAIN", "--sasl-username", "ann",
    "--sasl-password", "a=b c", "--ack-timeout", "7", "--kafka-options-file", "options",
    "--kafka-option", "client.id=x", "--kafka-option", "client.rack=y",
]
# fmt: on


def settings(*flags: str) -> SimulateSettings:
    """The settings that these flags make."""
    return read_settings(SimulateSettings, "events-loadgen simulate", flags)


def test_its_parts_get_the_same_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the flags say reaches a part in its environment, with the file's whole path."""
    monkeypatch.chdir(tmp_path)
    given = settings(*FLAGS)
    for name, text in kafka_environment(given).items():
        monkeypatch.setenv(f"EVENTS_INGEST_{name.upper()}", text)
    part = read_settings(ServeSettings, "events-ingest serve", ["--brokers", "kafka"])
    for name in ("kafka_tls", "sasl_mechanism", "sasl_password", "ack_timeout", "kafka_option"):
        assert getattr(part, name) == getattr(given, name)
    assert part.kafka_options_file == tmp_path / "options"


def test_a_kafka_that_it_starts_needs_nothing() -> None:
    """Without flags, the environment of its parts is what it was."""
    assert kafka_environment(settings()) == {}


def test_a_dead_kafka_ends_the_start() -> None:
    """The error says why no connection can be made, before anything else is started."""
    brokers = f"127.0.0.1:{free_port()}"
    with pytest.raises(BrokerUnavailable, match=f"Kafka at {brokers}: connection refused"):
        GivenKafka.of(settings("--brokers", brokers))


def test_a_topic_that_cannot_be_deleted_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """If Kafka has gone meanwhile, a line says which topic is left, and the run goes on."""
    brokers = f"127.0.0.1:{free_port()}"
    kafka = GivenKafka(brokers, keep=False, options={"bootstrap_servers": brokers})
    kafka.stop()
    assert capsys.readouterr().out.startswith(f"topic {kafka.topic} is not deleted: ")
