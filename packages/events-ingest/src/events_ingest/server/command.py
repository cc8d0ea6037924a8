"""The command `events-ingest serve`."""

from __future__ import annotations

import asyncio
import signal

import structlog

from events_ingest.kafka.access import check_access
from events_ingest.kafka.clients import client_options
from events_ingest.server.app import create_authentication
from events_ingest.server.server import CollectorServer
from events_ingest.server.workers import Workers
from events_ingest.settings import ServeSettings


def serve(settings: ServeSettings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises `EventsError`, among them `KafkaRefused` if Kafka answers and refuses the collector.
    """
    create_authentication(settings)  # refuses unusable keys before Kafka is asked
    asyncio.run(check_access(client_options(settings), settings.topic))
    server = CollectorServer(settings) if settings.workers == 1 else Workers(settings)
    for number in (signal.SIGINT, signal.SIGTERM):
        # Also for the time before and after uvicorn's handlers, so that a second Ctrl-C does not
        # kill requests in flight.
        signal.signal(number, server.handle_exit)
    log = structlog.get_logger()
    log.info("listening", url=server.url, brokers=settings.brokers, topic=settings.topic)
    if settings.allow_anonymous:
        log.warning("anyone may post events", reason="--allow-anonymous")
    server.run()
    log.info("stopped")
