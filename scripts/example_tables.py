"""Tables as a small company may have them: 30 days, made from a seed, always the same."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from events_analytics.report.tables import FailedRow
from events_analytics.versions.names import file_name, new_version
from events_schema import (
    ColumnType,
    Contract,
    Event,
    FailureReason,
    StoredEvent,
    UserMetrics,
    columns,
)

CONTRACT = Contract(Event)
NOW = datetime(2026, 11, 24, 16, 41, 12, tzinfo=UTC)
DAYS = 30
USERS = 4_000
_OFFLINE = 0.01

_TYPES: dict[ColumnType, pa.DataType] = {
    ColumnType.INT32: pa.int32(),
    ColumnType.INT64: pa.int64(),
    ColumnType.STRING: pa.string(),
    ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
}


def _schema(model: type[BaseModel]) -> pa.Schema:
    return pa.schema([(each.name, _TYPES[each.type]) for each in columns(model)])


_RAW, _USERS, _FAILED = _schema(StoredEvent), _schema(UserMetrics), _schema(FailedRow)

_APPS = {
    f"product_{number}": weight
    for number, weight in enumerate((41, 32, 9, 6, 4, 3, 2, 1, 0.7, 0.5, 0.2, 0.1), start=1)
}
_CATEGORIES = {
    f"category_{number}": weight
    for number, weight in enumerate((34, 22, 13, 9, 7, 6, 3, 2.4, 1.6, 1, 0.6, 0.3), start=1)
}
_ACTIONS = ("page_view", "button_click", "scroll", None)
_ACTIONS_OF = {
    "category_1": (60, 22, 15, 3),
    "category_2": (55, 35, 10, 0),
    "category_3": (70, 22, 0, 8),
    "category_4": (40, 38, 14, 8),
    "category_5": (48, 34, 10, 8),
    "category_6": (50, 34, 16, 0),
    "category_7": (55, 30, 15, 0),
    "category_8": (60, 26, 14, 0),
    "category_9": (70, 20, 10, 0),
    "category_10": (45, 30, 25, 0),
    "category_11": (80, 20, 0, 0),
    "category_12": (0, 0, 0, 100),
}
"""How the events of each category spread over the actions, in per cent."""
_VALUES = (5, 8, 12, 37, 54, None)
_REASONS = {
    FailureReason.UNREADABLE_BODY: 96,
    FailureReason.NOT_SINGLE_OBJECT: 31,
    FailureReason.UNKNOWN_SCHEMA: 12,
    FailureReason.EMPTY: 4,
}


def write_tables(folder: Path, events: int, seed: int = 7) -> None:
    """Write `raw`, `enriched` (by user) and `raw.failed` into `folder`, as of `NOW`."""
    chance = random.Random(seed)  # noqa: S311  # no secrets
    rows = [_event(chance, number) for number in range(events)]
    by_day: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_day[f"event_date={row.event_time:%Y-%m-%d}"].append(row.model_dump())
    for day, found in by_day.items():
        _write(folder / "raw" / day / "000000000001-0000.parquet", found, _RAW)
    _write(folder / "raw.failed" / "000000000001-0000.parquet", _failed(chance), _FAILED)
    version = new_version(NOW)
    _write(folder / "enriched" / file_name(version, 0), _metrics(rows), _USERS)
    manifest = folder / "enriched.versions" / f"{version}.json"
    manifest.parent.mkdir()
    manifest.write_text(f'{{"processing_time": "{NOW.isoformat()}"}}')


def _write(path: Path, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path)


def _event(chance: random.Random, number: int) -> StoredEvent:
    category = _pick(chance, _CATEGORIES)
    time = _time(chance)
    return StoredEvent(
        event_time=time,
        user_id=None if chance.random() < 0.006 else _user(chance),  # noqa: PLR2004
        app_name=_pick(chance, _APPS),
        event_action=chance.choices(_ACTIONS, _ACTIONS_OF[category])[0],
        event_category=category,
        event_value=chance.choice(_VALUES),
        event_id=f"{number:032x}",
        received_time=min(time + _delay(chance), NOW),
    )


def _pick(chance: random.Random, weights: dict[str, float]) -> str:
    return chance.choices(list(weights), list(weights.values()))[0]


def _user(chance: random.Random) -> int:
    """Return one of the users, of whom few do a lot."""
    return 1001 + int(USERS * chance.betavariate(0.55, 2.4))


def _time(chance: random.Random) -> datetime:
    """Return a time at which people are awake, oftener at weekends and of late."""
    while True:
        time = NOW - timedelta(days=DAYS) * chance.random()
        hour = time.hour + time.minute / 60
        awake = max(0.06, 1 - abs(hour - 17) / 12) ** 1.3
        weekend = 1.0 if time.weekday() in (5, 6) else 0.72
        grown = 1 - 0.35 * ((NOW - time) / timedelta(days=DAYS))
        if chance.random() < awake * weekend * grown:
            return time


def _delay(chance: random.Random) -> timedelta:
    if chance.random() < _OFFLINE:
        return timedelta(hours=chance.expovariate(1 / 5))
    return timedelta(seconds=chance.lognormvariate(-0.4, 1.1) - 0.12)


def _failed(chance: random.Random) -> list[dict[str, Any]]:
    return [
        {"reason": str(reason), "timestamp": NOW - timedelta(days=DAYS) * chance.random() ** 2}
        for reason, count in _REASONS.items()
        for _ in range(count)
    ]


def _metrics(rows: Sequence[StoredEvent]) -> list[dict[str, Any]]:
    """Return the rows of the users table, by the metrics' definition."""
    known = {row.user_id: row for row in CONTRACT.enrich(rows, NOW) if row.user_id is not None}
    return [row.model_dump(include=set(UserMetrics.model_fields)) for row in known.values()]
