"""The command `events-stream run`."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack

from events_schema.runtime.exposition import serving_metrics
from events_schema.runtime.java.find import find_java
from events_schema.runtime.session.start import kill_session, stop_session
from events_stream.kafka.security import client_security, java_options
from events_stream.run.build import build_run, watching
from events_stream.run.checkpoint import open_checkpoint
from events_stream.run.metrics import StreamMetrics
from events_stream.run.session import stream_session
from events_stream.run.watchdog import Watchdog
from events_stream.settings import RunSettings
from events_stream.table.folder.open import open_table


def run(settings: RunSettings) -> None:
    """Run the stream with `settings`. Raises `EventsError`."""
    stopping = threading.Event()
    contract = settings.load_contract()
    find_java()
    client_security(settings)  # refuses unusable files before any folder is created
    metrics = StreamMetrics()
    with (
        serving_metrics(metrics.registry, settings.metrics_host, settings.metrics_port),
        ExitStack() as held,
    ):
        with Watchdog(settings.stall_timeout) as watchdog:  # opening may wait for another command
            watch = watching(watchdog, metrics)
            table = held.enter_context(open_table(settings.target, watch))
            table.state.check_contract(contract, table.paths)
            checkpoint = held.enter_context(open_checkpoint(settings.checkpoint, table.paths))
        _stop_on_signals(stopping)  # before this, a signal ends the process at once
        spark = stream_session(settings, java_options(settings))
        try:
            with Watchdog(settings.stall_timeout, lambda: kill_session(spark)) as watchdog:
                stream = build_run(
                    settings,
                    spark,
                    table,
                    checkpoint,
                    contract=contract,
                    metrics=metrics,
                    watchdog=watchdog,
                )
                stream.run(stopping)
        finally:
            stop_session(spark)


def _stop_on_signals(stopping: threading.Event) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
