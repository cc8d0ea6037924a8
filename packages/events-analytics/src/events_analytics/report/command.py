"""The command `events-analytics report`."""

from __future__ import annotations

from datetime import UTC, datetime

from events_analytics.report.figures.raw import Scope
from events_analytics.report.output import check_output, write_output
from events_analytics.report.page.rendering import render_page
from events_analytics.report.reading import read_report
from events_analytics.report.tables import find_tables
from events_analytics.session.signals import interruptible
from events_analytics.settings import ReportSettings


def report(settings: ReportSettings) -> None:
    """Read the tables and write the report."""
    contract = settings.load_contract()
    check_output(settings.destination)
    now = datetime.now(UTC)
    tables = find_tables(
        settings.raw,
        settings.enriched,
        settings.failed,
        required=settings.model_fields_set,
    )
    with interruptible() as signals:
        found = read_report(tables, contract, Scope(now, settings.since(now), settings.top))
        text = render_page(found) if settings.format == "html" else found.to_json()
        signals.ignore()
        write_output(settings.destination, text)
