"""A contract with ten own fields, with every type."""

from __future__ import annotations

from events_schema import Bool, Contract, Event, Float64, Int32, Int64, Text, Time


class OwnFieldsEvent(Event):
    """An event with ten own fields."""

    plan: Text | None = None
    country: Text | None = None
    device: Text | None = None
    campaign: Text | None = None
    price: Float64 | None = None
    discount: Float64 | None = None
    logged_in: Bool | None = None
    items: Int32 | None = None
    order_number: Int64 | None = None
    signed_up: Time | None = None


CONTRACT = Contract(OwnFieldsEvent)
