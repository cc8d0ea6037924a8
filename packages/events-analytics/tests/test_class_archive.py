"""Java's classes in an archive: made by one run, used by the next."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from events_analytics import class_archive
from events_analytics.class_archive import find_archive, open_archive
from events_analytics.errors import ArchiveRefused
from events_schema.runtime.java.find import find_java
from line_support.processes import wait_until_ended

SECONDS = 400


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder."""
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def java(*options: str) -> str:
    """Return what Java says of its version, run with `options`."""
    done = subprocess.run(
        [str(find_java()), *options, "-Xshare:auto", "-version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
    )
    return done.stdout + done.stderr


def test_the_first_makes_it_and_the_next_uses_it(tmp_path: Path) -> None:
    """Java makes the archive when it ends; the next Java starts from it."""
    folder = tmp_path / "classes" / "here"
    first = open_archive(folder)
    assert first.making
    java(*first.java_options())
    assert not first.file.exists()
    first.keep()
    assert [path.name for path in folder.iterdir()] == [first.file.name]
    assert folder.stat().st_mode & 0o777 == 0o700
    second = open_archive(folder)
    assert not second.making
    java(*second.java_options(), "-Xshare:on")  # which fails where the archive cannot be used


def test_another_java_makes_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive is not taken for that of another Java."""
    first = open_archive(tmp_path / "classes")
    home = tmp_path / "java"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "java").write_text(f'#!/bin/sh\nexec {find_java()} "$@"\n')
    (home / "bin" / "java").chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert open_archive(tmp_path / "classes").file != first.file


def test_what_java_did_not_finish_is_removed(tmp_path: Path) -> None:
    """What is unfinished neither becomes the archive nor stays."""
    archive = open_archive(tmp_path / "classes")
    (option,) = (each for each in archive.java_options() if "ArchiveClassesAtExit" in each)
    Path(option.partition("=")[2]).write_bytes(b"half")
    archive.discard()
    assert list((tmp_path / "classes").iterdir()) == []
    archive.keep()
    archive.discard()


def test_folders_that_others_can_write_are_refused(tmp_path: Path) -> None:
    """A folder that others can write, that cannot be made, or that Java's options cannot hold."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    for folder, said in (
        (shared, "only this user can write"),
        (Path("/dev/null/x"), "cannot make class archive folder"),
        (tmp_path / "a b", "holds a blank"),
    ):
        with pytest.raises(ArchiveRefused, match=said):
            open_archive(folder)


