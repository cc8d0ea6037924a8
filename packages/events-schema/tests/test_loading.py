"""Loading the contract that a flag names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from events_schema import Contract, ContractError, Event, EventsError, load_contract

CLASS = '''"""A contract."""
from events_schema import Event, Text

class AcmeEvent(Event):
    """An event."""

    plan: Text | None = None
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder; Python's path and modules are restored afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def write(folder: Path, name: str, text: str = CLASS) -> None:
    """Write a module."""
    (folder / f"{name}.py").write_text(text)


def refusal(name: str) -> str:
    """The one-line error with which the contract `name` is refused."""
    with pytest.raises(EventsError) as refused:
        load_contract(name, allow_unreleased=True)
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 2
    return str(refused.value)


def test_the_default_contract_is_named_like_any_other() -> None:
    """A loaded contract equals any other contract of its class."""
    assert load_contract("events_schema:Event") == Contract(Event)


def test_a_module_is_found_in_the_current_folder(folder: Path) -> None:
    """A module in the current folder is found, also by a console script."""
    write(folder, "loading_here")
    contract = load_contract("loading_here:AcmeEvent", allow_unreleased=True)
    assert contract.own_types == {"plan": "string"}
    assert contract.name == "loading_here:AcmeEvent"


def test_an_installed_module_comes_before_one_of_the_current_folder(folder: Path) -> None:
    """A file in the current folder cannot hide an installed module."""
    write(folder, "hypothesis")
    load_contract("events_schema:Event")
    assert "has no AcmeEvent" in refusal("hypothesis:AcmeEvent")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "is not MODULE:CLASS"),
        ("acme", "is not MODULE:CLASS"),
        ("acme.AcmeEvent", "is not MODULE:CLASS"),
        ("acme:", "is not MODULE:CLASS"),
        ("acme:Acme.Event", "is not MODULE:CLASS"),
        ("../acme:Event", "is not MODULE:CLASS"),
        ("acme:__import__('os')", "is not MODULE:CLASS"),
        ("a\nb:C", "is not MODULE:CLASS"),
        ("x" * 10_000, "is not MODULE:CLASS"),
        ("no_such_module:AcmeEvent", "module no_such_module not found"),
        ("events_schema.nothing:AcmeEvent", "module events_schema.nothing not found"),
        ("events_schema:Nothing", "has no Nothing"),
        ("json:dumps", "a function is not an event class"),
        ("events_schema:EventEnvelope", "not an event class"),
        ("pydantic:BaseModel", "not an event class"),
    ],
)
def test_what_names_no_contract_is_refused(folder: Path, name: str, said: str) -> None:
    """An invalid name is refused with one line that says what to give."""
    text = refusal(name)
    assert said in text
    assert len(text) < 600


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise ValueError('a\\nb')", "ValueError: a b"),
        ("import no_such_module", "No module named 'no_such_module'"),
        ("raise SystemExit(3)", "SystemExit"),
        (CLASS.replace("= None", ""), "AcmeEvent: field 'plan' is required"),
        (CLASS.replace("Text | None = None", "str | None = None"), "does not have a column type"),
        (CLASS.replace("plan: Text | None", "plan"), "non-annotated"),
    ],
)
def test_a_module_that_fails_is_refused(folder: Path, text: str, said: str) -> None:
    """A module that fails at import is refused with its first error on one line."""
    name = f"loading_{folder.name}"
    write(folder, name, text)
    assert said in refusal(f"{name}:AcmeEvent")


def test_a_value_is_never_shown(folder: Path) -> None:
    """The error never shows a value, since the flag could name a secret in a module."""
    write(folder, "loading_secret", 'TOKEN = "hunter2"')
    text = refusal("loading_secret:TOKEN")
    assert "a str is not an event class" in text
    assert "hunter2" not in text


def test_a_contract_that_a_module_made_itself_is_one_too(folder: Path) -> None:
    """A `Contract` object in a module is accepted and has the name of its class."""
    write(
        folder,
        "loading_made",
        f"{CLASS}\n\nfrom events_schema import Contract\nCONTRACT = Contract(AcmeEvent)\n",
    )
    contract = load_contract("loading_made:CONTRACT", allow_unreleased=True)
    assert contract.name == "loading_made:AcmeEvent"


def test_the_place_of_a_mistake_is_told(folder: Path) -> None:
    """The error has the line number in the contract's module."""
    write(folder, "loading_misspelt", CLASS.replace("import Event, Text", "import Event, Txt"))
    assert "'Txt'" in refusal("loading_misspelt:AcmeEvent")
    assert "line 2); fix it" in refusal("loading_misspelt:AcmeEvent")


def test_an_error_of_the_class_keeps_its_own_text(folder: Path) -> None:
    """An error of the class itself is not wrapped in another error."""
    write(folder, "loading_reserved", CLASS.replace("plan", "u_count"))
    with pytest.raises(ContractError, match=r"^AcmeEvent: 'u_count' has a reserved name"):
        load_contract("loading_reserved:AcmeEvent")
