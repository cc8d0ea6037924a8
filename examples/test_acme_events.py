"""Property-based tests of code that handles events of your own contract: pytest."""

import json
from collections.abc import Iterable
from typing import Any

from hypothesis import given

from acme_events import CONTRACT, AcmeEvent
from events_schema import Event, EventEnvelope
from events_schema.testing import event_envelopes, posted_events


def revenue(events: Iterable[Event]) -> float:
    """Return the sum of all prices: the code under test."""
    return sum(event.price or 0.0 for event in events if isinstance(event, AcmeEvent))


@given(event_envelopes(CONTRACT))
def test_revenue_survives_kafka(envelope: EventEnvelope) -> None:
    """Encoding and decoding an event does not change the revenue."""
    assert revenue([CONTRACT.decode(CONTRACT.encode(envelope))]) == revenue([envelope])


@given(posted_events(CONTRACT))
def test_a_valid_body_keeps_its_price(body: dict[str, Any]) -> None:
    """Parsing a valid body keeps its price."""
    event = CONTRACT.parse_event(json.dumps(body).encode())
    assert event.model_dump()["price"] == body.get("price")
