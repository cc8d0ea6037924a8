"""The default number of records in a batch."""

from __future__ import annotations

import pytest

from events_stream.settings import RunSettings


@pytest.mark.parametrize(
    ("memory", "cores", "records"),
    [
        ("1g", 2, 1_000_000),
        ("1g", 8, 1_000_000),
        ("4g", 8, 4_000_000),
        ("16g", 2, 1_000_000),
        ("512m", 2, 500_000),
        ("1048576k", 1, 500_000),
        ("1tb", 64, 32_000_000),
        ("64k", 4, 61),
    ],
)
def test_a_batch_fits_cores_and_memory(memory: str, cores: int, records: int) -> None:
    """A batch has 500,000 records for each core with 512 MiB, and at least one record."""
    assert RunSettings(driver_memory=memory).records_per_batch(cores) == records


def test_a_given_number_of_records_is_used() -> None:
    """A given number applies whatever the machine."""
    assert RunSettings(max_records_per_batch=7).records_per_batch(64) == 7
