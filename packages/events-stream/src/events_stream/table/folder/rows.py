"""Queries for the rows of the table's files that stay, and the files that DuckDB writes of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from events_schema import StoredEvent
from events_schema.column import Column, ColumnType, columns
from events_schema.runtime.database import Database
from events_schema.tables.locations import duckdb_path
from events_schema.tables.views import select_rows

_OPTIONS = "FORMAT parquet, CODEC zstd, COMPRESSION_LEVEL 1"


@dataclass(frozen=True)
class Rows:
    """Rows as a query, and the column of times by which they are sorted."""

    query: str
    time: str
    lists: tuple[str, ...] = ()
    """The columns of lists, for which DuckDB's hash is the same if they are empty or null."""


def events(files: Sequence[Path], own_types: Mapping[str, str], without: Collection[int]) -> Rows:
    """Return the events in `files` but those of the users in `without`."""
    own = [Column(name, ColumnType(type_), nullable=True) for name, type_ in own_types.items()]
    query = select_rows(files, [*columns(StoredEvent), *own], own)
    if without:
        users = ", ".join(map(str, sorted(without)))
        query = f"FROM ({query}) WHERE coalesce(user_id NOT IN ({users}), true)"
    return Rows(query, "event_time")


def failed_events(files: Sequence[Path], without: Path | None) -> Rows:
    """Return the failed events in `files` but those that the parquet files in `without` name.

    These have the columns `partition`, `offset` and `md5`, the hash of the value.
    """
    query = f"FROM {_files(files, 'union_by_name = true')}"
    if without is not None:
        query = f"FROM ({query}) AS kept WHERE NOT {_is_named(without)}"
    return Rows(query, "timestamp", ("headers",))


def events_of(files: Sequence[Path], users: Collection[int]) -> str:
    """Return a query for how many events of `users` each file has: its index and the number."""
    return (
        f"SELECT file_index, count(*) FROM {_files(files)} "  # noqa: S608
        f"WHERE user_id IN ({', '.join(map(str, sorted(users)))}) GROUP BY file_index"
    )


def failed_of(files: Sequence[Path], named: Path) -> str:
    """Return a query like that of `events_of` for the failed events in `files` that are `named`."""
    return (
        f"SELECT file_index, count(*) FROM {_files(files)} AS kept "  # noqa: S608
        f"WHERE {_is_named(named)} GROUP BY file_index"
    )


def _is_named(named: Path) -> str:
    return (
        f"EXISTS (FROM {_files(sorted(named.glob('*.parquet')))} AS named WHERE "
        f'named.partition = kept.partition AND named."offset" = kept."offset" '
        f"AND named.md5 = md5(kept.value))"
    )


def _files(files: Sequence[Path], *options: str) -> str:
    # A folder above the table may be named like a partition.
    given = ", ".join(["hive_partitioning = false", *options])
    return f"read_parquet([{', '.join(map(_text, files))}], {given})"


def _text(path: Path) -> str:
    return "'" + duckdb_path(path).replace("'", "''") + "'"


def write(database: Database, rows: Rows, folder: Path, files: int) -> list[Path]:
    """Write `rows`, sorted by time, into about `files` files in `folder`; return them in order."""
    # DuckDB would write a column without nulls as a required column, going by its statistics.
    database.ask("SET disabled_optimizers = 'statistics_propagation'")
    written: list[Path] = []
    for condition in _ranges(database, rows, files):
        path = folder / f"{len(written)}.parquet"
        query = f"FROM ({rows.query}) WHERE {condition} ORDER BY {rows.time}"
        database.ask(f"COPY ({query}) TO {_text(path)} ({_OPTIONS})")
        if database.one("SELECT count(*) FROM read_parquet($path)", path=duckdb_path(path)) != (0,):
            written.append(path)
        else:
            path.unlink()
    return written


def _ranges(database: Database, rows: Rows, files: int) -> list[str]:
    """Return conditions of which each row fulfils one: ranges of time with about as many rows."""
    parts = [number / files for number in range(1, files)]
    if not parts:
        return ["true"]
    time = rows.time
    query = f"SELECT approx_quantile(epoch_us({time}), {parts}) FROM ({rows.query})"  # noqa: S608
    (found,) = database.one(query)
    if not found:
        return ["true"]
    ends = [f"make_timestamptz({micros})" for micros in sorted(set(found))]
    between = [f"{time} >= {one} AND {time} < {other}" for one, other in pairwise(ends)]
    return [f"{time} < {ends[0]}", *between, f"coalesce({time} >= {ends[-1]}, true)"]


def fingerprint(database: Database, rows: Rows) -> tuple[int, int]:
    """Return the number of rows, and the sum of their hashes, whatever their order."""
    hashed = ", ".join(["_row", *(f"_row.{name} IS NULL" for name in rows.lists)])
    figures = f"count(*), coalesce(sum(hash({hashed})::HUGEINT), 0)"
    count, hashes = database.one(f"SELECT {figures} FROM ({rows.query}) AS _row")  # noqa: S608
    return count, hashes
