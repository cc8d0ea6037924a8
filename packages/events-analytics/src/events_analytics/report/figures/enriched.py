"""Reads the users' metrics from the enriched table, in either layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import AwareDatetime

from events_analytics.raw.footer import read_footer
from events_analytics.report.model import Enriched, Favourite, OtherFavourites, UserOfWindow
from events_analytics.versions.manifest import manifest_path, read_manifest
from events_analytics.versions.names import version_of_file
from events_schema import UserMetrics
from events_schema.runtime.database import Database
from events_schema.tables.paths import TablePaths
from events_schema.tables.views import view_files

_METRICS = """
CREATE TEMP TABLE metrics AS
SELECT user_id, any_value(u_count) AS u_count, any_value(u_mp_ea) AS u_mp_ea
FROM enriched WHERE user_id IS NOT NULL GROUP BY user_id
"""

_SUMMARY = "SELECT count(*), count(u_count), coalesce(sum(u_count), 0)::BIGINT FROM metrics"

_MOST_ACTIVE = """
SELECT user_id, u_count, u_mp_ea FROM metrics WHERE u_count IS NOT NULL
ORDER BY u_count DESC, user_id LIMIT $top
"""

_FAVOURITES = """
SELECT u_mp_ea, count(*) AS users FROM metrics GROUP BY u_mp_ea
ORDER BY users DESC, u_mp_ea NULLS LAST LIMIT $top
"""


def read_enriched_figures(
    database: Database, files: Sequence[Path], folder: Path, top: int
) -> Enriched | None:
    """Read the `files` of the enriched table in `folder`; return None if there are no files."""
    if not files:
        return None
    view_files(database, "enriched", files, UserMetrics)
    database.ask(_METRICS)
    footers = [read_footer(path) for path in files]
    users, active_users, active_events = database.one(_SUMMARY)
    favourites, rest = _read_favourites(database, users, top)
    return Enriched(
        layout="events" if "event_time" in footers[0].columns else "users",
        rows=sum(footer.rows for footer in footers),
        users=users,
        processing_time=_processing_time(folder, files[0]),
        active_users=active_users,
        active_events=active_events,
        most_active=tuple(
            UserOfWindow(user_id=user, u_count=count, u_mp_ea=action)
            for user, count, action in database.ask(_MOST_ACTIVE, top=top)
        ),
        favourites=favourites,
        rest=rest,
    )


def _read_favourites(
    database: Database, users: int, top: int
) -> tuple[tuple[Favourite, ...], OtherFavourites | None]:
    found = database.ask(_FAVOURITES, top=top)
    favourites = tuple(Favourite(action=action, users=count) for action, count in found)
    left = users - sum(each.users for each in favourites)
    if not left:
        return favourites, None
    (different,) = database.one("SELECT count(*) FROM (SELECT DISTINCT u_mp_ea FROM metrics)")
    return favourites, OtherFavourites(actions=different - len(favourites), users=left)


def _processing_time(folder: Path, file: Path) -> AwareDatetime | None:
    """Return the time of the metrics from the manifest of the file's version, or None."""
    version = version_of_file(file.name)
    try:
        return read_manifest(manifest_path(TablePaths(folder), str(version))).processing_time
    except (OSError, ValueError):
        return None
