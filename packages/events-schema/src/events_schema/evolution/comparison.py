"""What breaks, and for whom, where one schema takes the place of another.

Producers write with either schema, the stream reads with either, and readers of parquet find files
of both: so every comparison is both ways.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from events_schema.avro import Schema


@dataclass(frozen=True)
class _Field:
    type: str
    optional: bool


def breaks(old: Schema, old_name: str, new: Schema) -> list[str]:
    """Say what breaks where `new` follows `old`, a line for each field; nothing for an evolution.

    An evolution adds optional fields after all others, and changes nothing else.
    """
    return list(_breaks(old, old_name, new))


def _breaks(old: Schema, name: str, new: Schema) -> Iterator[str]:
    if (old.get("namespace"), old["name"]) != (new.get("namespace"), new["name"]):
        yield (
            f"the record is named {_full_name(new)}, and {_full_name(old)} in {name}: neither "
            f"stream can read the other's records; keep the name"
        )
    before, after = _fields(old), _fields(new)
    for field, was in before.items():
        now = after.get(field)
        if now is None:
            yield _gone(field, name)
        elif now.type != was.type:
            yield _retyped(field, was, now, name)
        elif was.optional and not now.optional:
            yield _required(field, name)
        elif now.optional and not was.optional:
            yield (
                f"{field} is optional, and required in {name}: a stream with {name} cannot store "
                f"events without it; keep it required"
            )
    for field, now in after.items():
        if field not in before and not now.optional:
            yield _required(field, name)
    kept = [field for field in after if field in before]
    if list(after)[: len(kept)] != [field for field in before if field in after]:
        yield (
            f"the fields are in another order than in {name}: readers of parquet that go by "
            f"position, such as Presto and INSERT ... SELECT *, take one column for another; keep "
            f"the order, and put new fields last"
        )


def _full_name(schema: Schema) -> str:
    return ".".join(filter(None, (schema.get("namespace"), schema["name"])))


def _gone(field: str, name: str) -> str:
    return (
        f"{field} is gone, and {name} has it: producers that send it are refused, the stream "
        f"cannot store the {field} of records written with {name}, and readers of parquet lose "
        f"the column; keep the field, it may stay empty"
    )


def _retyped(field: str, was: _Field, now: _Field, name: str) -> str:
    return (
        f"{field} is {now.type}, and {was.type} in {name}: producers that send {was.type} are "
        f"refused, neither stream can read the other's records, and readers of parquet find two "
        f"types in one column; keep the type, and add a field of another name"
    )


def _required(field: str, name: str) -> str:
    return (
        f"{field} is required, and not in {name}: producers that leave it out are refused, and "
        f"the stream cannot read records written with {name}; make it optional"
    )


def _fields(schema: Schema) -> dict[str, _Field]:
    return {field["name"]: _field(field["type"]) for field in schema["fields"]}


def _field(avro_type: object) -> _Field:
    if isinstance(avro_type, list) and "null" in avro_type:
        others = [each for each in avro_type if each != "null"]
        return _Field(" or ".join(map(_words, others)), optional=True)
    return _Field(_words(avro_type), optional=False)


def _words(avro_type: object) -> str:
    if isinstance(avro_type, dict) and "logicalType" in avro_type:
        return str(avro_type["logicalType"])
    return avro_type if isinstance(avro_type, str) else json.dumps(avro_type, sort_keys=True)
