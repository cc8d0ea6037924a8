"""What a change breaks, compared with Avro's own rules."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse
from hypothesis import given
from hypothesis import strategies as st

from events_schema import Contract, Event
from events_schema.evolution.comparison import breaks, say_breaks
from events_schema.testing import contracts

Schema = dict[str, Any]

BASE: Schema = json.loads(json.dumps(Contract(Event).avro_schema))


def reads(reader: Schema, writer: Schema) -> bool:
    """Whether Avro's rules let `reader` read what `writer` wrote."""
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    checked = checker.get_compatibility(parse(json.dumps(reader)), parse(json.dumps(writer)))
    return bool(checked.compatibility is SchemaCompatibilityType.compatible)


def _retype(fields: list[Schema]) -> None:
    fields[3]["type"] = "string"


def _widen(fields: list[Schema]) -> None:
    fields[3]["type"] = "long"


def _coarsen(fields: list[Schema]) -> None:
    fields[1]["type"]["logicalType"] = "timestamp-millis"


def _require(fields: list[Schema]) -> None:
    fields.append({"name": "session", "type": "string"})


def _tighten(fields: list[Schema]) -> None:
    fields[5] = {"name": "event_action", "type": "string"}


def _loosen(fields: list[Schema]) -> None:
    fields[4] = {"name": "app_name", "type": ["null", "string"], "default": None}


def _drop(fields: list[Schema]) -> None:
    del fields[5]


def _rename(fields: list[Schema]) -> None:
    fields[5]["name"] = "event_verb"


def _insert(fields: list[Schema]) -> None:
    fields.insert(3, {"name": "session", "type": ["null", "string"], "default": None})


def _swap(fields: list[Schema]) -> None:
    fields[3], fields[4] = fields[4], fields[3]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            _retype,
            ["user_id changed from Int32 to Text since 1.0.0", "producers", "stream", "Parquet"],
        ),
        (_widen, ["user_id changed from Int32 to Int64", "producers", "stream", "Parquet"]),
        (_coarsen, ["received_time changed from Time to timestamp-millis since 1.0.0"]),
        (_require, ["session is required", "producers that leave it out", "the stream cannot"]),
        (_tighten, ["event_action is required", "producers that leave it out"]),
        (_loosen, ["app_name is optional since 1.0.0", "older streams"]),
        (_drop, ["event_action was removed", "producers", "the stream cannot store", "Parquet"]),
        (_rename, ["event_action was removed", "producers", "Parquet"]),
        (_insert, ["the order of the fields changed", "Parquet readers that go by position"]),
        (_swap, ["the order of the fields changed", "Parquet readers that go by position"]),
    ],
)
def test_each_kind_of_break_is_told_with_whom_it_breaks(
    change: Callable[[list[Schema]], None], said: list[str]
) -> None:
    """One line names the field, its old type, who is affected and what to do."""
    changed = copy.deepcopy(BASE)
    change(changed["fields"])
    (line,) = say_breaks([("1.0.0", BASE)], changed)
    assert [text for text in said if text not in line] == []
    assert "; " in line or ", and " in line
    assert "\n" not in line


def test_a_change_is_told_once_for_all_that_it_breaks() -> None:
    """A change that breaks several releases gives one line with the names of all."""
    changed = copy.deepcopy(BASE)
    _drop(changed["fields"])
    (line,) = say_breaks([("1.0.0", BASE), ("1.1.0", BASE), ("1.2.0", changed)], changed)
    assert line.startswith("event_action was removed since 1.0.0, 1.1.0: ")


def test_another_name_of_the_record_breaks_every_reader() -> None:
    """A different record name breaks, because Avro resolves records by name."""
    (found,) = breaks(BASE, {**BASE, "name": "Other"})
    assert found.change == "the record's name changed from events.EventEnvelope to events.Other"


def test_the_same_schema_written_in_another_way_breaks_nothing() -> None:
    """Full names and types written as objects are understood."""
    other = {**BASE, "name": "events.EventEnvelope", "namespace": "ignored"}
    other["fields"] = [
        {**field, "type": {"type": field["type"]} if field["type"] == "int" else field["type"]}
        for field in BASE["fields"]
    ]
    assert breaks(BASE, other) == breaks(other, BASE) == []


@given(contracts(), st.data())
def test_optional_fields_at_the_end_break_nothing(
    contract: Contract[Event], data: st.DataObject
) -> None:
    """Every contract is a valid evolution of its prefixes, by Avro's rules in both directions."""
    new = contract.avro_schema
    own = len(contract.own_columns)
    kept = data.draw(st.integers(0, own))
    old = {**new, "fields": new["fields"][: len(new["fields"]) - own + kept]}
    assert breaks(old, new) == []
    assert reads(old, new)
    assert reads(new, old)


@given(contracts(min_fields=1, max_fields=6), contracts(max_fields=6))
def test_what_avro_cannot_read_is_a_break(one: Contract[Event], other: Contract[Event]) -> None:
    """Two contracts that Avro cannot read in both directions never fit."""
    if not (
        reads(one.avro_schema, other.avro_schema) and reads(other.avro_schema, one.avro_schema)
    ):
        assert breaks(one.avro_schema, other.avro_schema)
    if not breaks(one.avro_schema, other.avro_schema):
        other.check_evolves(one.own_types, "the table")
