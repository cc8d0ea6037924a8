"""A team's own fields: which are accepted, and which are refused when the class is defined."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from types import new_class
from typing import Annotated, Any, ClassVar

import duckdb
import pytest
from hypothesis import given
from pydantic import BaseModel, ConfigDict, Field, create_model, field_validator

from events_schema import (
    Bool,
    Contract,
    ContractError,
    Event,
    EventEnvelope,
    Float64,
    Int32,
    Int64,
    PostedEvent,
    Text,
    Time,
    column_names,
)
from events_schema.models.reserved import SQL_WORDS
from events_schema.testing import contracts

SIX = ("event_time", "user_id", "app_name", "event_action", "event_category", "event_value")


class AcmeEvent(Event):
    """An event of the Acme shop."""

    plan: Text | None = None
    price: Float64 | None = Field(None, description="in euros")
    vip: Bool | None = None
    visits: Int32 | None = None
    bytes_sent: Int64 | None = None
    signed_up: Time | None = None


OWN = ("plan", "price", "vip", "visits", "bytes_sent", "signed_up")


def defined(**own: Any) -> type[Event]:
    """A class with these own fields, each an annotation, or an annotation and a default."""
    fields: Any = {
        name: each if isinstance(each, tuple) else (each, None) for name, each in own.items()
    }
    return create_model("BadEvent", __base__=Event, **fields)


def refusal(define: Callable[[], object]) -> str:
    """The one-line error with which a definition is refused."""
    with pytest.raises(ContractError) as refused:
        define()
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 2
    return str(refused.value)


def test_own_columns_come_after_the_contract_s_and_in_their_order() -> None:
    """The columns of the default contract keep their order in records and in both tables."""
    contract = Contract(AcmeEvent)
    assert column_names(contract.event) == (*SIX, *OWN)
    assert column_names(contract.envelope) == ("event_id", "received_time", *SIX, *OWN)
    assert column_names(contract.stored) == (*SIX, "event_id", "received_time", *OWN)
    assert column_names(contract.enriched) == (*SIX, "u_count", "u_mp_ea", *OWN)
    assert set(column_names(contract.posted)) == {*SIX, *OWN, "event_id"}


@given(contracts())
def test_every_model_of_a_contract_begins_as_the_default_one(contract: Contract[Event]) -> None:
    """The models of every contract start with the columns of the default one."""
    default = Contract(Event)
    own = tuple(column.name for column in contract.own_columns)
    for model in ("event", "envelope", "stored", "enriched"):
        names = column_names(getattr(contract, model))
        assert names == (*column_names(getattr(default, model)), *own)


def test_a_class_may_be_extended_again() -> None:
    """The fields of the parent class keep their positions."""

    class ShopEvent(AcmeEvent):
        basket: Int64 | None = None

    assert Contract(ShopEvent).own_types == {**Contract(AcmeEvent).own_types, "basket": "int64"}


def test_values_are_of_the_team_s_class_too() -> None:
    """A type checker and `isinstance` know the own fields of an envelope."""
    contract = Contract(AcmeEvent)
    posted = contract.parse_event(
        b'{"user_id": 1, "app_name": "shop", "event_category": "page", "plan": "pro"}'
    )
    envelope = contract.envelope.from_posted(posted)
    assert isinstance(posted, AcmeEvent)
    assert isinstance(posted, PostedEvent)
    assert isinstance(envelope, AcmeEvent)
    assert isinstance(envelope, EventEnvelope)
    assert envelope.plan == "pro"


def test_constants_and_methods_are_the_team_s_own_business() -> None:
    """Class constants and methods do not change the stored columns."""

    class MethodEvent(Event):
        plans: ClassVar[tuple[str, ...]] = ("free", "pro")
        plan: Text | None = None

        def is_pro(self) -> bool:
            return self.plan == "pro"

    assert MethodEvent(user_id=1, app_name="a", event_category="c", plan="pro").is_pro()
    assert [column.name for column in Contract(MethodEvent).own_columns] == ["plan"]


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"plan": (Text, ...)}, "required"),
        ({"plan": (Text | None, ...)}, "required"),
        ({"plan": (Text, None)}, "required"),
        ({"plan": (Text | None, "free")}, "default that is not None"),
        ({"plan": (Text | None, Field(default_factory=str))}, "default that is not None"),
        ({"tags": (list[str] | None, [])}, "does not have a column type"),
        ({"plan": (Text | None, [])}, "default that is not None"),
        ({"plan": str | None}, "does not have a column type"),
        ({"plan": Any}, "does not have a column type"),
        ({"price": Decimal | None}, "does not have a column type"),
        ({"price": float | None}, "does not have a column type"),
        ({"parts": dict[str, int] | None}, "does not have a column type"),
        ({"plan": Text | Int32 | None}, "does not have a column type"),
        ({"plan": None}, "does not have a column type"),
        ({"plan": object}, "does not have a column type"),
        ({"plan": (Text | None, Field(None, max_length=3))}, "rules besides its type"),
        ({"plan": (Text | None, Field(None, alias="tariff"))}, "rules besides its type"),
        ({"plan": (Text | None, Field(None, exclude=True))}, "rules besides its type"),
        ({"price": Annotated[Float64 | None, Field(ge=0)]}, "rules besides its type"),
        ({"user_id": Int64 | None}, "belongs to the contract"),
        ({"event_time": Time | None}, "belongs to the contract"),
        ({"event_id": Text | None}, "reserved name"),
        ({"received_time": Time | None}, "reserved name"),
        ({"event_date": Text | None}, "reserved name"),
        ({"u_count": Int64 | None}, "reserved name"),
        ({"u_mp_ea": Text | None}, "reserved name"),
        ({"file_row_number": Int64 | None}, "reserved name"),
        ({"model_name": Text | None}, "reserved name"),
        ({"order": Text | None}, "reserved word in SQL"),
        ({"Plan": Text | None}, "not a valid column name"),
        ({"plan2B": Text | None}, "not a valid column name"),
        ({"plan__name": Text | None}, "not a valid column name"),
        ({"plän": Text | None}, "not a valid column name"),
        ({"x" * 65: Text | None}, "not a valid column name"),
        ({f"own_{number}": Text | None for number in range(101)}, "at most 100 are allowed"),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else case,
)
def test_a_field_that_could_not_be_kept_is_refused(own: dict[str, Any], said: str) -> None:
    """An own field must be optional and have a column type, and a name that all engines accept."""
    text = refusal(lambda: defined(**own))
    assert text.startswith("BadEvent: ")
    assert said in text


@pytest.mark.parametrize(
    ("annotation", "right"),
    [
        (str | None, "field: Text | None = None"),
        (float | None, "field: Float64 | None = None"),
        (int | None, "field: Int64 | None = None"),
        (bool | None, "field: Bool | None = None"),
        (datetime | None, "field: Time | None = None"),
        (Annotated[Text, Field(max_length=10)] | None, "field: Text | None = None"),
        (Bool, "field: Bool | None = None"),
    ],
)
def test_the_line_that_was_probably_meant_is_proposed(annotation: Any, right: str) -> None:
    """The error proposes a line with the column type that was probably meant."""
    assert right in refusal(lambda: defined(field=annotation))


@pytest.mark.parametrize(
    ("name", "proposed"), [("pageURL", "page_url"), ("my__plan", "my_plan"), ("Plan2", "plan_2")]
)
def test_a_name_that_would_do_is_proposed(name: str, proposed: str) -> None:
    """The error proposes a valid name close to the invalid one."""
    assert f"such as {proposed}" in refusal(lambda: defined(**{name: Text | None}))


def test_a_hundred_fields_are_allowed() -> None:
    """A class with 100 own fields, the limit, is accepted."""
    event = defined(**{f"own_{number}": Text | None for number in range(100)})
    assert len(Contract(event).own_columns) == 100


@pytest.mark.filterwarnings("ignore:Field name:UserWarning")  # pydantic's own, before ours
def test_a_name_of_pydantic_s_is_refused() -> None:
    """`copy` and `json` are methods of every model, so fields cannot have these names."""
    assert "reserved name" in refusal(lambda: defined(copy=Text | None))


def test_an_annotation_that_does_not_exist_is_refused() -> None:
    """A misspelt type, or one imported only for type checkers, is refused."""
    assert "cannot be resolved" in refusal(lambda: defined(plan="Txet | None"))


def test_rules_that_only_python_would_know_are_refused() -> None:
    """A validator is refused, since it would apply in the collector but not in the stream."""

    def with_validator() -> None:
        class BadEvent(Event):
            plan: Text | None = None

            @field_validator("plan")
            @classmethod
            def _known(cls, value: str | None) -> str | None:
                return value

    def with_config() -> None:
        class BadEvent(Event):
            model_config = ConfigDict(extra="allow")

    def with_private() -> None:
        class BadEvent(Event):
            _plan: str = "free"

    def with_hook() -> None:
        class BadEvent(Event):
            def model_post_init(self, context: Any, /) -> None:
                pass

    assert "validators" in refusal(with_validator)
    assert "model_config" in refusal(with_config)
    assert "_plan" in refusal(with_private)
    assert "validators" in refusal(with_hook)


def test_fields_of_another_model_are_refused() -> None:
    """A mixin with fields is refused, since its fields would come before the contract's."""

    class Plans(BaseModel):
        plan: Text | None = None

    def mixed() -> None:
        class BadEvent(Event, Plans):
            pass

    class Annotations:
        plan: Text | None = None

    def annotated() -> None:
        class BadEvent(Event, Annotations):
            pass

    assert "Plans also has fields" in refusal(mixed)
    assert "Annotations also has fields" in refusal(annotated)


