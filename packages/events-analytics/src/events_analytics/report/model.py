"""The report's figures, and their JSON."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from events_analytics.report.bins import BinSize


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Bin(_Part):
    """The number of events in one interval of time."""

    start: AwareDatetime
    events: int


class OverTime(_Part):
    """Events by `event_time`, without gaps: bins without events are included.

    Events without a time, or with a time after the report's, are not in a bin.
    """

    size: BinSize
    """The length of a bin. Weeks start on Monday, and all bins are in UTC."""
    bins: tuple[Bin, ...]


class Rest(_Part):
    """The sums of the entries that are left out of a list."""

    names: int
    events: int


class Product(_Part):
    """The events with one `app_name`, or null for events without it."""

    name: str | None
    events: int
    users: int
    value: int | None
    """The sum of `event_value`; null if no event has one."""


class Products(_Part):
    """The products, most events first."""

    names: int
    """The number of different names, without null."""
    rows: tuple[Product, ...]
    rest: Rest | None


class OwnValue(_Part):
    """The events with one value in an own field of the contract, or null for events without it."""

    name: str | None
    events: int


class OwnField(_Part):
    """The values of one own text field of the contract, most events first."""

    field: str
    names: int
    """The number of different values, without null."""
    rows: tuple[OwnValue, ...]
    rest: Rest | None


class Category(_Part):
    """The events with one `event_category`, by action, or null for events without it."""

    name: str | None
    events: int
    by_action: tuple[int, ...]
    """The number of events by action, in the order of `Categories.actions`."""
    other_actions: int


class Categories(_Part):
    """Actions by category, most events first."""

    names: int
    """The number of different categories, without null."""
    action_names: int
    """The number of different actions, without null."""
    actions: tuple[str | None, ...]
    """The most frequent actions; null stands for events without an action."""
    rows: tuple[Category, ...]
    rest: Rest | None


class Band(_Part):
    """The users with `least` to `most` events."""

    least: int
    most: int
    users: int
    events: int


class ActiveUser(_Part):
    """One of the users with the most events."""

    user_id: int
    events: int


class Activity(_Part):
    """Users by their number of events."""

    users: int
    without_user: int
    """Events without a `user_id`."""
    bands: tuple[Band, ...]
    """The bands from the first with users to the last, without gaps."""
    most_active: tuple[ActiveUser, ...]


class Nulls(_Part):
    """The number of events without a value in a column of the raw table."""

    column: str
    events: int


class DelayBand(_Part):
    """The events with a delay of at least `at_least_ms` and less than `below_ms`."""

    at_least_ms: int
    below_ms: int | None
    events: int


class Delay(_Part):
    """The delay from `event_time` to `received_time`.

    Percentiles are by nearest rank among the events of the bands, truncated to 3 significant
    digits.
    """

    bands: tuple[DelayBand, ...]
    before: int
    """Events that were received before their time, because the sender's clock is ahead."""
    unknown: int
    """Events without one of the two times."""
    median_ms: int | None
    p95_ms: int | None
    longest_ms: int | None


class Newest(_Part):
    """The newest time in a column that is not after the report's time, and its age."""

    time: AwareDatetime
    age_seconds: float


class FailedReason(_Part):
    """The failed events with one reason. `newest` is a timestamp of Kafka."""

    reason: str | None
    events: int
    newest: AwareDatetime | None


class Failed(_Part):
    """The failed events: records on the topic that are not valid events."""

    events: int
    reasons: tuple[FailedReason, ...]
    rest: Rest | None


class Quality(_Part):
    """Data that is missing, wrong or late."""

    nulls: tuple[Nulls, ...]
    later: int
    """Events whose `event_time` is after the report's time."""
    delay: Delay
    newest_event: Newest | None
    """The newest `event_time`."""
    newest_received: Newest | None
    """The newest `received_time`."""
    failed: Failed | None
    """Null if there is no folder of failed events."""


class UserOfWindow(_Part):
    """The metrics of one user."""

    user_id: int
    u_count: int
    u_mp_ea: str | None


class Favourite(_Part):
    """The number of users with this most frequent action; null for users without an action."""

    action: str | None
    users: int


class OtherFavourites(_Part):
    """The sums of the favourite actions that are left out of the list."""

    actions: int
    users: int


class Enriched(_Part):
    """The users' metrics in the enriched table; `--days` does not limit them."""

    layout: Literal["events", "users"]
    """Whether the table has one row per event or one row per user."""
    rows: int
    users: int
    processing_time: AwareDatetime | None
    """The time of the metrics; null if the version has no manifest."""
    active_users: int
    """Users with events in the window before the processing time."""
    active_events: int
    """The number of events in this window."""
    most_active: tuple[UserOfWindow, ...]
    favourites: tuple[Favourite, ...]
    rest: OtherFavourites | None


class Report(_Part):
    """The figures that `events-analytics report` found in the tables.

    Lists have at most `--top` entries, and the other entries are summed. Times are in UTC.
    """

    generated_time: AwareDatetime
    raw: str
    """The raw table's folder, as given."""
    since: date | None
    """The first day of the report if `--days` was given. Earlier events, and events without a
    time, are left out of everything except `enriched`."""
    events: int
    first_event_time: AwareDatetime | None
    over_time: OverTime | None
    """Null if no event has a time up to now."""
    categories: Categories
    products: Products
    own_fields: tuple[OwnField, ...]
    """The own text fields of the contract, in its order; empty for the default contract."""
    activity: Activity
    quality: Quality
    enriched: Enriched | None
    """Null if there is no enriched table yet."""

    def to_json(self) -> str:
        """Return the report as indented JSON."""
        return self.model_dump_json(indent=1) + "\n"
