"""Runs the command as `python -m events_analytics`."""

from events_analytics.cli import main

raise SystemExit(main())
