"""The names of versions and of their files."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

_VERSION = r"v\d{8}T\d{12}Z_[0-9a-f]{8}"
_FILE = re.compile(rf"({_VERSION})-\d{{5,}}\.parquet", re.ASCII)
_NAME = re.compile(_VERSION, re.ASCII)
_TIME_FORMAT = "v%Y%m%dT%H%M%S%fZ"


def new_version(now: datetime, existing: Iterable[str] = ()) -> str:
    """Return a name for a version created at `now` (UTC) that sorts after all `existing` ones.

    The name is a valid identifier, for example `v20261124T120000123456Z_3f2a91c0`.
    """
    time = now.strftime(_TIME_FORMAT)
    newest = max((version.partition("_")[0] for version in existing), default="")
    if newest >= time:  # the clock stepped back
        time = (_time(newest) + timedelta(microseconds=1)).strftime(_TIME_FORMAT)
    return f"{time}_{secrets.token_hex(4)}"


def _time(text: str) -> datetime:
    return datetime.strptime(text, _TIME_FORMAT).replace(tzinfo=UTC)


def is_version(name: str) -> bool:
    """Return whether `name` has the form of `new_version`'s names."""
    return _NAME.fullmatch(name) is not None


def file_name(version: str, number: int) -> str:
    """Return the name of the version's file number `number`."""
    return f"{version}-{number:05}.parquet"


def version_of_file(name: str) -> str | None:
    """Return the version in a file's name, or None for a name not from `file_name`."""
    match = _FILE.fullmatch(name)
    return match[1] if match else None
