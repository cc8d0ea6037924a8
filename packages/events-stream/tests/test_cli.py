"""`events-stream` as users meet it: one readable line and an exit code for every bad input."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from events_loadgen.processes.ports import free_port
from events_stream import open_table
from events_stream.cli import main
from events_stream.commands import maintenance
from events_stream.run import command
from events_stream.table.folder.commit import CommitKind
from stream_support.contracts import PRICED
from stream_support.staged_change import files, write_batch

SECONDS = 120


@pytest.fixture
def ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Return a function that runs `events-stream` in a new folder and returns code and stderr."""
    monkeypatch.chdir(tmp_path)
    for module in (command, maintenance):
        monkeypatch.delattr(module, "stream_session")  # Spark is not to be started

    def ended(*words: str) -> tuple[int, str]:
        return main(words), capsys.readouterr().err

    return ended


@pytest.fixture
def run(ended: Callable[..., tuple[int, str]]) -> Callable[..., tuple[int, str]]:
    """Return what runs `events-stream run`."""
    return partial(ended, "run")


def assert_refused(ended: tuple[int, str], code: int, text: str) -> None:
    """Check for one readable line on stderr and the exit code."""
    assert ended[0] == code, ended
    assert text in ended[1]
    assert ended[1].count("\n") == 1
    assert ended[1].startswith("events-stream: ")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--target", "/proc"], 1, "is a mount point"),
        (["--target", "s3://bucket/raw"], 1, "is a remote address"),
        (["--target", "file"], 1, "is a file"),
        (["--target", "file/raw"], 1, "cannot write"),
        (["--target", "foreign"], 1, "was not written by events-stream"),
        (["--target", "raw", "--checkpoint", "raw/checkpoint"], 1, "overlaps with the table"),
        (["--target", "raw", "--checkpoint", "file"], 1, "cannot write"),
        (["--target", "query/raw", "--checkpoint", "."], 1, "overlaps with the table"),
        (["--target", "raw", "--checkpoint", "app"], 1, "was not written by Spark"),
        (["--target", "raw", "--checkpoint", "backup"], 1, "was not written by Spark"),
        (["--trigger", "soon"], 2, "--trigger"),
        (["--trigger", "9999999 hours"], 2, "--trigger"),
        (["--topic", "a/b"], 2, "--topic"),
        (["--brokers", ""], 2, "--brokers"),
        (["--deduplication-window", "-1"], 2, "--deduplication-window"),
        (["--conf", "nonsense"], 2, "--conf"),
        (["--conf", "spark.sql.session.timeZone=Asia/Tokyo"], 2, "depend on its value"),
    ],
)
def test_bad_input_is_refused_before_spark_starts(
    run: Callable[..., tuple[int, str]],
    arguments: list[str],
    code: int,
    text: str,
    tmp_path: Path,
) -> None:
    """One line that says what was wrong, and no stack trace."""
    (tmp_path / "file").touch()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").touch()
    (tmp_path / "app" / "query").mkdir(parents=True)
    (tmp_path / "app" / "query" / "mine.sql").touch()
    (tmp_path / "backup" / "query").mkdir(parents=True)
    (tmp_path / "backup" / "query" / "metadata.json").touch()
    assert_refused(run(*arguments), code, text)


CONTRACTS = "stream_support.contracts"


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--contract", "shop"], "contract 'shop' is not MODULE:CLASS"),
        (["--contract", "no_shop:Event"], "module no_shop not found"),
        (["--contract", "json:dumps"], "is not an event class"),
        (["--contract", f"{CONTRACTS}:ShopEvent"], "run `events-schema release VERSION"),
    ],
)
@pytest.mark.parametrize(
    "verb", ["run", "replay-failed --apply", "status", "failed", "expire --missing"]
)
def test_a_contract_that_cannot_be_used_is_refused(
    ended: Callable[..., tuple[int, str]], verb: str, flags: list[str], text: str, tmp_path: Path
) -> None:
    """By every command, before anything is made."""
    assert_refused(ended(*verb.split(), *flags), 2, text)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def priced(tmp_path: Path) -> Path:
    """A table of a contract with two own fields."""
    with open_table(str(tmp_path / "raw")) as table, table.change(CommitKind.BATCH) as change:
        write_batch(change)
        change.own_types = PRICED.own_types
    return tmp_path / "raw"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("events_schema:Event", "own field plan: Text where contract events_schema:Event has no"),
        (f"{CONTRACTS}:ShopEvent", "own field price: Float64 where contract"),
        (f"{CONTRACTS}:AwkwardEvent", "own field plan: Text where contract"),
    ],
)
def test_a_contract_that_does_not_go_on_with_the_table_is_refused(
    ended: Callable[..., tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
    priced: Path,
    given: str,
    said: str,
) -> None:
    """By every command, with 5, whether a flag or the environment names it; nothing is changed."""
    before = files(priced.parent)
    flags = ["--target", str(priced), "--allow-unreleased"]
    for verb in ("run", "status", "failed", "expire --missing --apply", "replay-failed --apply"):
        assert_refused(ended(*verb.split(), *flags, "--contract", given), 5, said)
    monkeypatch.setenv("EVENTS_CONTRACT", given)
    for verb in ("run", "status", "failed", "expire --missing --apply", "replay-failed --apply"):
        assert_refused(ended(*verb.split(), *flags), 5, said)
    assert files(priced.parent) == before


def test_commands_that_need_no_contract_work_without_one(
    priced: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a table of any; and with the one that it was written with, or a longer one."""
    target = ["--target", str(priced)]
    fitting = ["--contract", f"{CONTRACTS}:PricedEvent", "--allow-unreleased"]
    monkeypatch.delenv("EVENTS_CONTRACT", raising=False)
    for flags in ([], fitting):
        assert main(["status", *target, *flags]) == 0
        assert "own fields    plan: Text, price: Float64" in capsys.readouterr().out
        assert main(["expire", "--before", "2026-01-01", "--apply", *target, *flags]) == 0
    assert main(["expire", "--before", "2026-01-02", "--apply", *target]) == 0
    assert main(["status", *target, *fitting]) == 0


def test_a_wrong_java_is_refused(
    run: Callable[..., tuple[int, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is made."""
    java = tmp_path / "java" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    java.chmod(java.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java"))
    assert_refused(run(), 1, "is Java 11; install Java 17 or 21")
    assert not (tmp_path / "events-data").exists()


def test_no_java_is_refused(
    run: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither on the PATH nor at JAVA_HOME."""
    monkeypatch.setenv("JAVA_HOME", "")
    monkeypatch.setenv("PATH", "/nonexistent")
    assert_refused(run(), 1, "no java on the PATH")


@pytest.mark.extended
def test_an_unreachable_broker_ends_the_start(tmp_path: Path) -> None:
    """With the address and what to check."""
    command = [sys.executable, "-m", "events_stream", "run"]
    brokers = ["--brokers", f"127.0.0.1:{free_port()}"]
    done = subprocess.run(
        [*command, *brokers],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert_refused((done.returncode, done.stderr), 4, "check --brokers")
