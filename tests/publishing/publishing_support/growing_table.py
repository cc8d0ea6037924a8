"""A raw table that gets a new file now and then, as the stream writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from analytics_support.raw_schema import RAW
from events_schema import StoredEvent
from events_schema.tables.partitions import PARTITION_COLUMN
from events_schema.tables.paths import TablePaths

T = datetime(2026, 11, 24, 12, tzinfo=UTC)
"""The time around which all events happen."""
DAYS = 4
FIRST_FILES = 2
FIRST_ROWS = 300
MORE_ROWS = 60
USERS = (None, *range(1, 30))
ACTIONS = (None, "add to cart", "purchase", "view 😀")


class GrowingTable:
    """The raw table in `folder`. It starts with a few files for each of a few days."""

    def __init__(self, folder: Path, random: Random) -> None:
        self.paths = TablePaths(folder)
        self.files: list[str] = []
        """The names of all files in place. Other threads may read this list."""
        self._random = random
        self.paths.staging.mkdir(parents=True)
        for number in range(DAYS * FIRST_FILES):
            self._add(number % DAYS, FIRST_ROWS)

    def grow(self) -> None:
        """Add one more file, atomically."""
        self._add(self._random.randrange(DAYS), MORE_ROWS)

    def _add(self, days_ago: int, rows: int) -> None:
        noon = T - timedelta(days=days_ago)
        name = f"{PARTITION_COLUMN}={noon.date()}/{len(self.files):06}.parquet"
        staged = self.paths.staging / "next.parquet"
        events = [self._event(noon).model_dump() for _ in range(rows)]
        pq.write_table(pa.Table.from_pylist(events, schema=RAW), staged)
        path = self.paths.target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        staged.rename(path)
        self.files.append(name)

    def _event(self, noon: datetime) -> StoredEvent:
        some = self._random
        return StoredEvent(
            event_time=noon - timedelta(seconds=some.randrange(5 * 3600)),
            user_id=some.choice(USERS),
            app_name="app",
            event_action=some.choice(ACTIONS),
            event_category="category",
            event_value=some.randrange(2**31),
            event_id=f"{some.getrandbits(64):x}",
            received_time=noon,
        )
