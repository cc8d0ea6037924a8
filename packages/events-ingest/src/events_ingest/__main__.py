"""Runs the command as `python -m events_ingest`."""

from events_ingest.cli import main

raise SystemExit(main())
