"""The contract that a command uses."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from events_schema.contract import Contract
from events_schema.loading import DEFAULT, ENVIRONMENT, load_contract
from events_schema.runtime.command import CommandSettings, Flag


class ContractSettings(CommandSettings):
    """Which contract the events follow."""

    flag_group: ClassVar[str | None] = "contract"

    contract: Annotated[str | None, Flag("MODULE:CLASS", default=DEFAULT, variable=ENVIRONMENT)] = (
        Field(default=None, description="the class that defines the events")
    )
    allow_unreleased: bool = Field(
        default=False,
        description="accept a class that differs from its newest release, to try it out",
    )

    @property
    def contract_name(self) -> str:
        """The contract to load, as MODULE:CLASS."""
        return DEFAULT if self.contract is None else self.contract

    def load_contract(self) -> Contract[Any]:
        """Return the contract. Raises `ContractError`, `ReleaseError` and `NotReleased`."""
        return load_contract(self.contract_name, allow_unreleased=self.allow_unreleased)
