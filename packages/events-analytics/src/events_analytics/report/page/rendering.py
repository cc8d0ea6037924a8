"""Renders the page: one HTML file that includes everything it shows and fetches nothing."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from events_analytics.report.model import OverTime, Report
from events_analytics.report.page import wording
from events_analytics.report.page.chart import HEIGHT, bar_chart, percent, portion

_STATIC = Path(__file__).with_name("static")
_FILTERS = {
    "count": wording.say_count,
    "briefly": wording.say_briefly,
    "duration": wording.say_duration,
    "time": wording.say_time,
    "day": wording.say_day,
    "minute": wording.say_minute,
    "name": wording.say_name,
    "plain": wording.say_plainly,
}
_FUNCTIONS = {
    "amount": wording.say_amount,
    "age": wording.say_age,
    "percent": percent,
    "portion": portion,
    "period": wording.say_period,
    "share": wording.say_share,
    "say_bin": wording.say_bin,
    "say_tick": wording.say_tick,
}


def render_page(report: Report) -> str:
    """Return the page that shows `report`, a complete HTML document."""
    environment = Environment(
        loader=PackageLoader("events_analytics.report.page", "static"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(_FILTERS)
    environment.globals.update(_FUNCTIONS)
    style, script = _read("report.css"), _read("report.js")
    over_time = report.over_time
    return environment.get_template("report.html").render(
        report=report,
        chart=bar_chart([each.events for each in over_time.bins]) if over_time else None,
        chart_height=HEIGHT,
        unfinished=over_time and _is_unfinished(over_time, report.generated_time),
        summary=over_time and wording.say_summary(over_time),
        most_band=max((band.users for band in report.activity.bands), default=0),
        most_delayed=max(band.events for band in report.quality.delay.bands),
        style=Markup(style),  # noqa: S704  # files of this package
        script=Markup(script),  # noqa: S704
        policy=content_policy(style, script),
    )


def _is_unfinished(over_time: OverTime, now: datetime) -> bool:
    return over_time.bins[-1].start == over_time.size.start(now)


def content_policy(style: str, script: str) -> str:
    """Return a Content-Security-Policy that allows only this inline style and script."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _read(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")
