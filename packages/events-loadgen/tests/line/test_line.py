"""Tests of how each part of the line is started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from events_loadgen.errors import ChildFailed
from events_loadgen.line.line import Line
from events_loadgen.processes.child import ChildProcess
from events_schema import Contract, Event

PARTS: list[Callable[[Line], ChildProcess]] = [
    lambda line: line.start_collector(demo=False),
    Line.start_stream,
    Line.start_aggregation,
    Line.start_check,
]


@pytest.mark.parametrize("start", PARTS, ids=["collector", "stream", "aggregation", "check"])
def test_each_part_works_with_the_contract_of_the_line(
    start: Callable[[Line], ChildProcess], tmp_path: Path
) -> None:
    """Each part loads the given contract, and exits with 2 if it cannot."""
    flags = ("--contract", "no_such_module:Event")
    line = Line(tmp_path, "127.0.0.1:9", Contract(Event), flags)
    with start(line) as child:
        with pytest.raises(ChildFailed):
            child.wait(seconds=60)
        assert child.exit_code == 2
        assert "contract: module no_such_module not found" in child.last_lines()
    assert not line.raw.exists()
