"""The columns of a model, from which every schema is derived."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Stored times are microseconds since this moment."""


class ColumnType(StrEnum):
    """The column types of the contract, used as annotations on the models' fields."""

    BOOL = "bool"
    FLOAT64 = "float64"
    INT32 = "int32"
    INT64 = "int64"
    STRING = "string"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True)
class Column:
    """One column: its name, its type and whether it may be null."""

    name: str
    type: ColumnType
    nullable: bool


def columns(model: type[BaseModel]) -> tuple[Column, ...]:
    """Return the columns of `model` in the order of its fields."""
    return tuple(_column(name, field) for name, field in model.model_fields.items())


def column_names(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the column names of `model` in the order of its fields."""
    return tuple(model.model_fields)


def foreign_columns(given: type[BaseModel], model: type[BaseModel]) -> list[str]:
    """Return the names of columns of `given` that `model` lacks or has with another type."""
    known = {column.name: column.type for column in columns(model)}
    return [column.name for column in columns(given) if known.get(column.name) != column.type]


def _column(name: str, field: FieldInfo) -> Column:
    nullable = False
    markers = [*field.metadata]
    for part in union_members(field.annotation):
        if part is NoneType:
            nullable = True
        elif get_origin(part) is Annotated:
            markers.extend(part.__metadata__)
    types = [marker for marker in markers if isinstance(marker, ColumnType)]
    if len(types) != 1:
        raise TypeError(f"field {name!r} needs one ColumnType in its annotation, found {types}")
    return Column(name, types[0], nullable)


def union_members(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the annotation itself if it is not a union."""
    if get_origin(annotation) in (Union, UnionType):
        return get_args(annotation)
    return (annotation,)
