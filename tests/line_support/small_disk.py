"""A small file system that tests fill up."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

MEBIBYTE = 1 << 20


def mount(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `mount` with `arguments`."""
    return subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a file system of `size` at `folder`; skip the test if mounting is not allowed."""
    folder.mkdir()
    mounted = mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    if mounted.returncode != 0 and not os.environ.get("CI"):
        pytest.skip(f"not allowed to mount a file system: {mounted.stderr.strip()}")
    assert mounted.returncode == 0, mounted.stderr
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> None:
    """Fill the disk completely."""
    with (disk / "filler").open("ab", buffering=0) as file, suppress(OSError):
        for size in (MEBIBYTE, 4096, 1):
            with suppress(OSError):
                while True:
                    file.write(b"x" * size)
