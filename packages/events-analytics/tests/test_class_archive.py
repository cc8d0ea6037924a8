"""Java's classes in an archive: made by the first run, used by the next."""

import subprocess
import sys
from pathlib import Path

import pytest

from events_analytics.class_archive import open_archive
from events_analytics.errors import ArchiveRefused
from events_schema.java import find_java

SECONDS = 400


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


def test_a_run_makes_the_archive(tmp_path: Path) -> None:
    """The command leaves one archive and nothing unfinished, and publishes."""
    folder = tmp_path / "classes"
    command = [
        sys.executable, "-m", "events_analytics", "run", "--allow-empty",
        "--source", str(tmp_path), "--target", str(tmp_path.with_name("enriched")),
        "--class-archive", str(folder),
        "--conf", "spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("published 0 rows")
    (archive,) = folder.iterdir()
    assert archive.suffix == ".jsa"
