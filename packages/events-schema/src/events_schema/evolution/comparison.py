"""Finds what breaks, and for whom, when one schema replaces another.

Producers write with either schema, the stream reads with either, and Parquet readers find files
of both, so schemas are compared in both directions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from events_schema.avro import Schema

_NAMES: Mapping[str, str] = {
    "boolean": "Bool",
    "double": "Float64",
    "int": "Int32",
    "long": "Int64",
    "string": "Text",
    "timestamp-micros": "Time",
}
"""The names of Avro's types in a team's class."""


@dataclass(frozen=True)
class Break:
    """A breaking change: what changed, and who is affected and what to do."""

    change: str
    effect: str


def say_breaks(older: Iterable[tuple[str, Schema]], new: Schema) -> list[str]:
    """Return what breaks when `new` follows the `older` schemas, pairs of name and schema.

    There is one line for each change, with the names of all schemas that it breaks.
    """
    found: dict[Break, list[str]] = {}
    for name, schema in older:
        for each in breaks(schema, new):
            found.setdefault(each, []).append(name)
    return [
        f"{each.change} since {', '.join(names)}: {each.effect}" for each, names in found.items()
    ]


def breaks(old: Schema, new: Schema) -> list[Break]:
    """Return what breaks when `new` follows `old`; empty for a valid evolution.

    A valid evolution adds optional fields after all others and changes nothing else.
    """
    return list(_breaks(old, new))


@dataclass(frozen=True)
class _Field:
    type: str
    optional: bool


def _breaks(old: Schema, new: Schema) -> Iterator[Break]:
    if _full_name(old) != _full_name(new):
        yield Break(
            f"the record's name changed from {_full_name(old)} to {_full_name(new)}",
            "streams of one cannot read records of the other; keep the name",
        )
    before, after = _fields(old), _fields(new)
    for field, was in before.items():
        now = after.get(field)
        if now is None:
            yield _gone(field)
        elif now.type != was.type:
            yield _retyped(field, was, now)
        elif was.optional and not now.optional:
            yield _required(field)
        elif now.optional and not was.optional:
            yield Break(
                f"{field} is optional",
                "older streams cannot store events without it; keep it required",
            )
    for field, now in after.items():
        if field not in before and not now.optional:
            yield _required(field)
    if before.keys() <= after.keys() and list(after)[: len(before)] != list(before):
        yield Break(
            "the order of the fields changed",
            "Parquet readers that go by position, such as Presto and INSERT ... SELECT *, mix up "
            "the columns; keep the order, and put new fields last",
        )


def _full_name(schema: Schema) -> str:
    name = str(schema["name"])
    return name if "." in name else ".".join(filter(None, (schema.get("namespace"), name)))


def _gone(field: str) -> Break:
    return Break(
        f"{field} was removed",
        f"producers that send it are refused, the stream cannot store {field} from older records, "
        f"and Parquet readers lose the column; keep the field, senders may leave it empty",
    )


def _retyped(field: str, was: _Field, now: _Field) -> Break:
    return Break(
        f"{field} changed from {was.type} to {now.type}",
        f"producers that send {was.type} are refused, older streams cannot read new records, new "
        f"streams cannot read older ones, and Parquet readers find two types in one column; keep "
        f"this field as it was, and add a new one",
    )


def _required(field: str) -> Break:
    return Break(
        f"{field} is required",
        "producers that leave it out are refused, and the stream cannot read older records "
        "without it; make it optional",
    )


def _fields(schema: Schema) -> dict[str, _Field]:
    return {field["name"]: _field(field["type"]) for field in schema["fields"]}


def _field(avro_type: object) -> _Field:
    if isinstance(avro_type, list) and "null" in avro_type:
        others = [each for each in avro_type if each != "null"]
        return _Field(" or ".join(map(_words, others)), optional=True)
    return _Field(_words(avro_type), optional=False)


def _words(avro_type: object) -> str:
    if isinstance(avro_type, dict):
        avro_type = avro_type.get("logicalType", avro_type.get("type", avro_type))
    if isinstance(avro_type, str):
        return _NAMES.get(avro_type, avro_type)
    return json.dumps(avro_type, sort_keys=True)
