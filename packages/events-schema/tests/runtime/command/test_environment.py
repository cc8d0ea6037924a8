"""The environment variables of a command."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events_schema.runtime.command.environment import unknown_variables, variable_of
from events_schema.runtime.command.options import Option

PORT = Option("port", None, "PORT", "", "8000", ("EVENTS_INGEST_PORT",))
METRICS_PORT = Option("metrics_port", None, "PORT", "", "8000", ("EVENTS_INGEST_METRICS_PORT",))
CONTRACT = Option("contract", None, "", "", "", ("EVENTS_INGEST_CONTRACT", "EVENTS_CONTRACT"))
KNOWN = {name for option in (PORT, METRICS_PORT, CONTRACT) for name in option.variables}


def warnings(environment: dict[str, str]) -> list[str]:
    """Return the warnings of the collector."""
    return list(unknown_variables("events-ingest", KNOWN, environment))


def service(name: str, port: int = 8000) -> dict[str, str]:
    """Return what Kubernetes injects for the Service `name`."""
    prefix = name.upper().replace("-", "_")
    address = f"tcp://10.96.0.11:{port}"
    return {
        f"{prefix}_SERVICE_HOST": "10.96.0.11",
        f"{prefix}_SERVICE_PORT": f"{port}",
        f"{prefix}_SERVICE_PORT_HTTP": f"{port}",
        f"{prefix}_PORT": address,
        f"{prefix}_PORT_{port}_TCP": address,
        f"{prefix}_PORT_{port}_TCP_PROTO": "tcp",
        f"{prefix}_PORT_{port}_TCP_PORT": f"{port}",
        f"{prefix}_PORT_{port}_TCP_ADDR": "10.96.0.11",
    }


@pytest.mark.parametrize(
    ("name", "option"), [("events-ingest", PORT), ("events-ingest-metrics", METRICS_PORT)]
)
def test_what_kubernetes_injects_for_a_service_is_ignored(name: str, option: Option) -> None:
    """A Service named like the command neither sets its port nor causes a warning."""
    injected = service(name)
    assert option.variables[0] in injected
    assert variable_of(option, injected) is None
    assert warnings(injected) == []


@pytest.mark.parametrize("value", ["8080", "", "tcp", "tcp://10.0.0.1", "http://10.0.0.1:80"])
def test_every_other_value_of_the_port_counts(value: str) -> None:
    """A value that Kubernetes would not inject is taken, or refused by the setting."""
    assert variable_of(PORT, {"EVENTS_INGEST_PORT": value}) == "EVENTS_INGEST_PORT"


def test_the_commands_own_variable_comes_before_the_shared_one() -> None:
    """The shared one counts if it is not empty."""
    shared = {"EVENTS_CONTRACT": "acme:AcmeEvent"}
    assert variable_of(CONTRACT, shared) == "EVENTS_CONTRACT"
    assert variable_of(CONTRACT, {**shared, "EVENTS_INGEST_CONTRACT": ""}) == CONTRACT.variables[0]
    assert variable_of(CONTRACT, {"EVENTS_CONTRACT": ""}) is None


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("EVENTS_INGEST_PORTT", "did you mean EVENTS_INGEST_PORT?"),
        ("EVENTS_INGEST_METRIC_PORT", "did you mean EVENTS_INGEST_METRICS_PORT?"),
        ("EVENTS_INGEST_QUEUE", "events-ingest COMMAND --help shows them"),
        ("EVENTS_CONTRAKT", "did you mean EVENTS_CONTRACT?"),
        ("EVENTS_INJEST_PORT", "did you mean EVENTS_INGEST_PORT?"),
    ],
)
def test_a_mistyped_variable_is_named_with_the_nearest(variable: str, hint: str) -> None:
    """Any under the command's prefix, and others that resemble one of the command's."""
    assert warnings({variable: "1"}) == [f"{variable} is not a setting and is ignored; {hint}"]


@pytest.mark.parametrize(
    "variable", ["EVENTS_STREAM_PORT", "EVENTS_SCHEMA_CONTRACT", "EVENTS_HOME", "PORT"]
)
def test_variables_of_others_are_left_alone(variable: str) -> None:
    """Another command's settings and unrelated names cause no warning."""
    assert warnings({variable: "1"}) == []


@given(st.from_regex(r"[A-Z_]{1,20}", fullmatch=True), st.text(max_size=10))
def test_every_unknown_variable_under_the_prefix_is_warned_about(name: str, value: str) -> None:
    """Whatever the name, unless it is a setting or comes from Kubernetes."""
    variable = f"EVENTS_INGEST_{name}"
    injected = "SERVICE_HOST" in name or "SERVICE_PORT" in name
    expected = 0 if variable in KNOWN or injected else 1
    assert len(warnings({variable: value})) == expected
