"""The batch job of the events pipeline: each user's metrics, published in one step.

The names below load when they are first used: most of them need pyspark, and `events-analytics ddl`
and `report` do not.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from events_analytics.errors import AnalyticsError
    from events_analytics.job.enrichment import enrich
    from events_analytics.job.job import Job, run, run_job
    from events_analytics.versions.manifest import Manifest

__all__ = ["AnalyticsError", "Job", "Manifest", "enrich", "run", "run_job"]

_MODULES = {
    "AnalyticsError": "errors",
    "Job": "job.job",
    "Manifest": "versions.manifest",
    "enrich": "job.enrichment",
    "run": "job.job",
    "run_job": "job.job",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
