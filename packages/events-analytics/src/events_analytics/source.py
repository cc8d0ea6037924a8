"""The source: the raw table's files, listed once, and the rows in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from events_analytics.errors import NoData, SourceMissing
from events_analytics.footer import check_columns, read_footer
from events_analytics.manifest import FileRows
from events_schema import StoredEvent
from events_schema.layout import partition_files
from events_schema.spark import spark_schema

_GLOB_CHARACTERS = frozenset("\\{}[]*?")


@dataclass(frozen=True)
class RawFiles:
    """The parquet files under `folder` at one moment; what is added later is not read."""

    folder: Path
    files: tuple[FileRows, ...]
    bytes: int

    @property
    def rows(self) -> int:
        """How many rows the files hold."""
        return sum(file.rows for file in self.files)

    @property
    def paths(self) -> list[str]:
        """The files' paths, for Spark."""
        return [spark_path(self.folder / file.name) for file in self.files]


def find_source(source: str) -> Path:
    """Return the folder at the local path `source`, links resolved. Raises `SourceMissing`."""
    if "://" in source:
        raise SourceMissing(f"source {source!r} is a remote address; give a local folder")
    folder = Path(source).resolve()
    if not folder.exists():
        raise SourceMissing(f"source {folder} does not exist; give the raw table's folder")
    if not folder.is_dir():
        raise SourceMissing(f"source {folder} is a file; give the raw table's folder")
    return folder


def list_raw(folder: Path, *, allow_empty: bool) -> RawFiles:
    """List the raw table in `folder`, or the parquet files of a plain folder, checking each.

    Raises `NoData` where there are no rows, unless `allow_empty`; `ColumnsMissing` and
    `UnreadableFile`, naming the file.
    """
    # Spark passes over hidden files.
    plain = (path for path in folder.glob("*.parquet") if path.name[0] not in "._")
    paths = sorted([*partition_files(folder), *plain])
    raw = RawFiles(
        folder,
        tuple(_read(folder, path) for path in paths),
        sum(path.stat().st_size for path in paths),
    )
    if not raw.rows and not allow_empty:
        what = "only parquet files without rows" if raw.files else "no parquet files"
        raise NoData(f"source {folder} holds {what}; wait for events, or give --allow-empty")
    return raw


def _read(folder: Path, path: Path) -> FileRows:
    footer = read_footer(path)
    check_columns(path, footer, StoredEvent)
    return FileRows(name=str(path.relative_to(folder)), rows=footer.rows)


def read_raw(spark: SparkSession, raw: RawFiles) -> DataFrame:
    """Return the rows of exactly these files, with the columns of `StoredEvent`."""
    schema = spark_schema(StoredEvent)
    if not raw.rows:
        return spark.createDataFrame([], schema)
    return spark.read.schema(schema).parquet(*raw.paths)


def spark_path(path: Path) -> str:
    """Return `path` as Spark's reader wants it, in which some characters are patterns."""
    return "".join(f"\\{each}" if each in _GLOB_CHARACTERS else each for each in str(path))
