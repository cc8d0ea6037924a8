"""Flags that make short streams start quickly; all tests of a run share their class archive."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from events_schema.runtime.locks import exclusive_lock
from line_support.topics import Topics
from stream_support.envelopes import encoded

FOLDER = "EVENTS_TESTS_CLASSES"
"""The variable with the folder of Java's classes; the root `conftest.py` sets it when many
streams start."""
QUICK = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xlog:disable"
SECONDS = 240


def quick_start(brokers: str) -> list[str]:
    """Return flags for a stream that should start quickly rather than run fast.

    Measured: with all of these flags, streams start in half the time.
    """
    return _flags(quick_java(brokers))


def quick_java(brokers: str) -> str:
    """Return those of the flags that are Java options.

    If `FOLDER` is set, the first call runs a stream on a new topic and archives the classes that
    it loads. A Java that is too slow for that exits without an archive.
    """
    folder = os.environ.get(FOLDER)
    if folder is None:
        return QUICK
    archive = Path(folder, "classes.jsa")
    tried = archive.with_suffix(".tried")
    with exclusive_lock(archive.with_suffix(".lock"), "a test", waiting=lambda _: None):
        if not tried.exists():
            tried.touch()
            archiving = _flags(f"{QUICK} -XX:ArchiveClassesAtExit={archive}")
            _run_stream(brokers, archive.parent, archiving)
    return f"{QUICK} -XX:SharedArchiveFile={archive}" if archive.exists() else QUICK


def _flags(java: str) -> list[str]:
    # fmt: off
    return [
        "--master", "local[2]",
        "--conf", f"spark.driver.extraJavaOptions={java}",
        "--conf", "spark.sql.shuffle.partitions=2",
        "--conf", "spark.sql.codegen.wholeStage=false",
        "--conf", "spark.sql.codegen.factoryMode=NO_CODEGEN",
    ]
    # fmt: on


def _run_stream(brokers: str, folder: Path, flags: list[str]) -> None:
    topics = Topics(brokers)
    topic = topics.create()
    topics.produce(topic, [*encoded(5), b"garbage"])
    # fmt: off
    command = [
        sys.executable, "-m", "events_stream", "run", "--brokers", brokers, "--topic", topic,
        "--target", str(folder / "raw"), "--checkpoint", str(folder / "checkpoint"),
        "--available-now", *flags,
    ]
    # fmt: on
    subprocess.run(command, check=False, capture_output=True, timeout=SECONDS)
