"""The names of versions and of their files."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from events_analytics.versions.names import file_name, is_version, new_version, version_of_file

NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)


def test_a_version_is_an_identifier_with_its_time() -> None:
    """A version's name is an identifier and starts with its time to the microsecond."""
    version = new_version(NOW)
    assert version.isidentifier()
    assert version.startswith("v20261124T120000123456Z_")
    assert is_version(version)


@given(st.lists(st.timedeltas(timedelta(days=-400), timedelta(days=400)), max_size=8))
def test_versions_sort_by_creation_whatever_the_clock_does(steps: list[timedelta]) -> None:
    """Each version sorts after all earlier ones, even if the clock is set back."""
    versions: list[str] = []
    for step in steps:
        versions.append(new_version(NOW + step, versions))
    assert versions == sorted(versions)
    assert len(set(versions)) == len(versions)


def test_a_files_name_has_its_version() -> None:
    """The version is read from a file's name, and other names have none."""
    version = new_version(NOW)
    assert version_of_file(file_name(version, 3)) == version
    assert version_of_file(file_name(version, 123456)) == version
    for other in ("part-00000-x.snappy.parquet", f"{version}.parquet", f".{version}-00000.parquet"):
        assert version_of_file(other) is None
