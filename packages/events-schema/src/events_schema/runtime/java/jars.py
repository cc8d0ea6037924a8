"""Downloads jars from Maven Central once, with PySpark's Ivy, and then uses them offline."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pyspark
from platformdirs import user_cache_path

from events_schema.runtime.errors import JarsNotResolved
from events_schema.runtime.java.find import find_java

TIMEOUT_SECONDS = 600


def resolve_jars(coordinates: Sequence[str], exclude: Sequence[str] = ()) -> list[Path]:
    """Return the jars of the `group:artifact:version` coordinates and all their dependencies.

    The first call downloads them (under a minute); later calls use the user's cache folder.
    `exclude` lists groups to leave out. Raises `JarsNotResolved` and `JavaNotFound`.
    """
    wanted = hashlib.sha256(repr((sorted(coordinates), sorted(exclude))).encode()).hexdigest()
    cache = user_cache_path("events")
    folder = cache / "jars" / wanted[:16]
    if not folder.is_dir():
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JarsNotResolved(
                f"cannot create {folder.parent}: {error.strerror}; set XDG_CACHE_HOME to a folder "
                f"that this user can write to"
            ) from None
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="resolving-") as scratch:
            _retrieve(coordinates, exclude, Path(scratch), cache / "ivy")
            _move_into_place(Path(scratch, "jars"), folder)
    return sorted(folder.glob("*.jar"))


def _move_into_place(jars: Path, folder: Path) -> None:
    try:
        jars.rename(folder)
    except OSError:
        if not folder.is_dir():  # otherwise another process has already stored the same jars
            raise


def _retrieve(
    coordinates: Sequence[str], exclude: Sequence[str], scratch: Path, ivy_cache: Path
) -> None:
    wanted = scratch / "ivy.xml"
    wanted.write_text(_ivy_file(coordinates, exclude), "utf-8")
    # fmt: off
    command = [
        str(find_java()), "-jar", str(_ivy_jar()), "-ivy", str(wanted), "-cache", str(ivy_cache),
        "-confs", "default", "-types", "jar", "bundle",
        "-retrieve", f"{scratch}/jars/[organisation]_[artifact]-[revision](-[classifier]).jar",
    ]
    # fmt: on
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise JarsNotResolved(
            f"no answer from Maven Central in {TIMEOUT_SECONDS} s for {', '.join(coordinates)}; "
            f"check the network, then try again"
        ) from None
    if done.returncode != 0:
        shutil.rmtree(scratch / "jars", ignore_errors=True)
        problems = [line.strip() for line in done.stdout.splitlines() if "::" not in line]
        raise JarsNotResolved(
            f"cannot fetch {', '.join(coordinates)} from Maven Central; check the network "
            f"({' '.join(problems)[-300:]}{done.stderr[-300:]})".replace(os.linesep, " ")
        )


def _ivy_jar() -> Path:
    jars = Path(pyspark.__file__).parent / "jars"
    return next(jars.glob("ivy-*.jar"))


def _ivy_file(coordinates: Sequence[str], exclude: Sequence[str]) -> str:
    dependencies = "".join(
        f"<dependency org={quoteattr(group)} name={quoteattr(artifact)} rev={quoteattr(version)}"
        ' conf="default->default"/>'
        for group, artifact, version in (each.split(":") for each in coordinates)
    )
    excludes = "".join(f"<exclude org={quoteattr(group)}/>" for group in exclude)
    return (
        '<ivy-module version="2.0"><info organisation="events" module="jars"/>'
        '<configurations><conf name="default"/></configurations>'
        f"<dependencies>{dependencies}{excludes}</dependencies></ivy-module>"
    )
