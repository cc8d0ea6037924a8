"""A team's own columns, which a table's older files may lack."""

from __future__ import annotations

from pydantic import BaseModel

from events_schema.column import Column, columns


def own_columns(model: type[BaseModel]) -> tuple[Column, ...]:
    """Return the columns of a row's `model` that files may lack: those with a default.

    The default contract's columns have no default: a file that lacks one is not the table's.
    """
    fields = model.model_fields
    return tuple(each for each in columns(model) if not fields[each.name].is_required())
