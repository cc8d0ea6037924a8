"""The limit on bytes held at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events_ingest import BufferFull
from events_ingest.budget import Budget


@given(st.integers(0, 1000), st.lists(st.integers(0, 600), max_size=20), st.data())
def test_no_more_is_held_than_the_limit(limit: int, sizes: list[int], data: st.DataObject) -> None:
    """Whatever comes and goes, sizes that fit are counted and others are refused."""
    budget = Budget(limit)
    held: list[int] = []
    for size in sizes:
        if sum(held) + size <= limit:
            budget.reserve(size)
            held.append(size)
        else:
            with pytest.raises(BufferFull):
                budget.reserve(size)
        leaves = data.draw(st.booleans())
        if leaves and held:
            budget.release(held.pop())

        assert budget.used == sum(held) <= limit


def test_what_a_context_holds_is_let_go_with_it() -> None:
    """The bytes count only within the context, however it ends."""
    budget = Budget(10)

    def fail_while_holding(size: int) -> None:
        with budget.holding(size):
            assert budget.used == size
            raise KeyError

    with pytest.raises(KeyError):
        fail_while_holding(10)
    assert budget.used == 0
    with pytest.raises(BufferFull):
        fail_while_holding(11)
    assert budget.used == 0
