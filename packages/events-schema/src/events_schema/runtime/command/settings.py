"""The settings of a command."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field


class CommandSettings(BaseModel):
    """The settings of one command: each field is a flag and an environment variable.

    The docstring is the command's help. A class whose flags belong together sets `flag_group`, and
    `--help` lists them under that title; the flags of a class without one come first. A subclass
    that declares a field again moves its flag to the subclass's group.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    flag_group: ClassVar[str | None] = "general"

    verbose: bool = Field(default=False, description="log more, and show stack traces of errors")
