"""`events-stream` from outside: one readable line and an exit code for every bad input."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from events_loadgen.ports import free_port

SECONDS = 120


def stream(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `events-stream run` in `folder` until it ends."""
    return subprocess.run(
        [sys.executable, "-m", "events_stream", "run", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def assert_refused(done: subprocess.CompletedProcess[str], code: int, text: str) -> None:
    """Check for one readable line on stderr and the exit code."""
    assert done.returncode == code, done.stderr
    assert text in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("events-stream: ")


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
    arguments: list[str], code: int, text: str, tmp_path: Path
) -> None:
    """One line that says what was wrong, and no stack trace."""
    (tmp_path / "file").touch()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").touch()
    (tmp_path / "app" / "query").mkdir(parents=True)
    (tmp_path / "app" / "query" / "mine.sql").touch()
    (tmp_path / "backup" / "query").mkdir(parents=True)
    (tmp_path / "backup" / "query" / "metadata.json").touch()
    assert_refused(stream(*arguments, folder=tmp_path), code, text)


def test_a_wrong_java_is_refused(tmp_path: Path) -> None:
    """Before anything is made."""
    java = tmp_path / "java" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    java.chmod(java.stat().st_mode | stat.S_IXUSR)
    done = stream(folder=tmp_path, JAVA_HOME=str(tmp_path / "java"))
    assert_refused(done, 1, "is Java 11; install Java 17 or 21")
    assert not (tmp_path / "events-data").exists()


def test_no_java_is_refused(tmp_path: Path) -> None:
    """Neither on the PATH nor at JAVA_HOME."""
    done = stream(folder=tmp_path, PATH="/nonexistent", JAVA_HOME="")
    assert_refused(done, 1, "no java on the PATH")


def test_an_unreachable_broker_ends_the_start(tmp_path: Path) -> None:
    """With the address and what to check."""
    done = stream("--brokers", f"127.0.0.1:{free_port()}", folder=tmp_path)
    assert_refused(done, 4, "check --brokers")
