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
    erasures = [each for each in erasures if users.get(each.number)]
    if not erasures:
        return None
    latest: dict[int, datetime] = {}
    for each in sorted(erasures, key=lambda erasure: erasure.erased_at):
        latest.update(dict.fromkeys(users[each.number], each.erased_at))
    conditions = [_received_before(latest)]
    for each in erasures:
        unread = {p: end for p, end in each.topic_ends.items() if start.get(p, 0) < end}
        if unread:
            conditions.append(f"({_is_in(users[each.number])} AND {_is_before(unread)})")
    # One search in the set of all users is all that most records need.
    return F.expr(f"coalesce({_is_in(latest)} AND ({' OR '.join(conditions)}), false)")


def _is_in(users: Iterable[int]) -> str:
    return f"event.user_id IN ({', '.join(map(str, users))})"


def _received_before(latest: Mapping[int, datetime]) -> str:
    times = ", ".join(f"{to_micros(time)}L" for time in latest.values())
    erased = f"map_from_arrays(array({', '.join(map(str, latest))}), array({times}))"
    received = "unix_micros(coalesce(event.received_time, timestamp))"
    return f"{received} < element_at({erased}, event.user_id)"


def _is_before(ends: Offsets) -> str:
    offsets = ", ".join(f"{offset}L" for offset in ends.values())
    by_partition = f"map_from_arrays(array({', '.join(map(str, ends))}), array({offsets}))"
    return f"offset < element_at({by_partition}, partition)"
