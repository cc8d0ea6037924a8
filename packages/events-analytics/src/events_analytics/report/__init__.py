"""The report on the tables and their data quality, as an HTML page or as JSON."""

from events_analytics.report.figures.raw import Scope
from events_analytics.report.model import Report
from events_analytics.report.page.rendering import render_page
from events_analytics.report.reading import read_report
from events_analytics.report.tables import Tables, find_tables

__all__ = ["Report", "Scope", "Tables", "find_tables", "read_report", "render_page"]
