"""The collector as a Starlette application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from events_ingest.authentication import Authentication, read_tokens
from events_ingest.errors import BrokerUnavailable
from events_ingest.producer import EventProducer, KafkaProducer
from events_ingest.responses import ApiError
from events_ingest.settings import ServeSettings
from events_ingest.topic import Topic
from events_ingest.track import Track, unavailable

log = structlog.get_logger()


def create_app(settings: ServeSettings, producer: EventProducer | None = None) -> Starlette:
    """Return the application for `settings`; its lifespan starts and stops `producer`.

    The default producer writes to Kafka. Raises `UsageError` where the keys cannot be used.
    """
    authentication = Authentication(read_tokens(settings))
    events = producer or kafka_producer(settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await events.start()
        try:
            yield
        finally:
            await events.stop()

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(_: Request) -> Response:
        if events.ready:
            return JSONResponse({"status": "ready"})
        return unavailable(BrokerUnavailable("Kafka is away, or its topic is")).response()

    app = Starlette(
        routes=[
            Route("/track", Track(settings, authentication, events).__call__, methods=["POST"]),
            Route("/livez", live),
            Route("/readyz", ready),
        ],
        exception_handlers={
            ApiError: answer_api_error,
            HTTPException: answer_http_exception,
            Exception: answer_unexpected,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def kafka_producer(settings: ServeSettings) -> KafkaProducer:
    """Return the producer that `settings` describe, not started."""
    topic = Topic(
        name=settings.topic,
        partitions=settings.partitions,
        replication=settings.replication,
        min_insync_replicas=settings.required_replicas,
    )
    return KafkaProducer(
        settings.brokers,
        topic,
        ack_timeout=settings.ack_timeout,
        max_in_flight_bytes=settings.max_in_flight_bytes,
    )


async def answer_api_error(_: Request, error: Exception) -> Response:
    """Answer an error that the collector raised."""
    assert isinstance(error, ApiError)  # noqa: S101  # Starlette's types know no narrower error
    return error.response()


async def answer_http_exception(_: Request, error: Exception) -> Response:
    """Answer an error that Starlette raised, such as 404 and 405."""
    assert isinstance(error, HTTPException)  # noqa: S101
    status = HTTPStatus(error.status_code)
    code = status.name.lower()
    return ApiError(status, code, status.phrase, headers=error.headers).response()


async def answer_unexpected(request: Request, error: Exception) -> Response:
    """Answer and log a defect of ours."""
    log.error("unexpected error", path=request.url.path, exc_info=error)
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return ApiError(status, "internal_error", "the collector failed; send it again").response()
