"""Everything derived from the models agrees with them."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events_schema import (
    ColumnType,
    Contract,
    EnrichedEvent,
    Event,
    EventEnvelope,
    StoredEvent,
    column_names,
    columns,
    ddl,
)
from events_schema.spark import spark_schema
from events_schema.testing import contracts

CONTRACT = Contract(Event)

SIX = ("event_time", "user_id", "app_name", "event_action", "event_category", "event_value")


def test_the_six_columns_are_the_same_everywhere() -> None:
    """The event, the record and both tables have the same names, types and order."""
    types = {column.name: column.type for column in columns(Event)}
    assert tuple(types) == SIX
    assert column_names(EventEnvelope) == ("event_id", "received_time", *SIX)
    assert column_names(StoredEvent) == (*SIX, "event_id", "received_time")
    assert column_names(EnrichedEvent) == (*SIX, "u_count", "u_mp_ea")
    for model in (EventEnvelope, StoredEvent, EnrichedEvent):
        here = {column.name: column.type for column in columns(model)}
        assert {name: here[name] for name in SIX} == types


@pytest.mark.parametrize("model", [StoredEvent, EnrichedEvent])
def test_every_column_of_a_table_is_nullable(model: type[StoredEvent | EnrichedEvent]) -> None:
    """Every column is nullable, in the model and in Spark."""
    assert all(column.nullable for column in columns(model))
    assert all(field.nullable for field in spark_schema(model).fields)


def test_the_avro_record_requires_what_the_envelope_requires() -> None:
    """Only the two optional fields are unions with null."""
    optional = {field["name"] for field in CONTRACT.avro_schema["fields"] if "default" in field}
    assert optional == {"event_action", "event_value"}


def test_the_spark_schema_has_the_contracts_types() -> None:
    """The enriched table has the documented types and order in Spark."""
    assert spark_schema(EnrichedEvent).simpleString() == (
        "struct<event_time:timestamp,user_id:int,app_name:string,event_action:string,"
        "event_category:string,event_value:int,u_count:bigint,u_mp_ea:string>"
    )


@settings(max_examples=20)
@given(st.just(CONTRACT) | contracts())
def test_the_ddl_makes_a_table_of_the_same_columns(contract: Contract[Event]) -> None:
    """A database accepts the SQL and creates the same columns, whatever own columns there are."""
    for model in (contract.stored, contract.enriched):
        with duckdb.connect() as connection:
            connection.execute(ddl(model, "events"))
            described = connection.execute("DESCRIBE events").fetchall()
        assert [(name, type_) for name, type_, *_ in described] == [
            (column.name, _DUCKDB_TYPES[column.type]) for column in columns(model)
        ]


_DUCKDB_TYPES = {
    ColumnType.BOOL: "BOOLEAN",
    ColumnType.FLOAT64: "DOUBLE",
    ColumnType.INT32: "INTEGER",
    ColumnType.INT64: "BIGINT",
    ColumnType.STRING: "VARCHAR",
    ColumnType.TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
}


def test_the_ddl_takes_identifiers_only() -> None:
    """A table name that is not a plain identifier is refused."""
    with pytest.raises(ValueError, match="identifier"):
        ddl(StoredEvent, "x; DROP TABLE y")
