"""Runs the command as `python -m events_schema`."""

from events_schema.cli import main

raise SystemExit(main())
