"""`events-schema`: prints what is derived from the models."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version

from events_schema.avro import avro_schema, released_schemas
from events_schema.ddl import ddl
from events_schema.event import EnrichedEvent, StoredEvent
from events_schema.json_schema import json_schema


def _fingerprints() -> str:
    return "\n".join(
        f"{written_with.hex()} {schema['name']}{' (current)' if schema == avro_schema() else ''}"
        for written_with, schema in released_schemas().items()
    )


_OUTPUTS: Mapping[str, tuple[str, Callable[[], str]]] = {
    "avro": (
        "the Avro schema of a Kafka record, to be released as it stands",
        lambda: json.dumps(avro_schema(), indent=2),
    ),
    "fingerprints": (
        "the CRC-64-AVRO fingerprint of every released schema, as on the wire",
        _fingerprints,
    ),
    "json-schema": (
        "the JSON Schema of what a client posts",
        lambda: json.dumps(json_schema(), indent=2),
    ),
    "ddl": (
        "SQL for the raw and the enriched table",
        lambda: f"{ddl(StoredEvent, 'raw_events')}\n\n{ddl(EnrichedEvent, 'enriched_events')}",
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="events-schema",
        description="Print what is derived from the contract of the events pipeline.",
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {version('events-schema')}"
    )
    outputs = parser.add_subparsers(dest="output", required=True, metavar="OUTPUT")
    for name, (summary, _) in _OUTPUTS.items():
        outputs.add_parser(name, help=summary, description=f"Print {summary}.")
    _, produce = _OUTPUTS[parser.parse_args(arguments).output]
    print(produce())
    return 0
