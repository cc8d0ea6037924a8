"""Runs `events-loadgen` as `python -m events_loadgen`."""

from events_loadgen.cli import main

raise SystemExit(main())
