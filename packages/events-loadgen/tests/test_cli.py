"""The command, without the rest of the line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from events_loadgen.cli import main
from events_loadgen.errors import FolderNotEmpty, Interrupted
from events_loadgen.line.line import contract_flags
from events_loadgen.line.simulation import open_folder
from events_loadgen.processes.interruption import Interruption
from events_loadgen.processes.ports import free_port
from events_loadgen.settings import SimulateSettings
from events_schema.runtime.command import read_settings
from events_schema.runtime.errors import PublishError


def test_a_run_that_is_not_acknowledged_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """The report names the cause, the seed is printed, and the exit code is 1."""
    url = f"http://127.0.0.1:{free_port()}"
    assert main(["run", "--url", url, "--events", "2", "--give-up-after", "0.1"]) == 1
    said = capsys.readouterr()
    assert "acknowledged  0 of 2 sent" in said.out
    assert "Connect call failed" in said.out
    assert re.search(r"--seed \d+", said.out)
    assert "Posting events ..." in said.err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--url", "localhost:8000"], "--url: 'localhost:8000' is not a collector's address"),
        (["--url", "http://"], "--url: "),
        (["--url", "http://a:99999"], "--url: "),
        (["--token", "a b"], "--token: "),
        (["--token", "a", "--token-file", "b"], "--token and --token-file are both given"),
        (
            ["--token-file", "/does/not/exist"],
            "--token-file: cannot read /does/not/exist: No such file",
        ),
        (["--token-file", os.devnull], "does not hold one line"),
        (["--events", "0"], "--events: "),
        (["--concurrency", "0"], "--concurrency: "),
        (["--think-time", "nan"], "--think-time: "),
        (["--contract", "Event"], "contract 'Event' is not MODULE:CLASS"),
        (["--contract", "no_such_module:Event"], "contract: module no_such_module not found"),
    ],
)
def test_a_senseless_flag_is_a_usage_error(
    flags: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that names the flag, exit code 2."""
    assert main(["run", *flags]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"events-loadgen: {said}") or said in error
    assert error.count("\n") == 1


def test_simulate_refuses_a_contract_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit code 2, and no folder is made."""
    folder = tmp_path / "line"
    flags = ["--contract", "no_such_module:Event", "--dir", str(folder)]
    assert main(["simulate", *flags]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("events-loadgen: contract: module no_such_module not found;")
    assert (said.err.count("\n"), said.out, folder.exists()) == (1, "", False)


def test_each_part_is_told_the_contract_and_whether_it_may_be_unreleased(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also one that the environment names and the default, which some part may not go by."""
    monkeypatch.delenv("EVENTS_CONTRACT", raising=False)
    assert contract_flags(SimulateSettings()) == ["--contract", "events_schema:Event"]
    monkeypatch.setenv("EVENTS_CONTRACT", "shop:ShopEvent")
    given = read_settings(SimulateSettings, "events-loadgen simulate")
    assert contract_flags(given) == ["--contract", "shop:ShopEvent"]
    settings = SimulateSettings(contract="acme:AcmeEvent", allow_unreleased=True)
    assert contract_flags(settings) == ["--contract", "acme:AcmeEvent", "--allow-unreleased"]


@pytest.mark.parametrize("verb", ["run", "simulate"])
def test_help_shows_the_contract_in_its_own_group(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its flags stand together, under their title."""
    assert main([verb, "--help"]) == 0
    group = capsys.readouterr().out.partition("\ncontract:\n")[2].partition("\n\n")[0]
    assert "--contract" in group
    assert "--allow-unreleased" in group
    assert "--events" not in group


def test_simulate_without_its_extra_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The base install has the command, and the command knows what it lacks."""
    monkeypatch.setattr(
        "events_loadgen.line.command.find_spec",
        lambda name: None if name == "duckdb" else find_spec(name),
    )
    assert main(["simulate"]) == 2
    assert capsys.readouterr().err == (
        "events-loadgen: simulate needs duckdb; install events-loadgen[simulate]\n"
    )


def test_the_command_needs_nothing_of_the_extra() -> None:
    """Help of both verbs, without the extra's packages being imported."""
    code = (
        "import sys\n"
        "from events_loadgen.cli import main\n"
        "main([])\n"
        "extra = {'duckdb', 'psutil', 'pyspark', 'aiokafka', 'events_ingest'}\n"
        "sys.exit(bool(extra & set(sys.modules)))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    """A simulation never mixes with what was there; a new or empty folder is taken."""
    assert open_folder(tmp_path / "new" / "folder").is_dir()
    assert open_folder(tmp_path / "new" / "folder").is_dir()
    with pytest.raises(FolderNotEmpty, match="is not empty; give a new folder"):
        open_folder(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A file in the way, and the like, are one readable line."""
    (tmp_path / "file").touch()
    with pytest.raises(PublishError, match="cannot write"):
        open_folder(tmp_path / "file" / "folder")


def signal_and_wait(number: signal.Signals) -> None:
    """Send this process a signal, amid a call that does not end by itself."""
    os.kill(os.getpid(), number)
    signal.pause()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noticed_where_it_is_safe(number: signal.Signals) -> None:
    """Not where it comes, but at the next pause; and everywhere inside `at_once`."""
    with Interruption() as interruption:
        interruption.check()
        os.kill(os.getpid(), number)
        with pytest.raises(Interrupted):
            interruption.pause(600)
    with Interruption() as interruption, interruption.at_once(), pytest.raises(Interrupted):
        signal_and_wait(number)


def test_flags_for_kafka_need_a_kafka(capsys: pytest.CaptureFixture[str]) -> None:
    """Without --brokers they would have no effect on the Kafka that it starts."""
    assert main(["simulate", "--kafka-tls"]) == 2
    assert capsys.readouterr().err == "events-loadgen: --kafka-tls needs --brokers; give it too\n"
