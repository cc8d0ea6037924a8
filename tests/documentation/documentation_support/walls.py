"""Shuts this process in a copy of the machine: own network, own processes, files to throw away."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import struct
import subprocess
from pathlib import Path

_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_KERNEL = ("proc", "sys", "dev")


def shut_in(folder: Path, checkout: Path) -> None:
    """Change to a root where everything is as it was, and all that is written stays in memory.

    It is for a process in namespaces of its own, where it is root. `folder` is an empty folder.
    `/data` and `/etc/events` are new and empty, and `kafka` is this host. Raises `OSError` and
    `CalledProcessError` if that is not permitted.
    """
    _bring_up_loopback()
    mounted = _mounted_folders()
    _mount("-t", "tmpfs", "tmpfs", folder)
    root = folder / "root"
    root.mkdir()
    _overlay(Path("/"), root, folder / "written")
    for name in _KERNEL:
        _mount("--rbind", f"/{name}", root / name)
    for number, path in enumerate(mounted):
        _overlay(path, _below(root, path), folder / f"written-{number}")
    if not _is_below(checkout, mounted):
        _overlay(checkout, _below(root, checkout), folder / "written-checkout")
    hosts = Path("/etc/hosts").read_text("utf-8")
    os.chroot(root)
    os.chdir("/")
    Path("/etc/hosts").write_text(f"{hosts}\n127.0.0.1 kafka\n", "utf-8")
    for path in (Path("/data"), Path("/etc/events")):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)


def _bring_up_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", _IFF_UP))


def _mounted_folders() -> list[Path]:
    """Return the folders that other file systems are mounted on."""
    lines = Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
    points = {
        re.sub(r"\\(\d{3})", lambda it: chr(int(it[1], 8)), each.split()[4]) for each in lines
    }
    paths = sorted(Path(point) for point in points)
    return [path for path in paths if path.is_dir() and path.parts[1:2] not in _KERNEL_PARTS]


_KERNEL_PARTS = [(), *((name,) for name in _KERNEL)]


def _is_below(path: Path, folders: list[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _overlay(lower: Path, target: Path, written: Path) -> None:
    upper, work = written / "upper", written / "work"
    upper.mkdir(parents=True)
    work.mkdir()
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    _mount("-t", "overlay", "-o", options, "overlay", target)


def _mount(*words: str | Path) -> None:
    subprocess.run(["mount", *map(str, words)], check=True)
