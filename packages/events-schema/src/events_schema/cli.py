"""`events-schema`: prints what is derived from a contract, checks it, and releases it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from events_schema.avro import fingerprint
from events_schema.evolution.check import check_against, check_contract, release_contract
from events_schema.runtime.command import Command, Verb
from events_schema.settings import (
    AvroSettings,
    CheckSettings,
    DdlSettings,
    FingerprintsSettings,
    JsonSchemaSettings,
    ReleaseSettings,
)
from events_schema.sql import ddl


def avro(settings: AvroSettings) -> None:
    """Print the Avro schema of a Kafka record."""
    print(json.dumps(settings.find_contract().avro_schema, indent=2))


def fingerprints(settings: FingerprintsSettings) -> None:
    """Print the fingerprint and the name of every release, and which one is current."""
    contract = settings.find_contract()
    current = fingerprint(contract.avro_schema)
    known = {release.fingerprint: str(release) for release in contract.releases}
    known.setdefault(current, f"{contract.event.__name__}, not released")
    for written_with, name in known.items():
        print(f"{written_with.hex()} {name}{' (current)' if written_with == current else ''}")


def json_schema(settings: JsonSchemaSettings) -> None:
    """Print the JSON Schema of what a client posts."""
    print(json.dumps(settings.find_contract().json_schema(), indent=2))


def print_ddl(settings: DdlSettings) -> None:
    """Print SQL for both tables."""
    contract = settings.find_contract()
    print(ddl(contract.stored, "raw_events"), ddl(contract.enriched, "enriched_events"), sep="\n\n")


def check(settings: CheckSettings) -> int:
    """Print what changed; return 1 if it does not fit."""
    contract = settings.find_contract()
    if settings.against is not None:
        verdict = check_against(contract, settings.against)
    else:
        verdict = check_contract(contract, allow_unreleased=settings.allow_unreleased)
    print("\n".join(verdict.lines))
    return 0 if verdict.fits else 1


def release(settings: ReleaseSettings) -> None:
    """Write the release and print its name."""
    contract = settings.find_contract()
    print(f"released {contract.name} as {release_contract(contract, settings.version)}")


_HERE = "events_schema.cli"
COMMAND = Command(
    "events-schema",
    "Prints what is derived from the contract of the events, checks it, and releases it.",
    {
        "avro": Verb(AvroSettings, f"{_HERE}:avro", "events-schema avro"),
        "fingerprints": Verb(
            FingerprintsSettings, f"{_HERE}:fingerprints", "events-schema fingerprints"
        ),
        "json-schema": Verb(
            JsonSchemaSettings, f"{_HERE}:json_schema", "events-schema json-schema"
        ),
        "ddl": Verb(
            DdlSettings, f"{_HERE}:print_ddl", "events-schema ddl --contract acme_events:AcmeEvent"
        ),
        "check": Verb(
            CheckSettings, f"{_HERE}:check", "events-schema check --contract acme_events:AcmeEvent"
        ),
        "release": Verb(
            ReleaseSettings,
            f"{_HERE}:release",
            "events-schema release 1.1.0 --contract acme_events:AcmeEvent",
        ),
    },
    logs=False,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return COMMAND.run(arguments)
