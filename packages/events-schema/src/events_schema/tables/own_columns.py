"""A team's own columns, which older files of a table lack."""

from __future__ import annotations

from pydantic import BaseModel

from events_schema.column import Column, columns


def own_columns(model: type[BaseModel]) -> tuple[Column, ...]:
    """Return the columns of a row's `model` that files may lack: those with a default.

    Our own columns have none, so a file without one of them is not of the table.
    """
    fields = model.model_fields
    return tuple(each for each in columns(model) if not fields[each.name].is_required())
