"""The batch job, which adds each user's metrics to the raw events and publishes the result.

Names are imported on first use, so that `--help` and a program load only what they need.
"""

from typing import TYPE_CHECKING

from events_schema.lazy import lazy_names

if TYPE_CHECKING:
    from events_analytics.errors import AnalyticsError
    from events_analytics.job.enrichment import enrich
    from events_analytics.job.job import Job, run, run_job
    from events_analytics.versions.manifest import Manifest

__all__ = [
    "AnalyticsError",
    "Job",
    "Manifest",
    "enrich",
    "run",
    "run_job",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "events_analytics.errors": ("AnalyticsError",),
        "events_analytics.job.enrichment": ("enrich",),
        "events_analytics.job.job": ("Job", "run", "run_job"),
        "events_analytics.versions.manifest": ("Manifest",),
    },
)
