"""Spark sessions: settings, start, stop and failures."""
