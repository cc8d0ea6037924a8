"""The settings of the verbs of `events-schema`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from events_schema.contract import Contract
from events_schema.loading import DEFAULT, ENVIRONMENT, find_contract
from events_schema.runtime.command import CommandSettings, Flag


class FoundContractSettings(CommandSettings):
    """Which contract to work on, released or not."""

    flag_group: ClassVar[str | None] = "contract"

    contract: Annotated[str, Flag("MODULE:CLASS", variable=ENVIRONMENT)] = Field(
        default=DEFAULT, description="the class that defines the events"
    )

    def find_contract(self) -> Contract[Any]:
        """Return the contract. Raises `ContractError` and `ReleaseError`."""
        return find_contract(self.contract)


class AvroSettings(FoundContractSettings):
    """Print the Avro schema of a Kafka record."""


class FingerprintsSettings(FoundContractSettings):
    """Print the CRC-64-AVRO fingerprint of every released schema, as on the wire."""


class JsonSchemaSettings(FoundContractSettings):
    """Print the JSON Schema of what a client posts."""


class DdlSettings(FoundContractSettings):
    """Print standard SQL with the columns of the raw and the enriched table.

    It creates empty tables. To query the stored events in an engine, use `events-analytics ddl`.
    """


class CheckSettings(FoundContractSettings):
    """Compare the class with every release, and say what breaks and who is affected.

    It exits with 0 if all is well, and with 1 if a release is missing or a change breaks.
    """

    flag_group: ClassVar[str | None] = None

    against: Annotated[Path | None, Flag(default="the releases")] = Field(
        default=None, description="compare with the Avro schema in this file instead"
    )
    allow_unreleased: bool = Field(
        default=False, description="exit with 0 even if a change is not released yet"
    )


class ReleaseSettings(FoundContractSettings):
    """Freeze the class as the next version, in a file next to its module."""

    flag_group: ClassVar[str | None] = None

    version: Annotated[str, Flag("VERSION", positional=True)] = Field(
        description="X.Y.Z, above all other versions; `events-schema check` proposes one"
    )
