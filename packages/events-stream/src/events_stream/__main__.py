"""Runs the command as `python -m events_stream`."""

from events_stream.cli import main

raise SystemExit(main())
