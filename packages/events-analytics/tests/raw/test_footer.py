"""Parquet footers are read and checked."""

import contextlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_support.raw_schema import RAW, TIME
from events_analytics.errors import ColumnsMissing, UnreadableFile
from events_analytics.raw.files import list_raw
from events_analytics.raw.footer import READABLE, check_columns, check_exact_columns, read_footer
from events_analytics.versions.layout import Layout
from events_schema import ColumnType, Contract, Event, StoredEvent, column_names

CONTRACT = Contract(Event)
PLAIN = {
    pa.bool_(): ColumnType.BOOL,
    pa.float64(): ColumnType.FLOAT64,
    pa.int64(): ColumnType.INT64,
}
ENRICHED = Layout.EVENTS.column_types({})


def write(path: Path, schema: pa.Schema, rows: int = 0) -> Path:
    """Write a parquet file with only nulls."""
    pq.write_table(pa.table([pa.nulls(rows, field.type) for field in schema], schema=schema), path)
    return path


def test_rows_and_columns_are_read(tmp_path: Path) -> None:
    """A footer has the number of rows, and the columns with their types in order."""
    footer = read_footer(write(tmp_path / "a.parquet", RAW, rows=1000))
    assert footer.rows == 1000
    assert list(footer.columns) == list(column_names(StoredEvent))
    assert footer.columns["event_time"] == "timestamp"
    check_columns(tmp_path / "a.parquet", footer, StoredEvent)


@pytest.mark.parametrize(
    "type_",
    [
        pa.timestamp("ns", tz="UTC"),
        pa.timestamp("us"),
        pa.int64(),
        pa.int16(),
        pa.uint32(),
        pa.float64(),
        pa.bool_(),
        pa.binary(),
        pa.date32(),
        pa.decimal128(9, 2),
        pa.list_(pa.int32()),
        pa.struct([("x", pa.int32())]),
    ],
)
def test_other_types_are_distinguished(tmp_path: Path, type_: pa.DataType) -> None:
    """A column has at most one type of the contract, and most types have none."""
    schema = pa.schema([("x", type_), ("last", pa.string())])
    footer = read_footer(write(tmp_path / "a.parquet", schema, rows=2))
    for wanted in set(ColumnType) - {PLAIN.get(type_)}:
        assert footer.columns.get("x") not in READABLE[wanted]
    assert all(footer.columns["x"] in READABLE[wanted] for wanted in [PLAIN.get(type_)] if wanted)
    assert footer.columns["last"] == "string"


def test_int96_times_are_read_and_not_written(tmp_path: Path) -> None:
    """INT96 times may be in the source, but not in the result."""
    path = tmp_path / "a.parquet"
    table = pa.table({"event_time": pa.nulls(1, TIME)})
    pq.write_table(table, path, use_deprecated_int96_timestamps=True)
    assert read_footer(path).columns == {"event_time": "int96"}


@pytest.mark.parametrize("column", column_names(StoredEvent))
def test_a_missing_or_mistyped_column_is_named(tmp_path: Path, column: str) -> None:
    """A file that lacks a column, or has it with another type, is refused by name."""
    position = RAW.get_field_index(column)
    for schema in (RAW.remove(position), RAW.set(position, pa.field(column, pa.float32()))):
        path = write(tmp_path / "a.parquet", schema)
        with pytest.raises(ColumnsMissing, match=f"lacks {column}: "):
            check_columns(path, read_footer(path), StoredEvent)


def test_the_result_has_its_columns_in_order(tmp_path: Path) -> None:
    """The result's columns are the contract's, in its order, and no others."""
    metrics = [("u_count", pa.int64()), ("u_mp_ea", pa.string())]
    right = pa.schema([*list(RAW)[:6], *(pa.field(*metric) for metric in metrics)])
    path = write(tmp_path / "a.parquet", right)
    check_exact_columns(path, read_footer(path), ENRICHED)
    for wrong in (right.remove(7), right.append(pa.field("x", pa.string())), right.remove(0)):
        path = write(tmp_path / "a.parquet", wrong)
        with pytest.raises(ColumnsMissing, match="expected event_time"):
            check_exact_columns(path, read_footer(path), ENRICHED)


@given(st.binary(max_size=60) | st.binary(max_size=200).map(lambda b: b"PAR1" + b + b"PAR1"))
def test_bytes_that_are_not_parquet_are_refused(
    tmp_path_factory: pytest.TempPathFactory, b: bytes
) -> None:
    """The error is one line that names the file."""
    path = tmp_path_factory.getbasetemp() / "garbage.parquet"
    path.write_bytes(b)
    with pytest.raises(UnreadableFile, match=r"garbage\.parquet is not a complete parquet file"):
        read_footer(path)


@given(st.data())
def test_a_damaged_footer_gives_no_other_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """A file that is cut off or has a changed byte is read or refused."""
    path = write(tmp_path_factory.getbasetemp() / "damaged.parquet", RAW, rows=3)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with contextlib.suppress(UnreadableFile):
        read_footer(path)


def test_damaged_sizes_do_not_end_the_process(tmp_path: Path) -> None:
    """A changed length of a list is read or refused, although pyarrow aborts the process there."""
    path = write(tmp_path / "damaged.parquet", RAW, rows=3)
    content = path.read_bytes()
    lists = b"\x06\x19\x26"  # two lists of integers in Thrift's encoding, with none and with two
    heads = [at for at in range(len(content)) if content.startswith(lists, at)]
    assert len(heads) == len(RAW)
    for at in heads:
        path.write_bytes(content[:at] + b"\x46" + content[at + 1 :])
        with contextlib.suppress(UnreadableFile):
            assert list_raw(tmp_path, CONTRACT).rows == 3


def test_a_file_whose_sizes_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Of two files, the one whose footer has a column name that is not UTF-8 is refused by name."""
    write(tmp_path / "whole.parquet", RAW, rows=3)
    path = write(tmp_path / "damaged.parquet", RAW, rows=3)
    before, name, after = path.read_bytes().rpartition(b"event_time")
    path.write_bytes(before + b"\xff" + name[1:] + after)
    with pytest.raises(UnreadableFile, match=r"damaged\.parquet is not a complete parquet file"):
        list_raw(tmp_path, CONTRACT)


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """A missing file is refused by name."""
    with pytest.raises(UnreadableFile, match="cannot read"):
        read_footer(tmp_path / "gone.parquet")
