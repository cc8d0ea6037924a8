"""Tests of each package as a wheel, in a clean environment with its declared dependencies."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

pytestmark = pytest.mark.extended

ROOT = Path(__file__).parent.parent
PACKAGES = ("schema", "ingest", "stream", "analytics", "loadgen")
UV = (sys.executable, "-m", "uv")

WITHOUT = {"schema": ("runtime", "tables", "spark", "testing"), "loadgen": ("line", "processes")}
"""The folders that need an extra."""

IMPORT_ALL = """
import importlib, pkgutil, {package} as package
for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    room = found.name.split(".")[1]
    if room != "__main__" and room not in ({without} or ()):
        importlib.import_module(found.name)
"""


def execute(*command: object) -> subprocess.CompletedProcess[str]:
    """Run a command outside this virtual environment."""
    inherited = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    return subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=inherited,
        timeout=400,
    )


def run(*command: object) -> str:
    """Run a command that must succeed; return what it printed."""
    done = execute(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def succeeds(*command: object) -> bool:
    """Return whether a command succeeds."""
    return execute(*command).returncode == 0


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of every package."""
    folder = tmp_path_factory.mktemp("wheels")
    for package in PACKAGES:
        run(
            sys.executable,
            "-m",
            "uv",
            "build",
            "--wheel",
            "-o",
            folder,
            f"packages/events-{package}",
        )
    return folder


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_installs_alone_and_its_command_runs(
    package: str, wheels: Path, tmp_path: Path
) -> None:
    """A wheel installs with its declared dependencies only, and its command and modules work."""
    run(*UV, "venv", tmp_path / "venv", "--python", sys.executable)
    python = tmp_path / "venv" / "bin" / "python"
    constraints = tmp_path / "constraints.txt"
    constraints.write_text(f"pyspark=={version('pyspark')}\n")  # 430 MB, downloaded once
    # fmt: off
    install = (
        *UV, "pip", "install", "--python", python, "--find-links", wheels, "--no-sources",
        "--constraint", constraints, f"events-{package}",
    )
    # fmt: on
    if not succeeds(*install, "--offline"):  # the cache has this environment's packages
        run(*install)
    command = tmp_path / "venv" / "bin" / f"events-{package}"
    assert run(command, "--version") == f"events-{package} {version(f'events-{package}')}\n"
    assert f"events-{package}" in run(command, "--help")
    for verb in {"schema": ["ddl"], "ingest": ["serve"], "loadgen": ["run", "simulate"]}.get(
        package, ["run"]
    ):
        assert run(command, verb, "--help")
    run(python, "-c", IMPORT_ALL.format(package=f"events_{package}", without=WITHOUT.get(package)))
    installed = run(*UV, "pip", "list", "--python", python)
    siblings = {name for name in PACKAGES if f"events-{name} " in installed}
    assert siblings == {"schema", package}
    assert (list((tmp_path / "venv/lib").glob(f"*/site-packages/events_{package}/py.typed"))) != []
