"""What settings say about their flags."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import pytest
from pydantic import Field

from events_schema.runtime.command import CommandSettings, Flag, options_of
from events_schema.runtime.flags import Bytes, Duration


class Size(StrEnum):
    """How large."""

    SMALL = "small"
    LARGE = "large"


class BaseSettings(CommandSettings):
    """What two commands share."""

    flag_group: ClassVar[str | None] = "shared"

    moved: int = Field(default=1, description="declared again below")
    shared: float = Field(default=10.0, description="a number")


class ShowSettings(BaseSettings):
    """Show."""

    flag_group: ClassVar[str | None] = None

    moved: int = Field(default=2, description="first")
    size: Size = Field(default=Size.SMALL, description="how large")
    kind: Annotated[Literal["html", "json"] | None, Flag(default="html")] = Field(
        default=None, description="what kind"
    )
    limit: Annotated[Bytes | None, Flag(default="no limit")] = Field(default=None)
    own: Annotated[Bytes, Flag("MEBIBYTES")] = Field(default=1)
    window: Duration = Field(default=timedelta(hours=3))
    day: Duration = Field(default=timedelta(days=1))
    file: Path | None = Field(default=None)
    missing: str = Field(description="without a default")


@pytest.mark.parametrize(
    ("field", "metavar", "default"),
    [
        ("moved", "N", "2"),
        ("shared", "N", "10"),
        ("size", "small|large", "small"),
        ("kind", "html|json", "html"),
        ("limit", "BYTES", "no limit"),
        ("own", "MEBIBYTES", "1"),
        ("window", "DURATION", "3 hours"),
        ("day", "DURATION", "1 day"),
        ("file", "FILE", None),
        ("missing", "TEXT", None),
        ("verbose", None, None),
    ],
)
def test_a_flag_has_one_placeholder_and_at_most_one_default(
    field: str, metavar: str | None, default: str | None
) -> None:
    """Both follow from the type and the value, unless an annotation says otherwise."""
    options = {option.field: option for option in options_of(ShowSettings, "events-test show")}
    assert (options[field].metavar, options[field].default) == (metavar, default)
    assert options[field].variables == (f"EVENTS_TEST_{field.upper()}",)
    assert options[field].required == (field == "missing")


def test_flags_are_grouped_by_the_class_that_declares_them_last() -> None:
    """The command's own come first, and a field that is declared again moves to them."""
    options = options_of(ShowSettings, "events-test show")
    groups = list(dict.fromkeys(option.group for option in options))
    assert groups == [None, "shared", "general"]
    assert [option.field for option in options if option.group == "shared"] == ["shared"]
