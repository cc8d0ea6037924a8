"""Writes the tables of a report from rows, and counts the expected figures in plain Python."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from analytics_support.raw_schema import COLUMNS, RAW, TIME
from events_analytics.report import Report, Scope, Tables, read_report
from events_schema import Contract, Event, StoredEvent

CONTRACT = Contract(Event)
DAY = "event_date=2026-11-24"

_METRICS: list[tuple[str, pa.DataType]] = [("u_count", pa.int64()), ("u_mp_ea", pa.string())]
ENRICHED = pa.schema([*COLUMNS[:6], *_METRICS])
USERS = pa.schema([COLUMNS[1], *_METRICS])
_FAILED: list[tuple[str, pa.DataType]] = [("reason", pa.string()), ("timestamp", TIME)]
FAILED = pa.schema(_FAILED)

_MILLISECOND = timedelta(milliseconds=1)
_STEPS = [1, 2, 5, 10, 20, 50, 100, 200]


def write(path: Path, rows: Iterable[BaseModel], schema: pa.Schema = RAW) -> Path:
    """Write the rows with the columns of `schema` to the parquet file at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found = [row.model_dump(include=set(schema.names)) for row in rows]
    pq.write_table(pa.Table.from_pylist(found, schema=schema), path)
    return path


def report_on(folder: Path, scope: Scope, contract: Contract[Any] = CONTRACT) -> Report:
    """Return the report on the tables `raw`, `enriched` and `raw.failed` in `folder`."""
    other = [
        path if path.exists() else None for path in (folder / "enriched", folder / "raw.failed")
    ]
    return read_report(Tables("raw", folder / "raw", *other), contract, scope)


def cut(names: Counter[str | None], top: int) -> tuple[list[str | None], dict[str, int] | None]:
    """Return the most frequent names, with null last among equals, and the sums of the others."""
    ordered = sorted(names, key=lambda name: (-names[name], name is None, name or ""))
    left = ordered[top:]
    rest = {"names": len(left), "events": sum(names[name] for name in left)} if left else None
    return ordered[:top], rest


def expected_products(rows: Sequence[StoredEvent], top: int) -> dict[str, Any]:
    """Return the products of a report."""
    counts = Counter(row.app_name for row in rows)
    names, rest = cut(counts, top)
    return {
        "names": len(set(counts) - {None}),
        "rows": tuple(
            _product(name, [row for row in rows if row.app_name == name]) for name in names
        ),
        "rest": rest,
    }


def _product(name: str | None, rows: Sequence[StoredEvent]) -> dict[str, Any]:
    values = [row.event_value for row in rows if row.event_value is not None]
    return {
        "name": name,
        "events": len(rows),
        "users": len({row.user_id for row in rows} - {None}),
        "value": sum(values) if values else None,
    }


def expected_own_field(rows: Sequence[StoredEvent], name: str, top: int) -> dict[str, Any]:
    """Return the values of the own text field `name` in a report."""
    counts: Counter[str | None] = Counter(getattr(row, name) for row in rows)
    shown, rest = cut(counts, top)
    return {
        "field": name,
        "names": len(set(counts) - {None}),
        "rows": tuple({"name": each, "events": counts[each]} for each in shown),
        "rest": rest,
    }


def expected_categories(rows: Sequence[StoredEvent], top: int, most: int) -> dict[str, Any]:
    """Return the categories of a report, with `most` separate actions."""
    counts = Counter(row.event_category for row in rows)
    actions = Counter(row.event_action for row in rows)
    names, rest = cut(counts, top)
    shown, _ = cut(actions, most)
    pairs = Counter((row.event_category, row.event_action) for row in rows)
    return {
        "names": len(set(counts) - {None}),
        "action_names": len(set(actions) - {None}),
        "actions": tuple(shown),
        "rows": tuple(
            {
                "name": name,
                "events": counts[name],
                "by_action": tuple(pairs[name, action] for action in shown),
                "other_actions": counts[name] - sum(pairs[name, action] for action in shown),
            }
            for name in names
        ),
        "rest": rest,
    }


def expected_activity(rows: Sequence[StoredEvent], top: int) -> dict[str, Any]:
    """Return the users' activity in a report, without the empty bands."""
    users = Counter(row.user_id for row in rows)
    without = users.pop(None, 0)
    bands = Counter(max(step for step in _STEPS if step <= events) for events in users.values())
    ordered = sorted(users, key=lambda user: (-users[user], user or 0))
    return {
        "users": len(users),
        "without_user": without,
        "bands": dict(bands),
        "most_active": tuple({"user_id": user, "events": users[user]} for user in ordered[:top]),
    }


def expected_delay(rows: Sequence[StoredEvent]) -> dict[str, Any]:
    """Return the delays of a report."""
    found = [
        row.received_time - row.event_time if row.received_time and row.event_time else None
        for row in rows
    ]
    delays = sorted(
        _three_digits(delay // _MILLISECOND)
        for delay in found
        if delay is not None and delay >= timedelta(0)
    )
    edges = [0, 1_000, 10_000, 60_000, 600_000, 3_600_000, 86_400_000, None]
    return {
        "bands": tuple(
            {
                "at_least_ms": start,
                "below_ms": end,
                "events": sum(start <= each < (end or math.inf) for each in delays),
            }
            for start, end in pairwise(edges)
            if start is not None
        ),
        "before": sum(delay is not None and delay < timedelta(0) for delay in found),
        "unknown": found.count(None),
        "median_ms": _ranked(delays, 0.5),
        "p95_ms": _ranked(delays, 0.95),
        "longest_ms": max(delays, default=None),
    }


def _three_digits(number: int) -> int:
    digits = str(number)
    return int(digits[:3] + "0" * (len(digits) - 3))


def _ranked(delays: Sequence[int], part: float) -> int | None:
    """Return the percentile of the delays by nearest rank."""
    return next((each for each in delays if _up_to(each, delays) >= part * len(delays)), None)


def _up_to(most: int, delays: Sequence[int]) -> int:
    return sum(each <= most for each in delays)
