"""Strategies for contracts with own fields."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from pydantic import create_model

from events_schema.contract import Contract
from events_schema.models.event import Event
from events_schema.models.own_fields import name_defects
from events_schema.models.types import OWN_TYPES


def field_names() -> st.SearchStrategy[str]:
    """Valid names of own fields."""
    letters = st.from_regex(r"[a-z][a-z0-9]{0,8}(_[a-z0-9]{1,6}){0,2}", fullmatch=True)
    return letters.filter(_is_allowed)


def _is_allowed(name: str) -> bool:
    return not any(name_defects(name, Event))


def contracts(*, min_fields: int = 0, max_fields: int = 20) -> st.SearchStrategy[Contract[Any]]:
    """Contracts with `min_fields` to `max_fields` own fields of all types."""
    return st.dictionaries(
        field_names(), st.sampled_from(sorted(OWN_TYPES)), min_size=min_fields, max_size=max_fields
    ).map(lambda types: Contract(_event(types)))


def _event(types: dict[str, str]) -> type[Event]:
    own: dict[str, Any] = {name: (OWN_TYPES[type_] | None, None) for name, type_ in types.items()}
    return create_model("GeneratedEvent", __base__=Event, **own)
