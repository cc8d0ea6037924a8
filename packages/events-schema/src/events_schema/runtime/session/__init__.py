"""Spark sessions: their settings, start, end and failures."""
