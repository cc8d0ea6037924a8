"""The report: what `events-analytics report` finds in the tables, and its JSON."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from events_analytics.report.bins import BinSize


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Bin(_Part):
    """The events of one stretch of time."""

    start: AwareDatetime
    events: int


class OverTime(_Part):
    """Events by `event_time`, without gaps: a stretch without events is there, too.

    Events that have no time, or one after the report's, are in no bin.
    """

    size: BinSize
    """How long a bin is; weeks start on Monday, all bins in UTC."""
    bins: tuple[Bin, ...]


class Rest(_Part):
    """What a list that was cut leaves out, summed."""

    names: int
    events: int


class Product(_Part):
    """The events of one `app_name`; null for those without one."""

    name: str | None
    events: int
    users: int
    value: int | None
    """The sum of `event_value`; null where no event has one."""


class Products(_Part):
    """The products, those with the most events first."""

    names: int
    """How many there are; none is no name."""
    rows: tuple[Product, ...]
    rest: Rest | None


class OwnValue(_Part):
    """The events with one text in a field of the contract's own; null for those without one."""

    name: str | None
    events: int


class OwnField(_Part):
    """The texts in one field of the contract's own, those with the most events first."""

    field: str
    names: int
    """How many different texts there are, null not counted."""
    rows: tuple[OwnValue, ...]
    rest: Rest | None


class Category(_Part):
    """The events of one `event_category`, by action; null for those without one."""

    name: str | None
    events: int
    by_action: tuple[int, ...]
    """In the order of `Categories.actions`."""
    other_actions: int


class Categories(_Part):
    """Actions by category, the categories with the most events first."""

    names: int
    """How many categories there are; none is no name."""
    action_names: int
    """How many actions there are; none is no name."""
    actions: tuple[str | None, ...]
    """The most frequent actions; null stands for none."""
    rows: tuple[Category, ...]
    rest: Rest | None


class Band(_Part):
    """The users who have from `least` to `most` events."""

    least: int
    most: int
    users: int
    events: int


class ActiveUser(_Part):
    """One of the users with the most events."""

    user_id: int
    events: int


class Activity(_Part):
    """Users by how many events they have."""

    users: int
    without_user: int
    """Events without a `user_id`."""
    bands: tuple[Band, ...]
    """From the first band that has users to the last, without gaps."""
    most_active: tuple[ActiveUser, ...]


class Nulls(_Part):
    """How many events have no value in a column of the raw table."""

    column: str
    events: int


class DelayBand(_Part):
    """The events that were received so long after their time: `[at_least_ms, below_ms)`."""

    at_least_ms: int
    below_ms: int | None
    events: int


class Delay(_Part):
    """From `event_time` to `received_time`.

    Percentiles are by nearest rank among the events of the bands, cut to 3 significant digits.
    """

    bands: tuple[DelayBand, ...]
    before: int
    """Events that were received before their time: the sender's clock is ahead."""
    unknown: int
    """Events that lack one of the two times."""
    median_ms: int | None
    p95_ms: int | None
    longest_ms: int | None


class Newest(_Part):
    """The newest time in a column that is not after the report's, and its age."""

    time: AwareDatetime
    age_seconds: float


class FailedReason(_Part):
    """The failed events of one reason. `newest` is by Kafka's timestamp."""

    reason: str | None
    events: int
    newest: AwareDatetime | None


class Failed(_Part):
    """The failed events: what was on the topic and is no event."""

    events: int
    reasons: tuple[FailedReason, ...]
    rest: Rest | None


class Quality(_Part):
    """What is missing, wrong or late."""

    nulls: tuple[Nulls, ...]
    later: int
    """Events whose `event_time` is after the report's time."""
    delay: Delay
    newest_event: Newest | None
    """By `event_time`."""
    newest_received: Newest | None
    """By `received_time`."""
    failed: Failed | None
    """Null where there is no folder of failed events."""


class UserOfWindow(_Part):
    """The metrics of one user."""

    user_id: int
    u_count: int
    u_mp_ea: str | None


class Favourite(_Part):
    """How many users have this most frequent action; null for users without an action."""

    action: str | None
    users: int


class OtherFavourites(_Part):
    """The favourite actions that the list leaves out, summed."""

    actions: int
    users: int


class Enriched(_Part):
    """The users' metrics, as the enriched table has them; `--days` does not cut them."""

    layout: Literal["events", "users"]
    """Whether the table holds a row for each event, or one for each user."""
    rows: int
    users: int
    processing_time: AwareDatetime | None
    """The time of the metrics; null where the version has no manifest."""
    active_users: int
    """Users with events in the window before the processing time."""
    active_events: int
    """How many events those users have in it."""
    most_active: tuple[UserOfWindow, ...]
    favourites: tuple[Favourite, ...]
    rest: OtherFavourites | None


class Report(_Part):
    """What `events-analytics report` found in the tables.

    Lists are cut to `--top` entries and the rest is summed. Times are in UTC.
    """

    generated_time: AwareDatetime
    raw: str
    """The raw table's folder, as it was given."""
    since: date | None
    """The first day that counts, where `--days` was given: earlier events, and those without a
    time, are left out of everything but `enriched`."""
    events: int
    first_event_time: AwareDatetime | None
    over_time: OverTime | None
    """Null where no event has a time up to now."""
    categories: Categories
    products: Products
    own_fields: tuple[OwnField, ...]
    """The text fields that the contract adds, in its order; empty for the default one."""
    activity: Activity
    quality: Quality
    enriched: Enriched | None
    """Null where there is no enriched table yet."""

    def to_json(self) -> str:
        """Return the report as JSON, for people and programs."""
        return self.model_dump_json(indent=1) + "\n"
