"""The stream as a process, for tests: started, fed and waited for."""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from uuid import uuid4

import duckdb

from events_loadgen.process import ChildProcess
from events_loadgen.waiting import wait_until
from events_schema import EventEnvelope, encode
from events_schema.layout import partition_files

DEADLINE = 90.0


def quick_start() -> list[str]:
    """Return flags for a stream of a short life: a quick start is worth more than speed later on.

    What the first Java that ends in order leaves saves all others a good third of their start.
    """
    archive = _class_archive()
    classes = "SharedArchiveFile" if archive.exists() else "ArchiveClassesAtExit"
    java = f"-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xlog:disable -XX:{classes}={archive}"
    # fmt: off
    return [
        "--master", "local[2]",
        "--conf", f"spark.driver.extraJavaOptions={java}",
        "--conf", "spark.sql.shuffle.partitions=2",
        "--conf", "spark.sql.codegen.wholeStage=false",
        "--conf", "spark.sql.codegen.factoryMode=NO_CODEGEN",
    ]
    # fmt: on


@cache
def _class_archive() -> Path:
    folder = tempfile.mkdtemp(prefix="events-classes-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder, "classes.jsa")


def start_stream(
    brokers: str,
    topic: str,
    folder: Path,
    *flags: str,
    log: str = "stream",
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = ("-m", "events_stream"),
) -> ChildProcess:
    """Start the stream with a short trigger; its files lie in `folder`."""
    # fmt: off
    words = [
        sys.executable, *program, "run", "--brokers", brokers, "--topic", topic,
        "--target", str(folder / "raw"), "--checkpoint", str(folder / "checkpoint"),
        "--trigger", "1 second", *quick_start(), *flags,
    ]
    # fmt: on
    return ChildProcess("the stream", words, log=folder / f"{log}.log", environment=environment)


def stored(folder: Path) -> int:
    """Count the stored events, as any reader of the folder would."""
    if not partition_files(folder / "raw"):
        return 0
    counted = duckdb.execute(f"SELECT count(*) FROM '{folder}/raw/**/*.parquet'").fetchone()
    assert counted is not None
    return int(counted[0])


def values(count: int) -> list[bytes]:
    """Return that many different events."""
    now = datetime.now(UTC)
    return [
        encode(
            EventEnvelope(
                event_id=str(uuid4()),
                received_time=now,
                event_time=now,
                user_id=number,
                app_name="shop",
                event_category="page",
            )
        )
        for number in range(count)
    ]


def wait_for_rows(folder: Path, count: int, stream: ChildProcess) -> None:
    """Wait until that many events are stored, or fail with the stream's log."""

    def there() -> bool:
        stream.check()
        return stored(folder) >= count

    wait_until(there, f"{count} rows", seconds=DEADLINE)
