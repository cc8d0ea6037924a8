"""The batch job of the events pipeline: each user's metrics, published in one step."""

from events_analytics.errors import AnalyticsError
from events_analytics.job.enrichment import enrich
from events_analytics.job.job import Job, run, run_job
from events_analytics.versions.manifest import Manifest

__all__ = ["AnalyticsError", "Job", "Manifest", "enrich", "run", "run_job"]
