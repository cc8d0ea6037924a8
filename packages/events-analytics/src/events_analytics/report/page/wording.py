"""Formats numbers, times and names for the page."""

from __future__ import annotations

from datetime import date, datetime

from markupsafe import Markup

from events_analytics.report.bins import BinSize
from events_analytics.report.model import Newest, OverTime

_JOINERS = "\u200c\u200d"
"""Invisible characters that are part of words and emoji."""

_LARGE = ((10**12, "tn"), (10**9, "bn"), (10**6, "M"))

_LEAST = 0.1
"""The smallest share that is shown, in per cent."""

NOTHING = "\N{EN DASH}"

_SECOND = 1_000
_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))

_BIN_FORMATS = {
    BinSize.MINUTE: "{0.day} {0:%b} {0.year}, {0:%H:%M}",
    BinSize.HOUR: "{0.day} {0:%b} {0.year}, {0:%H:%M}",
    BinSize.DAY: "{0:%a} {0.day} {0:%b} {0.year}",
    BinSize.WEEK: "week from {0.day} {0:%b} {0.year}",
    BinSize.MONTH: "{0:%B} {0.year}",
    BinSize.YEAR: "{0.year}",
    BinSize.DECADE: "{0.year}s",
    BinSize.CENTURY: "{0.year} to the next century",
}

_TICK_FORMATS = {
    BinSize.MINUTE: "{0:%H:%M}",
    BinSize.HOUR: "{0.day} {0:%b}, {0:%H:%M}",
    BinSize.DAY: "{0.day} {0:%b}",
    BinSize.WEEK: "{0.day} {0:%b} {0.year}",
    BinSize.MONTH: "{0:%b} {0.year}",
}


def say_count(count: int) -> str:
    """Return a count with separators, for example 1,234,567."""
    return f"{count:,}"


def say_briefly(count: int) -> str:
    """Return a count with few digits, for example 12.3 M, truncated."""
    sign, amount = "-" if count < 0 else "", abs(count)
    for size, unit in _LARGE:
        if amount >= size:
            digits = 2 if amount < 10 * size else 1 if amount < 100 * size else 0
            cut = amount * 10**digits // size
            return f"{sign}{cut / 10**digits:,.{digits}f} {unit}"
    return say_count(count)


def say_share(part: int, whole: int) -> str:
    """Return a part in per cent; only 0 is shown as 0 %, and only the whole as 100 %."""
    if not part or not whole:
        return "0 %"
    if part == whole:
        return "100 %"
    percent = 100 * part / whole
    if percent < _LEAST:
        return f"< {_LEAST} %"
    return f"{min(percent, 100 - _LEAST):.1f} %"


def say_duration(ms: float | None) -> str:
    """Return a duration in its two largest units, for example 3 h 12 min."""
    if ms is None:
        return NOTHING
    if ms < _SECOND:
        return f"{int(ms)} ms"
    if ms < 10 * _SECOND:
        return f"{int(ms) / _SECOND:g} s"
    parts: list[str] = []
    left = int(ms)
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count:,} {unit}" if count else "")
    return " ".join(filter(None, parts[:2]))


def say_time(time: datetime) -> str:
    """Return a UTC time to the second."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def say_minute(time: datetime) -> str:
    """Return a UTC time to the minute."""
    return f"{say_day(time)}, {time:%H:%M}"


def say_day(time: date) -> str:
    """Return a day, or the day of a UTC time."""
    return f"{time.day} {time:%b} {time.year}"


def say_age(newest: Newest | None) -> str:
    """Return the age of the newest event, to the second."""
    if newest is None:
        return NOTHING
    return say_duration(1000 * int(newest.age_seconds)) if newest.age_seconds >= 1 else "< 1 s"


def say_amount(noun: str, count: int) -> str:
    """Return a count with its noun, for example 1 day or 12 categories."""
    several = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{say_count(count)} {noun if count == 1 else several}"


def say_period(first: datetime, last: datetime) -> str:
    """Return the first and the last day, or the one day if they are equal."""
    days = dict.fromkeys((say_day(first), say_day(last)))
    return " to ".join(days)


def say_summary(over_time: OverTime) -> str:
    """Return a description of a chart, for people who cannot see it."""
    first, last = (say_bin(over_time.size, over_time.bins[end].start) for end in (0, -1))
    most = max(over_time.bins, key=lambda each: each.events)
    return (
        f"Bar chart of events by {over_time.size}, {first} to {last}. "
        f"Most: {say_count(most.events)}, {say_bin(over_time.size, most.start)}."
    )


def say_bin(size: BinSize, start: datetime) -> str:
    """Return the interval of time of a bin."""
    return _BIN_FORMATS[size].format(start)


def say_tick(size: BinSize, start: datetime) -> str:
    """Return the short name of a bin, for the labels below a chart."""
    return _TICK_FORMATS.get(size, "{0.year}").format(start)


def say_name(name: str | None, missing: str = "not set") -> Markup:
    """Return a name as escaped HTML that is readable whatever its characters and direction.

    Invisible characters are written as escapes, so that readers can distinguish all names.
    """
    if name is None:
        return Markup('<i class="unset">{}</i>').format(missing)
    shown = spell_out(name)
    return Markup('<bdi title="{0}">{0}</bdi>').format(shown)


def say_plainly(name: str | None, missing: str = "not set") -> str:
    """Return a name as plain text, for places that cannot contain HTML elements."""
    return missing if name is None else spell_out(name)


def spell_out(name: str) -> str:
    """Return `name` with escapes for invisible characters, quoted if blanks are at its ends."""
    shown = "".join(
        each if each.isprintable() or each in _JOINERS else f"\\u{ord(each):04x}" for each in name
    )
    return shown if shown.strip(_JOINERS + " ") == shown and shown else f'"{shown}"'
