"""The stream as a process, for tests: starts it, makes events and waits for rows."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import duckdb

from events_loadgen.processes.child import ChildProcess
from events_loadgen.processes.waiting import wait_until
from events_schema import EventEnvelope
from events_schema.tables.partitions import partition_files
from stream_support.contracts import CONTRACT
from stream_support.quick_start import quick_start

DEADLINE = 90.0


def start_stream(
    brokers: str,
    topic: str,
    folder: Path,
    *flags: str,
    log: str = "stream",
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = ("-m", "events_stream"),
) -> ChildProcess:
    """Start the stream with a short trigger and its files in `folder`."""
    # fmt: off
    words = [
        sys.executable, *program, "run", "--brokers", brokers, "--topic", topic,
        "--target", str(folder / "raw"), "--checkpoint", str(folder / "checkpoint"),
        "--trigger", "1 second", *quick_start(brokers), *flags,
    ]
    # fmt: on
    return ChildProcess("the stream", words, log=folder / f"{log}.log", environment=environment)


def stored(folder: Path) -> int:
    """Count the stored events, as any reader of the folder does."""
    if not partition_files(folder / "raw"):
        return 0
    counted = duckdb.execute(f"SELECT count(*) FROM '{folder}/raw/**/*.parquet'").fetchone()
    assert counted is not None
    return int(counted[0])


def values(count: int) -> list[bytes]:
    """Return `count` different events, encoded."""
    now = datetime.now(UTC)
    return [
        CONTRACT.encode(
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
    """Wait until at least `count` events are stored, or fail with the stream's log."""

    def there() -> bool:
        stream.check()
        return stored(folder) >= count

    wait_until(there, f"{count} rows", seconds=DEADLINE)
