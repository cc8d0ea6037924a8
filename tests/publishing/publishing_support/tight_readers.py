"""Read a table in a tight loop: with DuckDB, pyarrow and Spark, each in a thread."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event, Thread, get_native_id
from types import TracebackType
from typing import Self

import duckdb
import pyarrow.dataset
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from events_loadgen.processes.waiting import wait_until
from publishing_support.expected_versions import COLUMNS, ExpectedVersions, Found, found

SECONDS = 60.0
_NICE = 10
"""Readers have a lower priority, so that they do not slow the runs on few cores."""
_GONE = re.compile(
    # A file that was listed and is gone when it is opened.
    r"v\w+-\d+\.parquet.{,40}(does not exist|No such file)"
    r"|(NoSuchFile|FileNotFound)Exception: .*/v\w+-\d+\.parquet"
    r"|FILE_NOT_EXIST.*/v\w+-\d+\.parquet"
    # DuckDB skips listed files that are gone when it looks at them; so does pyarrow, and sometimes
    # Spark.
    r"|No files found that match the pattern|UNABLE_TO_INFER_SCHEMA"
)
_READING_ERRORS = (duckdb.IOException, FileNotFoundError, PySparkException, Py4JJavaError)


class NothingListed(FileNotFoundError):
    """Raised when every listed file was gone before it was read."""

    def __init__(self) -> None:
        super().__init__("No files found that match the pattern")


Read = Callable[[duckdb.DuckDBPyConnection], Found]


def readers(target: Path, spark: SparkSession) -> Mapping[str, Read]:
    """Return functions that read the table at `target`, given only the folder's name."""

    def read_with_duckdb(connection: duckdb.DuckDBPyConnection) -> Found:
        return found(connection, f"read_parquet('{target}/*.parquet', filename=true)")

    def read_with_pyarrow(connection: duckdb.DuckDBPyConnection) -> Found:
        dataset = pyarrow.dataset.dataset(target)
        if not dataset.files:
            raise NothingListed
        connection.register(
            "read", dataset.to_table(columns=[*COLUMNS, "__filename"], use_threads=False)
        )
        return found(connection, "(SELECT *, __filename AS filename FROM read)")

    def read_with_spark(connection: duckdb.DuckDBPyConnection) -> Found:
        rows = spark.read.parquet(str(target))
        connection.register("read", rows.select(*COLUMNS, "_metadata.file_name").toArrow())
        return found(connection, "(SELECT *, file_name AS filename FROM read)")

    return {"DuckDB": read_with_duckdb, "pyarrow": read_with_pyarrow, "Spark": read_with_spark}


class TightReader:
    """Reads repeatedly inside the `with` block, and checks everything that it sees.

    Between reads it rests `rest` times as long as the read took.
    """

    def __init__(
        self, name: str, read: Read, expected: ExpectedVersions, *, rest: float = 0
    ) -> None:
        self.name = name
        self.seen: Counter[str] = Counter()
        """How many times it has read each version."""
        self.gone = 0
        """How many times a file was gone before it was read."""
        self._read, self._expected, self._rest = read, expected, rest
        self._error: BaseException | None = None
        self._stopping = Event()
        self._thread = Thread(target=self._read_on, name=name)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.seen.total()} reads of {len(self.seen)} versions, "
            f"{self.gone} times a file was gone"
        )

    def check(self) -> None:
        """Raise `AssertionError` if it saw a mixture of versions or could not read the table."""
        if self._error:
            raise AssertionError(f"{self.name} failed: {str(self._error)[:1000]}") from self._error

    def wait_for(self, version: str) -> None:
        """Wait until it has seen `version`."""

        def seen() -> bool:
            self.check()
            return version in self.seen

        wait_until(seen, f"{self.name} to see {version}", seconds=SECONDS, every=0.01)

    def _read_on(self) -> None:
        os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICE)
        try:
            with duckdb.connect(config={"threads": "1"}) as connection:
                while not self._stopping.is_set():
                    begun = time.monotonic()
                    self._read_once(connection)
                    self._stopping.wait((time.monotonic() - begun) * self._rest)
        except BaseException as error:  # noqa: BLE001  # `check` raises it
            self._error = error

    def _read_once(self, connection: duckdb.DuckDBPyConnection) -> None:
        try:
            seen = self._read(connection)
        except _READING_ERRORS as error:
            if not _GONE.search(str(error)):
                raise
            self.gone += 1
        else:
            self.seen[self._expected.check(seen)] += 1
