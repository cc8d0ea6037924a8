"""The `Contract` object, its envelopes, and what it refuses."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

import events_schema
from events_schema import (
    Contract,
    Event,
    EventsError,
    Float64,
    ForeignFields,
    Int64,
    NotAnEvolution,
    Text,
)
from events_schema.testing import contracts, event_envelopes, posted_events


class AcmeEvent(Event):
    """An event of the Acme shop."""

    plan: Text | None = None
    price: Float64 | None = None


CONTRACT, ACME = Contract(Event), Contract(AcmeEvent)
POSTED = b'{"user_id": 1, "app_name": "shop", "event_category": "page"}'


def test_two_contracts_of_one_class_are_equal() -> None:
    """Two contracts with the same class are equal."""
    assert Contract(AcmeEvent) == ACME != CONTRACT
    assert Contract(AcmeEvent).envelope is ACME.envelope
    assert hash(Contract(AcmeEvent)) == hash(ACME)


@given(st.data(), st.just(CONTRACT) | contracts())
def test_an_envelope_has_what_was_posted_and_a_receipt(
    data: st.DataObject, contract: Contract[Event]
) -> None:
    """The id and the time are the sender's if given, and otherwise generated."""
    posted = contract.posted.model_validate(data.draw(posted_events(contract)))
    before = datetime.now(UTC)
    envelope = contract.envelope.from_posted(posted)
    after = datetime.now(UTC)

    assert before <= envelope.received_time <= after
    assert envelope.event_time == (posted.event_time or envelope.received_time)
    assert envelope.event_id == (posted.event_id or str(UUID(envelope.event_id)))
    kept = {name for name in contract.event.model_fields if name != "event_time"}
    assert envelope.model_dump(include=kept) == posted.model_dump(include=kept)
    assert contract.decode(contract.encode(envelope)) == envelope


def test_each_envelope_has_an_id_of_its_own() -> None:
    """Two events posted with the same fields are two different events."""
    posted = CONTRACT.parse_event(POSTED)
    ids = {CONTRACT.envelope.from_posted(posted).event_id for _ in range(100)}
    assert len(ids) == 100


def test_an_event_made_in_python_is_posted_too() -> None:
    """A service can make an envelope without JSON."""
    event = AcmeEvent(user_id=1, app_name="shop", event_category="page", plan="pro")
    envelope = ACME.envelope.from_posted(event)
    assert isinstance(envelope, AcmeEvent)
    assert (envelope.plan, envelope.price) == ("pro", None)


def test_an_envelope_of_more_fields_is_not_cut() -> None:
    """Fields that a contract lacks are refused by name, not dropped."""
    event = AcmeEvent(user_id=1, app_name="shop", event_category="page", plan="pro")
    envelope = ACME.envelope.from_posted(event)
    with pytest.raises(ForeignFields, match=r"plan, price.*events_schema:Event"):
        CONTRACT.encode(envelope)
    with pytest.raises(ForeignFields, match="AcmeEvent has plan, price"):
        CONTRACT.envelope.from_posted(event)


def test_a_field_of_the_same_name_and_another_type_is_foreign() -> None:
    """A field with the same name and another type is refused, not coerced."""

    class OtherEvent(Event):
        plan: Int64 | None = None

    event = OtherEvent(user_id=1, app_name="shop", event_category="page", plan=2**40)
    envelope = Contract(OtherEvent).envelope.from_posted(event)
    with pytest.raises(ForeignFields, match="has plan, which"):
        ACME.encode(envelope)
    with pytest.raises(ForeignFields, match="has plan, which"):
        ACME.envelope.from_posted(event)


@given(st.data(), st.just(CONTRACT) | st.just(ACME))
def test_values_and_contracts_are_copied_to_other_processes(
    data: st.DataObject, contract: Contract[Event]
) -> None:
    """Pickled values and contracts are equal in another process."""
    envelope = data.draw(event_envelopes(contract))
    row = contract.stored.from_envelope(envelope)
    contract.encode(envelope)
    for value in (envelope, row, contract, *contract.enrich([row], envelope.received_time)):
        copied = pickle.loads(pickle.dumps(value))  # noqa: S301  # our own bytes
        assert copied == value
        assert type(copied) is type(value)


def test_what_is_not_an_envelope_or_an_event_is_refused_with_a_way_out() -> None:
    """A forgotten or repeated step raises an error that says what to do."""
    event: Any = AcmeEvent(user_id=1, app_name="shop", event_category="page")
    with pytest.raises(EventsError, match="from_posted"):
        ACME.encode(event)
    members: Any = event.model_dump()
    with pytest.raises(EventsError, match="from_posted takes an event, got dict"):
        ACME.envelope.from_posted(members)


