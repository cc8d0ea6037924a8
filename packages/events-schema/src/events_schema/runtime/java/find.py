"""Finds the Java that Spark and Kafka run on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from events_schema.runtime.errors import JavaNotFound

SUPPORTED_VERSIONS = (17, 21)
_EXPECTED = "install Java 17 or 21 (on Debian: openjdk-17-jre-headless) or set JAVA_HOME"


def find_java() -> Path:
    """Return the `java` of `JAVA_HOME`, or else the one on the `PATH`.

    Raises `JavaNotFound` if there is none, or if Spark 4 does not support its version.
    """
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if found is None:
        raise JavaNotFound(f"no java on the PATH; {_EXPECTED}")
    try:
        version = _major_version(found)
    except (OSError, subprocess.SubprocessError) as error:
        raise JavaNotFound(f"{found} cannot be run ({error}); {_EXPECTED}") from None
    if version not in SUPPORTED_VERSIONS:
        raise JavaNotFound(f"{found} is Java {version or 'of an unknown version'}; {_EXPECTED}")
    return Path(found)


@cache
def _major_version(java: str) -> int | None:
    answer = subprocess.run(
        [java, "-version"], capture_output=True, text=True, timeout=20, check=True
    )
    match = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    return int(match.group(1)) if match else None
