"""A broker for tests that kill it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from events_loadgen.processes.broker import LocalBroker


@pytest.fixture(scope="session")
def mortal_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBroker]:
    """A broker that tests may kill, if they start it again."""
    with LocalBroker(tmp_path_factory.mktemp("mortal")) as broker:
        yield broker
