"""Computes the metrics of some users again from the raw files, and compares them with a table.

It uses DuckDB and the definition in `Contract.enrich`, and none of the job's code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, zip_longest
from pathlib import Path

from events_analytics.errors import NotVerified
from events_analytics.versions.layout import Layout
from events_schema import StoredEvent
from events_schema.runtime.database import Database
from events_schema.runtime.times import to_micros
from events_schema.tables.views import view_files

_RAW = """
CREATE VIEW raw AS
SELECT user_id, event_action, epoch_us(event_time) AS event_time, false AS shown FROM earlier
UNION ALL
SELECT user_id, event_action, epoch_us(event_time) AS event_time, true AS shown FROM later
"""

_TALLY = """
CREATE TEMP TABLE tally AS
SELECT user_id, count(*) FILTER (shown) AS shown,
       count(*) FILTER (event_time >= $start AND event_time < $end) AS recent
FROM raw GROUP BY user_id
"""

_MOST_ROWS = """
SELECT user_id FROM tally WHERE user_id IS NOT NULL AND shown > 0
ORDER BY shown DESC, user_id LIMIT 1
"""

_SOME = """
SELECT user_id FROM tally WHERE user_id IS NOT NULL AND shown > 0 AND (recent > 0) = $recent
ORDER BY md5(concat($seed, user_id)), user_id LIMIT $count
"""

# Strings are ordered by their UTF-8 bytes, and so by their code points.
_EXPECTED = """
CREATE TEMP TABLE expected AS
WITH chosen AS (SELECT unnest($users::INTEGER[]) AS user_id),
counted AS (
    SELECT user_id, event_action, count(*) AS times FROM raw JOIN chosen USING (user_id)
    WHERE event_action IS NOT NULL GROUP BY user_id, event_action
),
favourite AS (
    SELECT user_id, first(event_action ORDER BY times DESC, event_action) AS u_mp_ea
    FROM counted GROUP BY user_id
)
SELECT user_id, shown, nullif(recent, 0) AS u_count, u_mp_ea
FROM tally JOIN chosen USING (user_id) LEFT JOIN favourite USING (user_id)
"""

_OTHER_METRICS = """
SELECT DISTINCT user_id, target.u_count, target.u_mp_ea, expected.u_count, expected.u_mp_ea
FROM target JOIN expected USING (user_id)
WHERE target.u_count IS DISTINCT FROM expected.u_count
   OR target.u_mp_ea IS DISTINCT FROM expected.u_mp_ea
ORDER BY ALL LIMIT 3
"""

_OTHER_ROWS = """
WITH found AS (
    SELECT user_id, count(*) AS rows FROM target
    WHERE user_id IN (SELECT user_id FROM expected) GROUP BY user_id
)
SELECT user_id, coalesce(rows, 0), shown FROM expected LEFT JOIN found USING (user_id)
WHERE coalesce(rows, 0) <> shown ORDER BY user_id LIMIT 3
"""

_USERLESS = """
SELECT count(*), count(u_count), count(u_mp_ea) FROM target WHERE user_id IS NULL
"""


@dataclass(frozen=True)
class CountedTimes:
    """The times that `u_count` counts: from `start` to before `end`."""

    start: datetime
    end: datetime


def tally_users(
    database: Database, earlier: Sequence[Path], later: Sequence[Path], window: CountedTimes
) -> None:
    """Count each user's rows in the raw files; the rows of `earlier` are not in the target.

    Rows without a user are counted as one user.
    """
    view_files(database, "earlier", earlier, StoredEvent)
    view_files(database, "later", later, StoredEvent)
    database.ask(_RAW)
    database.ask(_TALLY, start=to_micros(window.start), end=to_micros(window.end))


def choose_users(database: Database, seed: str, count: int) -> list[int]:
    """Return at most `count` users with rows in the target; the same `seed` gives the same users.

    The first has the most rows. The others are chosen at random, alternately with and without a
    `u_count`.
    """
    some = [
        _ids(database.ask(_SOME, recent=recent, seed=seed, count=count)) for recent in (True, False)
    ]
    by_turns = chain.from_iterable(zip_longest(*some))
    most = _ids(database.ask(_MOST_ROWS))
    users = dict.fromkeys(user for user in chain(most, by_turns) if user is not None)
    return list(users)[:count]


def _ids(rows: Iterable[tuple[int]]) -> list[int]:
    return [user for (user,) in rows]


def recompute(database: Database, users: Sequence[int]) -> None:
    """Create the table `expected` with the metrics of `users`; call `tally_users` first."""
    database.ask(_EXPECTED, users=list(users))


def compare_metrics(database: Database) -> None:
    """Check the metrics of the recomputed users' rows in `target`. Raises `NotVerified`."""
    others = [
        f"user {user} has {_metrics(*found)}; expected {_metrics(*expected)}"
        for user, *found, expected_count, expected_action in database.ask(_OTHER_METRICS)
        for expected in [(expected_count, expected_action)]
    ]
    _refuse(others)


def compare_rows(database: Database) -> None:
    """Check that `target` has as many rows of each recomputed user as the raw files.

    Raises `NotVerified`.
    """
    others = [
        f"user {user} has {found} rows; the raw files have {expected}"
        for user, found, expected in database.ask(_OTHER_ROWS)
    ]
    _refuse(others)


def check_userless(database: Database, layout: Layout) -> None:
    """Check the number of rows without a user, and that they have no metrics.

    Raises `NotVerified`.
    """
    found, *metrics = database.one(_USERLESS)
    if any(metrics):
        counts = " and ".join(map(str, metrics))
        raise NotVerified(
            f"among the rows without user_id, {counts} have u_count and u_mp_ea; expected null"
        )
    expected = 0
    if layout is Layout.EVENTS:
        (expected,) = database.one(
            "SELECT coalesce(sum(shown), 0)::BIGINT FROM tally WHERE user_id IS NULL"
        )
    if found != expected:
        raise NotVerified(f"{found} rows have no user_id; expected {expected}")


def check_each_user_once(database: Database) -> None:
    """Check that `target` has one row for each user of the raw files. Raises `NotVerified`."""
    (expected,) = database.one("SELECT count(user_id) FROM tally")
    rows, users = database.one("SELECT count(*), count(DISTINCT user_id) FROM target")
    if (rows, users) != (expected, expected):
        raise NotVerified(
            f"{rows} rows belong to {users} users; expected one row for each of the {expected} "
            f"users in the raw files"
        )


def _metrics(u_count: int | None, u_mp_ea: str | None) -> str:
    count = "null" if u_count is None else u_count
    return f"u_count {count}, u_mp_ea {'null' if u_mp_ea is None else repr(u_mp_ea)}"


def _refuse(differences: Sequence[str]) -> None:
    if differences:
        raise NotVerified("; ".join(differences))
