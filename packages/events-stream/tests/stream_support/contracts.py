"""Contracts for tests: the default one, and a team's before and after it adds a field."""

from __future__ import annotations

from events_schema import Bool, Contract, Event, Float64, Int32, Int64, Text, Time

CONTRACT = Contract(Event)


class ShopEvent(Event):
    """An event of a shop."""

    plan: Text | None = None


class PricedEvent(ShopEvent):
    """An event of the shop, one version later."""

    price: Float64 | None = None


class AwkwardEvent(Event):
    """Fields of every type, with names that Kafka, failed events and DuckDB's queries also use."""

    topic: Text | None = None
    key: Int32 | None = None
    headers: Int64 | None = None
    ended: Time | None = None
    reason: Text | None = None
    event: Text | None = None
    file: Int32 | None = None
    hash: Text | None = None
    nth: Int64 | None = None
    copies: Bool | None = None
    hashes: Float64 | None = None
    suspects: Text | None = None
    value: Float64 | None = None
    final: Bool | None = None


SHOP, PRICED, AWKWARD = Contract(ShopEvent), Contract(PricedEvent), Contract(AwkwardEvent)
