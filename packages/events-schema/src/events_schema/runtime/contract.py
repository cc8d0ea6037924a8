"""The contract that a command works with."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from pydantic import Field

from events_schema.contract import Contract
from events_schema.loading import DEFAULT, ENVIRONMENT, load_contract
from events_schema.runtime.command import CommandSettings


class ContractSettings(CommandSettings):
    """Which contract the events are of."""

    flag_group: ClassVar[str | None] = "contract"

    contract: str | None = Field(
        None,
        description=f"the events' class, MODULE:CLASS; else ${ENVIRONMENT}, else {DEFAULT}",
    )
    allow_unreleased: bool = Field(
        False, description="take a class that differs from its newest release, to try it out"
    )

    @property
    def given_contract(self) -> str | None:
        """The contract that a flag or the environment names; None where neither does."""
        return os.environ.get(ENVIRONMENT) or None if self.contract is None else self.contract

    @property
    def contract_name(self) -> str:
        """The contract to load, as MODULE:CLASS."""
        given = self.given_contract
        return DEFAULT if given is None else given

    def load_contract(self) -> Contract[Any]:
        """Return the contract. Raises `ContractError`, `ReleaseError` and `NotReleased`."""
        return load_contract(self.contract_name, allow_unreleased=self.allow_unreleased)