@given(st.data(), contracts(min_fields=1))
def test_an_envelope_of_fewer_fields_has_nulls(
    data: st.DataObject, contract: Contract[Event]
) -> None:
    """An event of the default contract is a valid event of every other contract."""
    envelope = data.draw(event_envelopes(CONTRACT))
    decoded = contract.decode(contract.encode(envelope))
    own = [column.name for column in contract.own_columns]
    assert decoded.model_dump(include=set(own)) == dict.fromkeys(own)
    assert decoded.model_dump(exclude=set(own)) == envelope.model_dump()


@given(st.data(), contracts(min_fields=1))
def test_a_record_of_the_default_contract_is_read_by_every_other(
    data: st.DataObject, contract: Contract[Event]
) -> None:
    """An old collector can keep running while the stream already has the team's contract."""
    envelope = data.draw(event_envelopes(CONTRACT))
    decoded = contract.decode(CONTRACT.encode(envelope))
    own = {column.name for column in contract.own_columns}
    assert decoded.model_dump(exclude=own) == envelope.model_dump()
    assert decoded.model_dump(include=own) == dict.fromkeys(own)


@pytest.mark.parametrize(
    ("remembered", "said"),
    [
        ({"plan": "string", "price": "float64", "vip": "bool"}, "vip: Bool"),
        ({"price": "float64"}, "price: Float64"),
        ({"plan": "bool"}, "plan: Bool"),
        ({"tariff": "string"}, "tariff: Text"),
        ({"price": "float64", "plan": "string"}, "price: Float64"),
    ],
)
def test_a_table_of_another_contract_is_not_gone_on_with(
    remembered: dict[str, str], said: str
) -> None:
    """Fields that were removed, retyped or reordered are refused with exit code 5."""
    with pytest.raises(NotAnEvolution, match=said) as refused:
        ACME.check_evolves(remembered, "the table")
    assert refused.value.exit_code == 5
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("remembered", [{}, {"plan": "string"}, ACME.own_types])
def test_a_table_goes_on_with_the_contract_that_evolved_from_its_own(
    remembered: dict[str, str],
) -> None:
    """A table may have only the first own fields of the contract."""
    ACME.check_evolves(remembered, "the table")


def test_one_error_is_the_root_of_all_that_a_service_meets() -> None:
    """Reading, encoding and decoding raise `EventsError` with the field's path in the text."""
    for call in (
        lambda: ACME.parse_event(b"{}"),
        lambda: ACME.parse_event(b"["),
        lambda: ACME.decode(b"garbage"),
    ):
        with pytest.raises(EventsError):
            call()
    with pytest.raises(EventsError, match="price: Input should be a valid number"):
        ACME.parse_event(POSTED.replace(b"}", b', "price": "1"}'))


def test_the_names_that_are_exported_are_there() -> None:
    """Each public name is imported on first use, and an unknown one raises AttributeError."""
    for name in events_schema.__all__:
        assert getattr(events_schema, name) is not None
    assert events_schema.__all__ == sorted(events_schema.__all__, key=str)
    with pytest.raises(AttributeError, match="nothing"):
        events_schema.nothing  # noqa: B018


CONSUMER = '''"""A service's code, as its authors write it."""

from events_schema import Bool, Contract, Event, EventEnvelope, EventsError, Float64, Int32, Int64
from events_schema import PostedEvent, Text, Time


class ShopEvent(Event):
    """An event of a shop."""

    plan: Text | None = None
    price: Float64 | None = None
    vip: Bool | None = None
    visits: Int32 | None = None
    sent: Int64 | None = None
    since: Time | None = None


CONTRACT = Contract(ShopEvent)


def record(body: bytes) -> bytes:
    posted: PostedEvent = CONTRACT.parse_event(body)
    return CONTRACT.encode(CONTRACT.envelope.from_posted(posted))


def own(plan: str) -> bytes:
    event = ShopEvent(user_id=1, app_name="shop", event_category="page", plan=plan, price=1.5)
    return CONTRACT.encode(CONTRACT.envelope.from_posted(event))


def plan_of(value: bytes) -> str | None:
    try:
        envelope: EventEnvelope = CONTRACT.decode(value)
    except EventsError as error:
        return str(error)
    return envelope.plan if isinstance(envelope, ShopEvent) else None
'''


def test_a_consumer_s_code_passes_mypy(tmp_path: Path) -> None:
    """A service's code with own fields passes mypy in strict mode."""
    (tmp_path / "consumer.py").write_text(CONSUMER)
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), "consumer.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(Path(events_schema.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
