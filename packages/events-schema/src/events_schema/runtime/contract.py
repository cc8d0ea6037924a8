"""The contract that a command works with."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from pydantic import Field

from events_schema.contract import Contract
from events_schema.errors import ReleaseError
from events_schema.evolution.comparison import breaks
from events_schema.loading import DEFAULT, ENVIRONMENT, load_contract
from events_schema.runtime.command import CommandSettings


def _default() -> str:
    return os.environ.get(ENVIRONMENT) or DEFAULT


class ContractSettings(CommandSettings):
    """Which contract the events are of."""

    flag_group: ClassVar[str | None] = "contract"

    contract: str = Field(
        default_factory=_default,
        description=f"the class of the events, MODULE:CLASS ({ENVIRONMENT}; default: {DEFAULT})",
    )
    allow_unreleased: bool = Field(
        False, description="take a class that differs from its newest release, to try it out"
    )

    def load_contract(self) -> Contract[Any]:
        """Return the contract.

        Raises `ContractError`, `NotReleased`, and `ReleaseError`: also for a class that breaks a
        release, since records that are on the topic could not be stored.
        """
        contract = load_contract(self.contract, allow_unreleased=self.allow_unreleased)
        for release in contract.releases:
            for broken in breaks(release.schema, str(release), contract.avro_schema):
                raise ReleaseError(f"contract {contract.name}: {broken}")
        return contract
