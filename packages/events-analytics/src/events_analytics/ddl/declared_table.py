"""A table, as an engine is told of it."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel


@dataclass(frozen=True)
class DeclaredTable:
    """A table of the columns of `model`, in the parquet files at `location`.

    A partitioned one has a folder for each `event_date`, which is then its last column.
    """

    name: str
    model: type[BaseModel]
    location: str
    partitioned: bool = False
