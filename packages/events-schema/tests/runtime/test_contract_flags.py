"""The flags that name a contract, for every command."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from events_schema import Contract, ContractError, Event, EventsError, NotReleased
from events_schema.evolution.check import release_contract
from events_schema.runtime.command import read_settings
from events_schema.runtime.contract import ContractSettings

CLASS = """from events_schema import Event, Float64, Text


class AcmeEvent(Event):
    \"\"\"An event.\"\"\"

    plan: Text | None = None
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module with a contract that is not released."""
    name = f"flags_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(CLASS)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def settings(*flags: str) -> ContractSettings:
    """The settings of a command that is given these flags."""
    return read_settings(ContractSettings, "command", flags)


def test_without_a_flag_the_contract_is_the_default_one() -> None:
    """Nobody has to know of contracts."""
    assert settings().contract is None
    assert settings().load_contract() == Contract(Event)


def test_the_flag_comes_before_the_environment(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One variable for all commands, and a flag for one."""
    monkeypatch.setenv("EVENTS_CONTRACT", f"{module}:AcmeEvent")
    assert settings().contract_name == f"{module}:AcmeEvent"
    assert settings("--contract", "events_schema:Event").load_contract() == Contract(Event)
    monkeypatch.setenv("EVENTS_CONTRACT", "")
    assert settings().load_contract() == Contract(Event)


def test_a_class_that_is_not_released_is_for_trying_out(module: str) -> None:
    """Refused, unless it is asked for."""
    flags = ("--contract", f"{module}:AcmeEvent")
    with pytest.raises(NotReleased, match="events-schema release"):
        settings(*flags).load_contract()
    assert settings(*flags, "--allow-unreleased").load_contract().own_types == {"plan": "string"}


def test_a_class_that_breaks_a_release_is_not_even_for_trying_out(
    module: str, tmp_path: Path
) -> None:
    """Its stream could not store records that are on the topic."""
    release_contract(
        settings("--contract", f"{module}:AcmeEvent", "--allow-unreleased").load_contract(), "1.0.0"
    )
    (tmp_path / f"{module}_b.py").write_text(CLASS.replace("Text | None", "Float64 | None"))
    flags = ("--contract", f"{module}_b:AcmeEvent", "--allow-unreleased")
    with pytest.raises(EventsError, match="plan changed from Text to Float64") as error:
        settings(*flags).load_contract()
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)


def test_a_contract_that_cannot_be_found_is_refused() -> None:
    """In the error's own words."""
    for name in ("acme", ""):
        with pytest.raises(ContractError, match="is not MODULE:CLASS"):
            settings("--contract", name).load_contract()


def test_settings_are_frozen() -> None:
    """As those of every command."""
    with pytest.raises(ValidationError):
        settings().contract = "acme:AcmeEvent"  # type: ignore[misc]
