"""The settings of `events-ingest serve`."""

from events_ingest.settings.serve import ServeSettings

__all__ = ["ServeSettings"]
