"""The contract of the Acme shop: the six fields of every event, and two more."""

from events_schema import Contract, Event, Float64, Text


class AcmeEvent(Event):
    """An event of the Acme shop."""

    plan: Text | None = None
    price: Float64 | None = None


CONTRACT = Contract(AcmeEvent)
