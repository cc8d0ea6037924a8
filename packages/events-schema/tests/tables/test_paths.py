"""The paths of a table's parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from events_schema.runtime.errors import PublishError
from events_schema.tables.paths import TablePaths


@pytest.mark.parametrize("target", ["s3://bucket/table", "hdfs://name/table", "/", "/proc"])
def test_what_cannot_be_published_to_is_refused(target: str) -> None:
    """Addresses and mount points are refused with a proposal of what to give instead."""
    with pytest.raises(PublishError, match="give a"):
        TablePaths.at(target)


def test_a_folder_bound_to_the_target_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bind mount of the same file system is found in the kernel's list of mounts."""
    target = tmp_path / "a table ü"
    target.mkdir()
    point = str(target).replace(" ", "\\040")
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        f"22 1 8:1 / / rw - ext4 /dev/a rw\n36 22 8:1 /x {point} rw - ext4 /dev/a rw\n"
    )
    TablePaths.at(str(target))
    monkeypatch.setattr("events_schema.tables.paths.MOUNTS", mounts)
    with pytest.raises(PublishError, match="is a mount point"):
        TablePaths.at(str(target))


def test_the_parts_of_a_table_lie_beside_it(tmp_path: Path) -> None:
    """Links are resolved first, so that all parts are on one file system."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    paths = TablePaths.at(str(tmp_path / "link"))
    assert paths.control == tmp_path / "real.control"
    assert paths.failed == tmp_path / "real.failed"
    assert paths.versions == tmp_path / "real.versions"
