"""What a setting's annotation says about its flag."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Flag:
    """How `--help` shows a setting, as an `Annotated` marker: `Annotated[int, Flag("BYTES")]`.

    A marker of the setting itself wins over one of its type.
    """

    metavar: str | None = None
    """The placeholder of the value, in capitals; if None, it follows from the type."""
    default: str | None = None
    """What happens without the flag, in words; if None, the default value is shown."""
    variable: str | None = None
    """An environment variable that counts if neither the flag nor its own variable is set."""
    between: str = ","
    """What separates the values of a repeatable flag in its variable."""
    positional: bool = False
    """Whether the value is an argument without a flag's name."""
