"""Released schemas never change, and every change of the model fits all of them."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from importlib import resources
from typing import Any

import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse

from events_schema import avro_schema, fingerprint, released_schemas

Schema = dict[str, Any]

SHA256_OF_RELEASED = {
    "1.0.0.avsc": "869e101a91b08cc547f6aea5269b32d6acca7e4094649addf9d82b88883378f0",
}
"""Add a line for each release; never change one."""


def defects(current: Schema, released: list[Schema]) -> list[str]:
    """Say what keeps `current` from being written to a topic that `released` were written to."""
    found = []
    if current not in released:
        if fingerprint(current) in map(fingerprint, released):
            found.append("fingerprint exists already")
        else:
            found.append("not released")
    for old in released:
        for reader, writer in ((current, old), (old, current)):
            if not _reads(reader, writer):
                found.append(f"incompatible: {fingerprint(reader).hex()} cannot read the other")
    return found


def _reads(reader: Schema, writer: Schema) -> bool:
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    checked = checker.get_compatibility(parse(json.dumps(reader)), parse(json.dumps(writer)))
    return bool(checked.compatibility is SchemaCompatibilityType.compatible)


def test_the_current_schema_is_released_and_fits_every_released_one() -> None:
    """The model of today writes what every reader since 1.0.0 reads, and reads what they wrote."""
    assert defects(avro_schema(), list(released_schemas().values())) == []


def test_no_released_file_was_edited() -> None:
    """Each released file is, to the byte, what was released; none is missing or unknown."""
    folder = resources.files("events_schema") / "released"
    assert {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()
    } == SHA256_OF_RELEASED


def _retype(schema: Schema) -> None:
    schema["fields"][3]["type"] = "string"


def _require(schema: Schema) -> None:
    schema["fields"].append({"name": "session", "type": "string"})


def _drop(schema: Schema) -> None:
    del schema["fields"][3]


def _rename(schema: Schema) -> None:
    schema["fields"][4]["name"] = "application"


def _coarsen(schema: Schema) -> None:
    schema["fields"][1]["type"]["logicalType"] = "timestamp-millis"


def _add_optional(schema: Schema) -> None:
    schema["fields"].append({"name": "session", "type": ["null", "string"], "default": None})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_retype, "incompatible"),
        (_require, "incompatible"),
        (_drop, "incompatible"),
        (_rename, "incompatible"),
        (_coarsen, "fingerprint exists already"),
        (_add_optional, "not released"),
    ],
)
def test_a_change_that_would_break_someone_is_noticed(
    change: Callable[[Schema], None], expected: str
) -> None:
    """Each kind of breaking change is refused; an optional field only wants to be released."""
    changed = copy.deepcopy(avro_schema())
    change(changed)
    found = defects(changed, list(released_schemas().values()))
    assert any(defect.startswith(expected) for defect in found)
    if change is _add_optional:
        assert found == ["not released"]
