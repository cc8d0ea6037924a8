"""Computes the rows that a version must have, from the raw files in its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from analytics_support.raw_schema import RAW, TIME
from events_analytics.versions.manifest import Manifest
from events_analytics.versions.names import version_of_file
from events_schema import Contract, EnrichedEvent, Event, StoredEvent, column_names
from events_schema.tables.paths import TablePaths

CONTRACT = Contract(Event)
COLUMNS = column_names(EnrichedEvent)
_METRICS: list[tuple[str, pa.DataType]] = [("u_count", pa.int64()), ("u_mp_ea", pa.string())]
_ENRICHED = pa.schema([*(RAW.field(name) for name in COLUMNS[:-2]), *pa.schema(_METRICS)])
_HASHED = ", ".join(
    f"epoch_us({name})" if _ENRICHED.field(name).type == TIME else name for name in COLUMNS
)


class Found(NamedTuple):
    """The contents of a folder: the number of rows per file, and the sum of the rows' hashes."""

    rows: Mapping[str, int]
    hashes: int


def found(connection: duckdb.DuckDBPyConnection, rows: str) -> Found:
    """Return the contents of `rows`, a SQL table with the eight columns and `filename`."""
    query = (
        f"SELECT parse_filename(filename), count(*), sum(hash({_HASHED})) FROM {rows} GROUP BY 1"
    )
    files = connection.execute(query).fetchall()
    return Found({name: count for name, count, _ in files}, sum(hashes for *_, hashes in files))


class ExpectedVersions:
    """The versions of the table at `paths`, computed from the raw table `source`."""

    def __init__(self, paths: TablePaths, source: Path) -> None:
        self._paths, self._source = paths, source
        self._known: dict[str, tuple[Manifest, Found]] = {}
        self._stored = cache(self._read)
        self._looking = Lock()

    def manifest(self, version: str) -> Manifest:
        """Return the manifest as it was when first read. Raises if there is none."""
        return self._look(version)[0]

    def check(self, seen: Found) -> str:
        """Return the version that a reader has seen; fails unless it is one complete version."""
        versions = {version_of_file(name) for name in seen.rows}
        assert len(versions) == 1, f"not one version: {seen}"
        version = str(versions.pop())
        expected = self._look(version)[1]
        assert seen.rows == expected.rows, f"found {seen.rows} rows, expected {expected.rows}"
        assert seen.hashes == expected.hashes, f"the rows differ from those of {version}"
        return version

    def _look(self, version: str) -> tuple[Manifest, Found]:
        with self._looking:
            if version not in self._known:
                text = (self._paths.versions / f"{version}.json").read_bytes()
                manifest = Manifest.model_validate_json(text)
                self._known[version] = (manifest, self._expected(manifest))
            return self._known[version]

    def _expected(self, manifest: Manifest) -> Found:
        stored = [row for file in manifest.raw_files for row in self._stored(file.name)]
        enriched = CONTRACT.enrich(stored, manifest.processing_time)
        rows = pa.Table.from_pylist([row.model_dump() for row in enriched], schema=_ENRICHED)
        assert rows.num_rows == manifest.rows, (
            f"manifest: {manifest.rows}, computed: {rows.num_rows}"
        )
        with duckdb.connect() as connection:
            connection.register("enriched", rows)
            hashes = found(connection, "(SELECT *, '' AS filename FROM enriched)").hashes
        return Found({file.name: file.rows for file in manifest.files if file.rows}, hashes)

    def _read(self, name: str) -> list[StoredEvent]:
        rows = pq.ParquetFile(self._source / name).read().to_pylist()
        return [StoredEvent.model_construct(**row) for row in rows]
