"""A writer of Avro's binary encoding that is faster than a general one.

fastavro's writer would cost the collector a third of its batch rate (decision 6). Most columns
repeat their values (app names, actions, the time of a batch request), so the writer caches the
encoded bytes of each value and only joins them. fastavro remains the reader and the reference: a
property test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from operator import call
from struct import Struct
from typing import Any

from events_schema.column import EPOCH, Column, ColumnType

Writer = Callable[[Any], bytes]

_MICROSECOND = timedelta(microseconds=1)
_REMEMBERED = 4096
"""How many values of one column are cached: at most about 10 MB of texts of full length."""
_REMEMBERED_IN_ALL = 8 * _REMEMBERED
"""How many values of all columns together are cached: a team may have a hundred columns."""


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 0x7F:  # noqa: PLR2004  # seven bits to a byte
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


_PAIR_BITS, _PAIR_MASK = 14, 0x3FFF
_LAST = [_varint(number) for number in range(_PAIR_MASK + 1)]
_PAIRS = [bytes((number & 0x7F | 0x80, number >> 7 | 0x80)) for number in range(_PAIR_MASK + 1)]
"""Every pair of bytes that another byte follows, so that encoding a time takes four look-ups."""


def zigzag(number: int) -> bytes:
    """Return `number`, of at most 64 bits, as an Avro int or long (specification 1.12)."""
    rest = (number << 1) ^ (number >> 63)
    written = b""
    while rest > _PAIR_MASK:
        written += _PAIRS[rest & _PAIR_MASK]
        rest >>= _PAIR_BITS
    return written + _LAST[rest]


def _text(text: str) -> bytes:
    encoded = text.encode()
    return zigzag(len(encoded)) + encoded


class _TimeWriter:
    """Writes times and caches the last one, since records and batches often repeat a time.

    It compares by identity: hashing a time costs more than writing it.
    """

    def __init__(self) -> None:
        self._last: tuple[datetime, bytes] = EPOCH, zigzag(0)

    def __call__(self, time: datetime) -> bytes:
        last, written = self._last
        if time is not last:
            written = zigzag((time - EPOCH) // _MICROSECOND)
            self._last = time, written
        return written


_double = Struct("<d").pack
_nullable_double = Struct("<Bd").pack
_BOOLS = {False: b"\0", True: b"\1"}


_WRITERS: Mapping[ColumnType, Writer] = {
    ColumnType.BOOL: _BOOLS.__getitem__,
    ColumnType.FLOAT64: _double,
    ColumnType.INT32: zigzag,
    ColumnType.INT64: zigzag,
    ColumnType.STRING: _text,
    ColumnType.TIMESTAMP: _TimeWriter(),
}
_NULL, _VALUE = zigzag(0), zigzag(1)  # the branches of ["null", type]
_NULLABLE_BOOLS: Mapping[bool | None, bytes] = {
    None: _NULL,
    False: _VALUE + _BOOLS[False],
    True: _VALUE + _BOOLS[True],
}
_NOT_REMEMBERED = frozenset({ColumnType.BOOL, ColumnType.FLOAT64})
"""Types that are encoded as fast as looked up; a look-up of -0.0 would also find 0.0."""


def _writer(column: Column) -> Writer:
    write = _WRITERS[column.type]
    if not column.nullable:
        return write
    if column.type is ColumnType.BOOL:
        return _NULLABLE_BOOLS.__getitem__
    if column.type is ColumnType.FLOAT64:
        return _write_nullable_double

    def write_nullable(value: Any) -> bytes:
        return _NULL if value is None else _VALUE + write(value)

    return write_nullable


def _write_nullable_double(value: float | None) -> bytes:
    return _NULL if value is None else _nullable_double(_VALUE[0], value)


def record_encoder(
    header: bytes, columns: tuple[Column, ...], *, unique: Collection[str] = ()
) -> Callable[[Sequence[Any]], bytes]:
    """Return a function that writes `header` and then the Avro record of `columns`.

    It takes the values in the order of `columns` and does not check their types. Values of the
    columns named in `unique`, which rarely repeat, are not cached.
    """
    remembered = [
        column
        for column in columns
        if column.name not in unique and column.type not in _NOT_REMEMBERED
    ]
    size = min(_REMEMBERED, _REMEMBERED_IN_ALL // max(len(remembered), 1))
    writers = [
        lru_cache(size)(_writer(column)) if column in remembered else _writer(column)
        for column in columns
    ]

    def encode(values: Sequence[Any]) -> bytes:
        return header + b"".join(map(call, writers, values))

    return encode
