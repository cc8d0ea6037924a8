"""The contracts of the collector's tests: the default one, a shop's and generated ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import strategies as st
from pydantic import Field

from events_schema import Bool, Contract, Event, Float64, Int32, Int64, Text, Time
from events_schema.testing import contracts

T = TypeVar("T")

CONTRACT = Contract(Event)


class ShopEvent(Event):
    """An event of a shop with an own field of each type."""

    plan: Text | None = Field(None, description="what the customer pays for: */ free, or pro")
    trial: Bool | None = None
    price: Float64 | None = None
    seats: Int32 | None = None
    order_number: Int64 | None = None
    renewed: Time | None = None


SHOP = Contract(ShopEvent)


def with_contract(
    strategy: Callable[[Contract[Any]], st.SearchStrategy[T]],
) -> st.SearchStrategy[tuple[Contract[Any], T]]:
    """A contract, default or generated, and a value that `strategy` draws for it."""
    return (st.just(CONTRACT) | contracts()).flatmap(
        lambda contract: st.tuples(st.just(contract), strategy(contract))
    )