def test_a_mixin_without_fields_is_welcome() -> None:
    """A mixin with only methods is accepted."""

    class Shouting:
        def shout(self) -> str:
            return "!"

    class LoudEvent(Event, Shouting):
        plan: Text | None = None

    assert Contract(LoudEvent).own_types == {"plan": "string"}


def _raises(*_: Any, **__: Any) -> Any:
    raise AssertionError


@pytest.mark.parametrize(
    "members",
    [
        {"app_name": property(str)},
        {"user_id": _raises},
        {"event_id": property(str)},
        {"received_time": _raises},
        {"event_id": "x", "__annotations__": {"event_id": ClassVar[str]}},
        {"model_validate": classmethod(_raises)},
        {"model_dump": _raises},
        {"copy": _raises},
        {"__init__": _raises},
        {"__new__": _raises},
        {"__get_pydantic_core_schema__": BaseModel.__dict__["__get_pydantic_core_schema__"]},
        {"__get_pydantic_json_schema__": classmethod(_raises)},
    ],
    ids=lambda members: next(iter(members)),
)
def test_members_that_take_the_place_of_the_contract_s_are_refused(members: dict[str, Any]) -> None:
    """Properties, methods and hooks that override the contract's are refused, in mixins too."""

    def written() -> None:
        new_class("BadEvent", (Event,), exec_body=lambda names: names.update(members))

    def mixed_in() -> None:
        new_class("BadEvent", (Event, type("Mixin", (), members)))

    assert refusal(written)
    assert refusal(mixed_in)


