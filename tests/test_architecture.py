"""Tests of the layout: imports between folders, modules per folder, and what a command loads."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, get_type_hints

import pytest

from events_schema.runtime.command import Verb

ROOT = Path(__file__).parents[1]
FEWEST, MOST = 2, 16
"""The number of modules that a folder may have; `__init__.py` and `__main__.py` do not count."""

ROOMS = sorted({path.parent for path in ROOT.glob("packages/*/src/**/*.py")})
TESTS = sorted(
    {path.parent for pattern in ("packages/*/tests/**/*.py", "tests/**/*.py", "bench/**/*.py")
     for path in ROOT.glob(pattern)}
)  # fmt: skip


def test_imports_run_downwards() -> None:
    """Packages keep the layers in `.importlinter`; sibling folders do not import each other."""
    # In another process, because it turns off the loggers of imported modules.
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def modules(folder: Path) -> list[str]:
    """Return the modules in `folder` itself."""
    return sorted(path.name for path in folder.glob("*.py") if not path.name.startswith("__"))


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: "/".join(room.parts[-3:]))
def test_a_folder_has_a_few_modules(room: Path) -> None:
    """A folder has 2 to 16 modules, so that a newcomer can read the list at a glance."""
    assert FEWEST <= len(modules(room)) <= MOST, modules(room)


@pytest.mark.parametrize("folder", TESTS, ids=lambda folder: "/".join(folder.parts[-3:]))
def test_a_folder_of_tests_has_few_modules(folder: Path) -> None:
    """A folder of tests or benchmarks has at most 16 modules."""
    assert len(modules(folder)) <= MOST, modules(folder)


PACKAGES = ("events_schema", "events_ingest", "events_stream", "events_analytics", "events_loadgen")
VERBS: dict[str, Verb[Any]] = {
    f"{package} {name}": verb
    for package in PACKAGES
    for name, verb in import_module(f"{package}.cli").COMMAND.verbs.items()
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_a_verb_names_a_function_that_takes_its_settings(verb: Verb[Any]) -> None:
    """Each verb's function exists. It is loaded only when the verb runs, so a typo shows late."""
    function = resolve_name(verb.run)
    assert callable(function)
    (taken,) = (hint for name, hint in get_type_hints(function).items() if name != "return")
    assert issubclass(verb.settings, taken)


LIGHT = {
    "events_schema": "import events_schema, events_schema.cli",
    "events-schema avro": "from events_schema.cli import main; main(['avro'])",
    "events-ingest serve": "import events_ingest, events_ingest.server.command",
    "events-loadgen run": "import events_loadgen, events_loadgen.load.load",
    "events-analytics ddl": (
        "from events_analytics.cli import main; main(['ddl', '--engine', 'duckdb'])"
    ),
    "events-analytics report": "import events_analytics.report.command",
}


def loaded(code: str) -> set[str]:
    """Return the modules that a new Python process has loaded after `code`."""
    ending = "import atexit, sys; atexit.register(lambda: print('', *sys.modules, sep='\\n'))"
    done = subprocess.run(
        [sys.executable, "-c", f"{ending}\n{code}"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("code", LIGHT.values(), ids=LIGHT)
def test_code_that_does_not_need_spark_does_not_load_it(code: str) -> None:
    """The contract, the collector, the load, the report and `ddl` do not load pyspark."""
    modules = loaded(code)
    assert "events_schema" in modules
    assert "pyspark" not in modules


@pytest.mark.parametrize("words", VERBS)
def test_help_loads_the_settings_only(words: str) -> None:
    """`--help` is fast because it loads no engine, server or client."""
    package, verb = words.split()
    modules = loaded(f"from {package}.cli import main; main(['{verb}', '--help'])")
    assert f"{package}.settings" in modules
    heavy = {"aiohttp", "aiokafka", "duckdb", "pyarrow", "pyspark", "starlette.routing", "uvicorn"}
    assert not heavy & modules


def test_the_contract_loads_nothing_of_the_runtime() -> None:
    """A service that uses the contract does not load code of commands, tables or tests."""
    modules = loaded(
        "from events_schema import *\n"
        "contract = Contract(Event)\n"
        "contract.decode(contract.encode(contract.envelope.from_posted(\n"
        '    contract.parse_event(b\'{"user_id":1,"app_name":"a","event_category":"c"}\'))))'
    )
    assert "events_schema.models.event" in modules
    foreign = ("events_schema.runtime", "events_schema.tables", "hypothesis", "pyspark")
    assert not {name for name in modules if name.startswith(foreign)}


def test_importing_the_contract_loads_no_more_than_it_needs() -> None:
    """Names are loaded on first use, so importing the contract does not load pydantic."""
    modules = loaded("import events_schema")
    assert "events_schema" in modules
    assert "pydantic" not in modules
