"""The flags that every Spark job takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from events_schema.runtime.command import CommandSettings, Flag
from events_schema.runtime.flags import matching

_SETTING = re.compile(r"(spark\.[\w.\-]+)=(.*)", re.DOTALL)
_BETWEEN_SETTINGS = re.compile(r",(?=\s*spark\.[\w.\-]+=)")


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in _BETWEEN_SETTINGS.split(value) if part.strip())
    return value


_OURS = frozenset(
    {
        "spark.sql.session.timeZone",
        "spark.sql.parquet.outputTimestampType",
        "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs",
    }
)
"""What the tables' readers rely on: days are UTC days, times INT64, and all files parquet."""


def _check(value: tuple[str, ...]) -> tuple[str, ...]:
    for setting in value:
        match = _SETTING.fullmatch(setting)
        if match and match[1] in _OURS:
            raise PydanticCustomError(
                "our_setting",
                "{name} must not be set, because the tables depend on its value; leave it out",
                {"name": match[1]},
            )
        if not match:
            raise PydanticCustomError(
                "spark_setting",
                "{setting} is not a Spark setting; give spark.NAME=VALUE",
                {"setting": repr(setting)},
            )
    return value


SparkConf = Annotated[
    tuple[str, ...], BeforeValidator(_split), AfterValidator(_check), Flag("spark.NAME=VALUE")
]
"""Several `spark.NAME=VALUE`: a flag given several times, or one text with commas between them.

Values may contain commas: only a comma before the next `spark.NAME=` separates two settings.
"""


class SparkSettings(CommandSettings):
    """The settings of a command that runs on Spark."""

    flag_group: ClassVar[str | None] = "Spark"

    master: Annotated[str, Flag("URL")] = Field(
        default="local[*]", description="where Spark runs", min_length=1
    )
    driver_memory: Annotated[
        str, matching("[1-9][0-9]*[kmgtKMGT][bB]?", "a size, such as 512m or 4g"), Flag("SIZE")
    ] = Field(default="1g", description="the heap of Spark's Java process")
    conf: SparkConf = Field(
        default=(), description="another Spark setting; repeatable, and wins over the flags above"
    )

    def session_settings(self) -> Mapping[str, str]:
        """Return the Spark settings that the flags ask for, `conf` last."""
        given = (_SETTING.fullmatch(setting) for setting in self.conf)
        chosen = {match[1]: match[2] for match in given if match}
        return {"spark.driver.memory": self.driver_memory, **chosen}
