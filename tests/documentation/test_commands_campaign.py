"""Every command of the documentation runs as written, or is listed as one that cannot run here.

`hatch run campaign commands` also runs those that take long.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from documentation_support.line import Line, pages_with_commands
from documentation_support.room import NotPermitted, Room
from events_loadgen.processes.broker import LocalBroker
from stream_support.quick_start import quick_java

pytestmark = pytest.mark.extended


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, broker: LocalBroker) -> Iterator[Line]:
    """A line in a room without a way out, which the documented commands filled."""
    try:
        with Room(tmp_path_factory.mktemp("room"), quick_java(broker.bootstrap)) as room:
            line = Line(room)
            line.prepare()
            yield line
    except NotPermitted as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"needs namespaces and overlay mounts, as root: {error}")


@pytest.mark.parametrize("page", pages_with_commands())
def test_every_command_of_the_page_runs(line: Line, page: str) -> None:
    """Commands exit with 0; servers become ready and end on a signal; curl is answered as shown."""
    faults = line.faults(page)
    assert not faults, "\n\n".join(faults)
