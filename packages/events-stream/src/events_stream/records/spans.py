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


@lru_cache(maxsize=8)
def span_columns(partitions: Sequence[int]) -> Sequence[Column]:
    """Return what to observe for `spans`; `partitions` is a tuple."""
    return tuple(
        F.expr(f"{function}(IF({PARTITION} = {partition}, {OFFSET}, NULL)) AS {name}_{partition}")
        for partition in partitions
        for function, name in (("count", "records"), ("min", "first"), ("max", "last"))
    )


def spans(observed: Mapping[str, Any], partitions: Sequence[int]) -> Mapping[int, Span]:
    """Return the span of each partition from what was observed."""
    return {
        partition: Span(*(observed[f"{name}_{partition}"] for name in ("records", "first", "last")))
        for partition in partitions
    }
