"""The metrics on a port of their own, for those who keep them from the public."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from prometheus_client import CollectorRegistry, start_http_server

from events_ingest.errors import AddressUnavailable
from events_ingest.settings import ServeSettings
from events_ingest.telemetry.metrics import all_workers

log = structlog.get_logger()


@contextmanager
def metrics_port(settings: ServeSettings, own: CollectorRegistry | None) -> Iterator[None]:
    """Serve the metrics for as long as the context, if the settings want it.

    `own` are those of this process; None where its workers have them. Raises
    `AddressUnavailable`.
    """
    if settings.metrics_port is None:
        yield
        return
    registry = all_workers(own or CollectorRegistry())
    try:
        server, thread = start_http_server(settings.metrics_port, settings.host, registry)
    except OSError as error:
        raise AddressUnavailable(
            f"cannot listen on {settings.host}:{settings.metrics_port}: {error.strerror}; "
            "give another --metrics-port"
        ) from None
    log.info("metrics", url=f"http://{settings.host}:{server.server_port}/metrics")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
