"""The batch job, which adds each user's metrics to the raw events and publishes the result.

Names are imported on first use, so that `--help` and a program load only what they need.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

_MODULES = {
    "AnalyticsError": "events_analytics.errors",
    "Job": "events_analytics.job.job",
    "Manifest": "events_analytics.versions.manifest",
    "enrich": "events_analytics.job.enrichment",
    "run": "events_analytics.job.job",
    "run_job": "events_analytics.job.job",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
