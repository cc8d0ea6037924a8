"""Publishing (without Spark) shows one complete version at any moment, whatever is killed."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from events_analytics.versions.manifest import FileRows, Manifest
from events_analytics.versions.names import file_name, is_version, version_of_file
from events_analytics.versions.publish import Versions, open_versions
from events_schema.runtime import files as files_module
from events_schema.runtime.errors import AlreadyLocked, PublishError
from events_schema.tables.paths import TablePaths

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FILES = 3


@pytest.fixture
def paths(tmp_path: Path) -> TablePaths:
    """A table that does not exist yet."""
    return TablePaths.at(str(tmp_path / "enriched"))


def stage(versions: Versions, files: int = FILES) -> Manifest:
    """Write a version's staging folder, with files named like Spark's."""
    version = versions.new(datetime.now(UTC))
    folder = versions.staging(version)
    folder.mkdir()
    for number in range(files):
        part = folder / f"part-{number}.parquet"
        part.write_text(version)
        part.rename(folder / file_name(version, number))
    return Manifest(
        version=version,
        created_time=NOW,
        processing_time=NOW,
        rows=files,
        users=1,
        files=tuple(FileRows(name=file_name(version, n), rows=1) for n in range(files)),
        source="raw",
        raw_files=(FileRows(name="a.parquet", rows=files),),
    )


def publish(paths: TablePaths, keep: int = 1) -> str:
    """Publish a new version as a run does; return its name."""
    with open_versions(paths) as versions:
        manifest = stage(versions)
        versions.publish(manifest, keep)
        return manifest.version


def listing(folder: Path) -> set[str]:
    """Return the names in a folder, from one listing."""
    return {entry.name for entry in folder.iterdir()}


def complete(version: str) -> set[str]:
    """Return the names of a version's files."""
    return {file_name(version, number) for number in range(FILES)}


def beside(paths: TablePaths, *old: str, current: str) -> set[str]:
    """Return the entries of the versions' folder if nothing is left over."""
    return {"lock", f"{current}.json", *old, *(f"{version}.json" for version in old)}


def test_the_first_version_becomes_the_target(paths: TablePaths) -> None:
    """If there is no target, the staging folder becomes the target, and the manifest stays."""
    version = publish(paths)
    assert listing(paths.target) == complete(version)
    assert listing(paths.versions) == beside(paths, current=version)
    manifest = Manifest.model_validate_json((paths.versions / f"{version}.json").read_bytes())
    assert manifest.version == version
    assert not paths.target.is_symlink()


def test_missing_parent_folders_of_the_target_are_created(tmp_path: Path) -> None:
    """All missing parent folders are created."""
    paths = TablePaths.at(str(tmp_path / "a" / "b" / "enriched"))
    version = publish(paths)
    assert listing(paths.target) == complete(version)


@pytest.mark.parametrize("keep", [0, 1, 2])
def test_the_newest_old_versions_are_kept(paths: TablePaths, keep: int) -> None:
    """The given number of old versions stay, complete and with their manifests."""
    published = [publish(paths, keep) for _ in range(4)]
    kept = published[3 - keep : 3]
    assert listing(paths.target) == complete(published[3])
    assert listing(paths.versions) == beside(paths, *kept, current=published[3])
    for version in kept:
        assert listing(paths.versions / version) == complete(version)


def test_an_empty_target_is_replaced(paths: TablePaths) -> None:
    """An existing empty folder becomes the table, and nothing is left over."""
    paths.target.mkdir()
    version = publish(paths)
    assert listing(paths.target) == complete(version)
    assert listing(paths.versions) == beside(paths, current=version)


def test_a_failing_run_leaves_the_old_version(paths: TablePaths) -> None:
    """An error between staging and publishing keeps the old version and deletes the new one."""
    old = publish(paths)

    def run() -> None:
        with open_versions(paths) as versions:
            stage(versions)
            raise RuntimeError("Spark failed")

    with pytest.raises(RuntimeError):
        run()
    assert listing(paths.target) == complete(old)
    assert listing(paths.versions) == beside(paths, current=old)


def test_a_second_run_refuses(paths: TablePaths) -> None:
    """While one run has the lock, another is refused with exit code 3."""
    with (
        open_versions(paths),
        pytest.raises(AlreadyLocked, match=f"process {os.getpid()}") as refused,
        open_versions(paths),
    ):
        pass
    assert refused.value.exit_code == 3


def test_foreign_files_are_refused(paths: TablePaths) -> None:
    """A target with a foreign file, folder or version is refused and not changed."""
    for make in (
        (paths.target / "notes.txt").touch,
        (paths.target / "part-0.parquet").touch,
        (paths.target / "event_date=2026-11-24").mkdir,
        (paths.target / file_name("v20261124T120000000000Z_01234567", 0)).touch,
    ):
        paths.target.mkdir()
        make()
        before = listing(paths.target)
        with (
            pytest.raises(PublishError, match=r"did not write|does not know"),
            open_versions(paths),
        ):
            pass
        assert listing(paths.target) == before
        assert not paths.versions.exists()
        for entry in paths.target.iterdir():
            entry.rmdir() if entry.is_dir() else entry.unlink()
        paths.target.rmdir()


