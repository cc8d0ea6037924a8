"""Counts users by how active they are."""

from __future__ import annotations

from collections.abc import Mapping

from events_analytics.report.model import ActiveUser, Activity, Band
from events_schema.runtime.database import Database

_STEPS = (1, 2, 5)


def read_activity(database: Database, top: int) -> Activity:
    """Return the activity of the users in the table `users`, which has `user_id` and `events`."""
    # n different numbers of events need at least n * n / 2 events, so the result has few rows.
    users = database.ask(
        "SELECT events, count(*) FROM users WHERE user_id IS NOT NULL GROUP BY events"
    )
    most_active = database.ask(
        "SELECT user_id, events FROM users WHERE user_id IS NOT NULL "
        "ORDER BY events DESC, user_id LIMIT $top",
        top=top,
    )
    (without_user,) = database.one(
        "SELECT coalesce(sum(events), 0)::BIGINT FROM users WHERE user_id IS NULL"
    )
    return Activity(
        users=sum(count for _, count in users),
        without_user=without_user,
        bands=activity_bands(dict(users)),
        most_active=tuple(ActiveUser(user_id=user, events=events) for user, events in most_active),
    )


def activity_bands(users: Mapping[int, int]) -> tuple[Band, ...]:
    """Group users by their number of events: 1, 2 to 4, 5 to 9, 10 to 19, and so on.

    `users` maps a number of events to the number of users who have it. Bands before the first
    user and after the last one are left out.
    """
    bands: list[Band] = []
    least, step = 1, 0
    while least <= max(users, default=0):
        step += 1
        after = _STEPS[step % 3] * 10 ** (step // 3)
        inside = {events: count for events, count in users.items() if least <= events < after}
        band = Band(
            least=least,
            most=after - 1,
            users=sum(inside.values()),
            events=sum(events * count for events, count in inside.items()),
        )
        if bands or band.users:
            bands.append(band)
        least = after
    return tuple(bands)
