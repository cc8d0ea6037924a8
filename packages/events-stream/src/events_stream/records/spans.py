"""Observes which offsets a job reads, in the same pass in which it writes their records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from events_stream.table.position import Span

PARTITION, OFFSET = "_partition", "_offset"
"""The columns to observe. No own field can have these names."""


def span_columns(partitions: Sequence[int]) -> Sequence[Column]:
    """Return what to observe for `spans`."""
    return [column for partition in partitions for column in _columns(partition)]


@lru_cache(maxsize=1024)
def _columns(partition: int) -> Sequence[Column]:
    offset = f"IF({PARTITION} = {partition}, {OFFSET}, NULL)"
    functions = {"records": "count", "first": "min", "last": "max"}
    return [F.expr(f"{f}({offset}) AS {name}_{partition}") for name, f in functions.items()]


def spans(observed: Mapping[str, Any], partitions: Sequence[int]) -> Mapping[int, Span]:
    """Return the span of each partition from what was observed."""
    return {
        partition: Span(*(observed[f"{name}_{partition}"] for name in ("records", "first", "last")))
        for partition in partitions
    }
