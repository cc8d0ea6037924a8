"""Tells which records are of erased users, and were received before their erasure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from pyspark.sql import Column
from pyspark.sql import functions as F

from events_schema.runtime.times import to_micros
from events_stream.table.erasure import Erasure
from events_stream.table.position import Offsets


def is_erased(
    erasures: Iterable[Erasure], users: Mapping[int, frozenset[int]], start: Offsets
) -> Column | None:
    """Return the condition for decoded records to be dropped; None if no erasure is open.

    `users` has those of each erasure, by number. A record was received before an erasure if it is
    before the end that the topic had then, or was received earlier by the collector's clock (or
    written earlier by Kafka's, if it does not say). Offsets before `start` are not read.
    """
    latest: dict[int, datetime] = {}
    ends: dict[int, Offsets] = {}
    for each in sorted(erasures, key=lambda erasure: erasure.erased_at):
        unread = {p: end for p, end in each.topic_ends.items() if start.get(p, 0) < end}
        for user in users.get(each.number, ()):
            latest[user] = each.erased_at
            if unread:
                ends[user] = _later(ends.get(user, {}), unread)
    if not latest:
        return None
    before = [_received_before(latest)]
    if ends:
        before.append(_is_before(ends))
    # One search in the set of all users is all that most records need.
    of_erased = f"event.user_id IN ({_list(latest)})"
    return F.expr(f"coalesce({of_erased} AND ({' OR '.join(before)}), false)")


def _later(one: Offsets, other: Offsets) -> Offsets:
    return {p: max(one.get(p, 0), other.get(p, 0)) for p in {**one, **other}}


def _received_before(latest: Mapping[int, datetime]) -> str:
    erased = _map({user: f"{to_micros(time)}L" for user, time in latest.items()})
    received = "unix_micros(coalesce(event.received_time, timestamp))"
    return f"{received} < element_at({erased}, event.user_id)"


def _is_before(ends: Mapping[int, Offsets]) -> str:
    """Return the condition for an offset to be before the end of its partition for its user.

    Spark turns the maps into constants. A condition for each erasure would be too long to compile.
    """
    numbers: dict[frozenset[tuple[int, int]], int] = {}
    by_user = {
        user: numbers.setdefault(frozenset(each.items()), len(numbers))
        for user, each in ends.items()
    }
    different = _list(_map({p: f"{end}L" for p, end in each}) for each in numbers)
    its_ends = f"get(array({different}), element_at({_map(by_user)}, event.user_id))"
    return f"offset < element_at({its_ends}, partition)"


def _map(values: Mapping[int, object]) -> str:
    return f"map_from_arrays(array({_list(values)}), array({_list(values.values())}))"


def _list(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
