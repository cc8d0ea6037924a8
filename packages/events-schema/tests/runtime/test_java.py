"""Which Java versions are accepted and refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from events_schema.runtime.errors import JavaNotFound
from events_schema.runtime.java.find import find_java


def _fake_java(folder: Path, version_line: str) -> None:
    java = folder / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\necho '{version_line}' >&2\n")
    java.chmod(java.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize("line", ['openjdk version "1.8.0_402"', 'openjdk version "11.0.2"', "?"])
def test_a_java_that_spark_does_not_run_on_is_refused(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says what was found and what is expected."""
    _fake_java(tmp_path, line)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(JavaNotFound, match="install Java 17 or 21"):
        find_java()


def test_no_java_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error is raised if neither JAVA_HOME nor the PATH has a Java."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(JavaNotFound, match="no java on the PATH"):
        find_java()


def test_java_21_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JAVA_HOME comes before the PATH."""
    _fake_java(tmp_path, 'openjdk version "21.0.1" 2023-10-17')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert find_java() == tmp_path / "bin" / "java"
