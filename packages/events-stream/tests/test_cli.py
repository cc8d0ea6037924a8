"""`events-stream` as users meet it: one readable line and an exit code for every bad input."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from events_loadgen.processes.ports import free_port
from events_stream.cli import main
from events_stream.run import command

SECONDS = 120


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Return what runs `events-stream run` in a folder of its own; it returns code and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delattr(command, "stream_session")  # Spark is not to be started

    def run(*arguments: str) -> tuple[int, str]:
        return main(["run", *arguments]), capsys.readouterr().err

    return run


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
        (["--target", "raw", "--checkpoint", "raw/checkpoint"], 1, "lie in one another"),
        (["--target", "raw", "--checkpoint", "file"], 1, "cannot write"),
        (["--target", "query/raw", "--checkpoint", "."], 1, "lie in one another"),
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