def test_without_room_none_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder on a full disk is refused, unless the archive is there."""
    monkeypatch.setattr(class_archive, "ROOM_BYTES", 1 << 60)
    with pytest.raises(ArchiveRefused, match=r"has room for \d+ MiB"):
        open_archive(tmp_path)
    monkeypatch.setattr(class_archive, "ROOM_BYTES", 0)
    open_archive(tmp_path).file.touch()
    monkeypatch.setattr(class_archive, "ROOM_BYTES", 1 << 60)
    assert not open_archive(tmp_path).making


def test_archives_that_nobody_uses_go(tmp_path: Path) -> None:
    """When one is made, those go that no run has used for a month; what is not ours stays."""
    archive = open_archive(tmp_path)
    made = Path(archive.java_options()[0].partition("=")[2])
    used, unused, other = (tmp_path / f"{name}.jsa" for name in ("0" * 16, "a" * 16, "classes"))
    for path in (used, unused, other, made):
        path.touch()
    for path in (unused, other):
        os.utime(path, (0, 0))
    assert archive.keep()
    assert set(tmp_path.iterdir()) == {used, other, archive.file}
    os.utime(archive.file, (0, 0))
    assert not open_archive(tmp_path).making
    assert archive.file.stat().st_mtime > 0  # which tells that it is in use


def test_what_a_killed_run_left_goes(tmp_path: Path) -> None:
    """What no Java has written to for an hour is removed by the next run."""
    left, fresh, other = (
        tmp_path / f"{name}.unfinished" for name in ("0" * 16 + ".1", "0" * 16 + ".2", "x.3")
    )
    for path in (left, fresh, other):
        path.touch()
    os.utime(left, (0, 0))
    os.utime(other, (0, 0))
    open_archive(tmp_path)
    assert set(tmp_path.iterdir()) == {fresh, other}


def test_by_itself_the_second_run_makes_it(cache: Path) -> None:
    """Who runs once does not pay; where the making fails, it is tried again a day later."""
    found = [find_archive("auto", "local[*]") for _ in range(4)]
    assert [archive and archive.making for archive in found] == [None, True, None, None]
    (tried,) = (cache / "events" / "classes").glob("*.tried")
    os.utime(tried, (0, 0))
    archive = find_archive("auto", "local[*]")
    assert archive is not None
    assert archive.making
    assert archive.file.parent == cache / "events" / "classes"
    archive.file.touch()
    again = find_archive("auto", "local[*]")
    assert again is not None
    assert not again.making


def test_by_itself_none_is_made_where_it_cannot_be(cache: Path) -> None:
    """Nobody asked, so nothing is refused."""
    (cache / "events").write_text("not a folder")
    assert [find_archive("auto", "local[*]") for _ in range(3)] == [None, None, None]


def test_it_is_for_a_java_of_this_machine(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere, where Java is there already, or where it is off, there is none."""
    for choice, master in (("off", "local[*]"), ("auto", "spark://host:7077")):
        assert [find_archive(choice, master) for _ in range(3)] == [None, None, None]
    with pytest.raises(ArchiveRefused, match="leave it out with --master spark://host:7077"):
        find_archive(str(tmp_path / "classes"), "spark://host:7077")
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    assert [find_archive("auto", "local[*]") for _ in range(3)] == [None, None, None]
    with pytest.raises(ArchiveRefused, match="under spark-submit"):
        find_archive(str(tmp_path / "classes"), "local[*]")
    assert list(tmp_path.iterdir()) == [cache]
    assert list(cache.iterdir()) == []


@contextmanager
def run(tmp_path: Path, *flags: str, java: str = "") -> Iterator[subprocess.Popen[str]]:
    """Run the command on no rows as a process of its own, ended at the end."""
    command = [
        sys.executable, "-m", "events_analytics", "run", "--allow-empty",
        "--source", str(tmp_path), "--target", str(tmp_path.with_name("enriched")),
        "--conf", f"spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1 {java}", *flags,
    ]  # fmt: skip
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_run_makes_the_archive(tmp_path: Path, cache: Path) -> None:
    """The second run leaves one archive and nothing unfinished, says so, and publishes."""
    find_archive("auto", "local[*]")  # as a first run does
    with run(tmp_path, "--class-archive", "auto") as process:
        out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    assert out.startswith("published 0 rows")
    (line,) = err.splitlines()
    assert "keeping Java's classes" in line
    (archive,) = (cache / "events" / "classes").glob("*.jsa")
    left = {path.suffix for path in archive.parent.iterdir()}
    assert left == {".jsa", ".asked", ".tried"}


def test_a_run_that_is_ended_while_it_makes_the_archive_has_published(tmp_path: Path) -> None:
    """A signal then ends the making alone."""
    folder = tmp_path / "classes"
    with run(tmp_path, "--class-archive", str(folder)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("published 0 rows")
        assert "keeping Java's classes" in process.stderr.readline()
        processes = psutil.Process(process.pid).children(recursive=True)
        assert processes
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out, err) == (0, "", "")
    assert list(folder.iterdir()) == []
    wait_until_ended(processes)


def test_a_run_whose_java_makes_none_publishes(tmp_path: Path) -> None:
    """Java starts with an agent, or makes an archive; then without one."""
    agent = "-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,quiet=y,address=127.0.0.1:0"
    folder = tmp_path / "classes"
    with run(tmp_path, "--class-archive", str(folder), java=agent) as process:
        out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    assert "published 0 rows" in out
    (line,) = err.splitlines()
    assert "Java cannot keep its classes" in line
    assert list(folder.iterdir()) == []
