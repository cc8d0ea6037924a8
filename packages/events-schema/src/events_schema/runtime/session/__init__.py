"""Spark sessions: which one, started and ended in order."""