def test_files_that_appear_during_a_run_are_refused(paths: TablePaths) -> None:
    """A foreign file that is added to the target during a run stops the publishing."""
    old = publish(paths)
    with open_versions(paths) as versions:
        manifest = stage(versions)
        (paths.target / "notes.txt").touch()
        with pytest.raises(PublishError, match="did not write"):
            versions.publish(manifest, 1)
    assert listing(paths.target) == complete(old) | {"notes.txt"}


def test_other_files_beside_the_versions_stay(paths: TablePaths) -> None:
    """Other files in the versions' folder are not touched."""
    publish(paths)
    (paths.versions / "notes.txt").touch()
    publish(paths)
    assert "notes.txt" in listing(paths.versions)


@pytest.mark.parametrize("target", ["/dev/null/x", "/proc/x"])
def test_an_unwritable_target_is_refused(target: str) -> None:
    """A target where no folder can be created is refused in one line."""
    with pytest.raises(PublishError, match="cannot write"), open_versions(TablePaths.at(target)):
        pass


@contextmanager
def without_privileges() -> Iterator[None]:
    """Become the user nobody if this process is root, because root may write anywhere."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_read_only_folder_is_refused() -> None:
    """A target in a read-only folder is refused before the work."""
    with TemporaryDirectory() as parent:  # not `tmp_path`, which only root may read
        Path(parent).chmod(0o555)
        paths = TablePaths.at(f"{parent}/enriched")
        refused = pytest.raises(PublishError, match="cannot write")
        with without_privileges(), refused, open_versions(paths):
            pass
        assert list(Path(parent).iterdir()) == []


def test_readers_see_one_complete_version(paths: TablePaths) -> None:
    """Each listing of the folder during publishing shows exactly one complete version."""
    publish(paths)
    stopping = threading.Event()
    seen: set[frozenset[str]] = set()

    def read() -> None:
        while not stopping.is_set():
            seen.add(frozenset(listing(paths.target)))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        published = {publish(paths) for _ in range(30)}
    finally:
        stopping.set()
        reader.join()
    for names in seen:
        (version,) = {version_of_file(name) for name in names}
        assert names == complete(str(version))
    assert published


class Killed(BaseException):
    """Stands for kill -9: after it, nothing changes the disk."""


class Disk:
    """Counts the steps that change the disk, and raises `Killed` at one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps = 0
        self.die_at = -1
        for module, name in [
            (os, "mkdir"),
            (os, "rmdir"),
            (os, "unlink"),
            (os, "rename"),
            (os, "fsync"),
            (files_module, "_renameat2"),
        ]:
            monkeypatch.setattr(module, name, self._counting(getattr(module, name)))

    def _counting(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **keywords: Any) -> Any:
            self.steps += 1
            if 0 <= self.die_at <= self.steps:
                raise Killed
            return step(*arguments, **keywords)

        return counted

    def revive(self) -> None:
        """Allow changes of the disk again, for the next run."""
        self.steps, self.die_at = 0, -1


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """The disk, on which every change can be the last one."""
    yield Disk(monkeypatch)
    monkeypatch.undo()


EXISTING = {"nothing": 0, "an empty folder": 0, "a version": 1, "two versions": 2}


@pytest.mark.parametrize("before", EXISTING)
def test_a_run_killed_at_any_step_is_recovered(tmp_path: Path, disk: Disk, before: str) -> None:
    """After a kill at any step, readers see one complete version, and the next run cleans up."""
    died = True
    step = 0
    while died:
        step += 1
        paths = TablePaths.at(str(tmp_path / f"killed-at-{step}"))
        if before == "an empty folder":
            paths.target.mkdir()
        existing = [publish(paths) for _ in range(EXISTING[before])]
        old = listing(paths.target) if paths.target.exists() else None
        disk.steps, disk.die_at = 0, step
        died = _dies(paths)
        disk.revive()
        now = listing(paths.target) if paths.target.exists() else None
        must_stay = set(existing[-1:])
        if now != old:
            (version,) = {version_of_file(name) for name in now or ()}
            assert now == complete(str(version))
            must_stay.add(str(version))
        final = publish(paths, keep=9)
        assert listing(paths.target) == complete(final)
        kept = {name for name in listing(paths.versions) if is_version(name)}
        assert kept >= must_stay
        assert listing(paths.versions) == beside(paths, *kept, current=final)
        for name in kept:
            assert listing(paths.versions / name) == complete(name)
    assert step > 20


def _dies(paths: TablePaths) -> bool:
    try:
        publish(paths)
    except Killed:
        return True
    return False


def test_a_killed_recovery_is_recovered(tmp_path: Path, disk: Disk) -> None:
    """A kill during the recovery from a kill, at any step of both, loses nothing."""
    for first in range(1, 45, 3):
        for second in range(1, 20, 2):
            paths = TablePaths.at(str(tmp_path / f"{first}-{second}"))
            publish(paths)
            for step in (first, second):
                disk.steps, disk.die_at = 0, step
                _dies(paths)
                disk.revive()
                (version,) = {version_of_file(name) for name in listing(paths.target)}
                assert listing(paths.target) == complete(str(version))
            final = publish(paths, keep=0)
            assert listing(paths.versions) == beside(paths, current=final)