def test_a_class_that_takes_the_check_out_is_refused_by_the_contract() -> None:
    """Neither the keyword `derived` nor an own hook can disable the check."""

    class Derived(Event, derived=True):
        plan: int = 3

    def hooked() -> None:
        class Hooked(Event):
            @classmethod
            def __pydantic_init_subclass__(cls, **_: Any) -> None:
                pass

    assert "does not have a column type" in refusal(lambda: Contract(Derived))
    assert "__pydantic_init_subclass__" in refusal(hooked)


@pytest.mark.parametrize("said", [{"examples": [float("nan")]}, {"description": "\ud800"}])
def test_what_json_cannot_say_of_a_field_is_refused(said: dict[str, Any]) -> None:
    """A description that is not valid JSON is refused: it would end in the JSON Schema."""
    assert "not valid JSON" in refusal(lambda: defined(plan=(Text | None, Field(None, **said))))


def test_a_class_without_a_docstring_is_described_by_the_model() -> None:
    """The JSON Schema of a class without a docstring has the default description."""
    event = create_model("PlainEvent", __base__=Event, plan=(Text | None, None))
    assert Contract(event).json_schema()["description"] == PostedEvent.__doc__
    assert Contract(AcmeEvent).json_schema()["description"] == AcmeEvent.__doc__


def test_only_event_may_be_extended() -> None:
    """The derived models cannot be extended."""

    def extended() -> None:
        class BadEnvelope(EventEnvelope):
            plan: Text | None = None

    assert "extend Event instead" in refusal(extended)


@pytest.mark.parametrize("given", [PostedEvent, EventEnvelope, BaseModel, int, "Event", None])
def test_nothing_but_a_class_of_events_makes_a_contract(given: Any) -> None:
    """A class derived from the contract, or one that is not an event class, is refused."""
    assert "not an event class" in refusal(lambda: Contract(given))


def test_the_reserved_words_are_those_of_the_engines() -> None:
    """Each word that DuckDB accepts as a column only in quotes is refused."""
    found = duckdb.execute(
        "SELECT keyword_name FROM duckdb_keywords() "
        "WHERE keyword_category IN ('reserved', 'type_function')"
    ).fetchall()
    assert len(found) > 50
    assert {word for (word,) in found} - SQL_WORDS == set()
