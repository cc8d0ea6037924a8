"""A table to declare in an engine."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel


@dataclass(frozen=True)
class DeclaredTable:
    """A table with the columns of `model`, in the parquet files at `location`.

    A partitioned table has one folder per `event_date`, which is its last column.
    """

    name: str
    model: type[BaseModel]
    location: str
    partitioned: bool = False
