"""The collector as a Starlette application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from events_ingest.access.authentication import Authentication
from events_ingest.budget import Budget
from events_ingest.endpoints.admission import Admission
from events_ingest.endpoints.batch import Batch
from events_ingest.endpoints.fast_lane import FAST_LANE, FastLane
from events_ingest.endpoints.intake import Intake
from events_ingest.endpoints.track import Track
from events_ingest.errors import BrokerUnavailable, ProducerError
from events_ingest.http.cors import Cors
from events_ingest.http.responses import ApiError, unavailable
from events_ingest.kafka.clients import client_options
from events_ingest.kafka.producer import EventProducer, KafkaProducer
from events_ingest.kafka.topic import Topic
from events_ingest.pages.demo import demo_routes
from events_ingest.pages.documentation import documentation_routes
from events_ingest.pages.openapi import openapi
from events_ingest.pages.tracker import tracker_routes
from events_ingest.settings import ServeSettings
from events_ingest.telemetry.access_log import AccessLog
from events_ingest.telemetry.metrics import CONTENT_TYPE, EventMetrics
from events_ingest.telemetry.middleware import Observation
from events_schema import Contract
from events_schema.runtime.errors import UsageError

_GAUGE_SECONDS = 1.0


def create_app(
    settings: ServeSettings,
    producer: EventProducer | None = None,
    contract: Contract[Any] | None = None,
) -> Starlette:
    """Return the application for `settings`; its lifespan starts and stops `producer`.

    The default producer writes to Kafka; the default contract is the one in `settings`. Raises
    `UsageError` if keys or files are unusable, and the errors of `settings.load_contract`.
    """
    contract = contract or settings.load_contract()
    metrics = EventMetrics()
    budget = Budget(settings.max_in_flight_bytes)
    events = producer or kafka_producer(settings, contract, budget, metrics)
    admission = Admission(create_authentication(settings), events)
    access_log = AccessLog(settings.access_log, log_clients=settings.log_clients)
    cors = Cors(_origins(settings))
    intake = Intake(contract, events, metrics, settings.window)
    track = Track(admission, intake, budget, limits=settings.track_limits)
    # fmt: off
    batch = Batch(
        admission, intake, budget, limits=settings.batch_limits,
        max_events=settings.max_batch_events, max_event_bytes=settings.max_event_bytes,
    )
    # fmt: on
    fast_lane = FastLane(admission, intake, access_log, cors, max_bytes=settings.max_event_bytes)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        await events.start()
        gauge = asyncio.create_task(_show_in_flight(budget, metrics))
        try:
            yield {FAST_LANE: fast_lane}
        finally:
            gauge.cancel()
            await events.stop()

    routes = [
        Route("/track", track, methods=["POST"]),
        Route("/track", cors.preflight, methods=["OPTIONS"]),
        Route("/batch", batch, methods=["POST"]),
        Route("/batch", cors.preflight, methods=["OPTIONS"]),
        *_status_routes(events, metrics, budget, settings),
        *documentation_routes(openapi(settings, contract)),
        *tracker_routes(settings, contract),
        *demo_routes(settings),
    ]
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(
                Observation,
                endpoints={route.path for route in routes},
                metrics=metrics,
                access_log=access_log,
                cors=cors,
            )
        ],
        exception_handlers={
            ApiError: answer_api_error,
            ProducerError: answer_producer_error,
            HTTPException: answer_http_exception,
        },
        lifespan=lifespan,
    )
    app.state.metrics = metrics
    app.router.redirect_slashes = False
    return app


def _status_routes(
    events: EventProducer, metrics: EventMetrics, budget: Budget, settings: ServeSettings
) -> list[Route]:
    """Return the routes for the collector's status, with metrics unless they have a port."""

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(_: Request) -> Response:
        if not events.ready:
            raise BrokerUnavailable("Kafka is unavailable, or its topic cannot take records")
        return JSONResponse({"status": "ready"})

    async def show_metrics(_: Request) -> Response:
        metrics.in_flight_bytes.set(budget.used)
        return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    routes = [Route("/livez", live), Route("/readyz", ready)]
    if settings.metrics_port is None:
        routes.append(Route("/metrics", show_metrics))
    return routes


def create_authentication(settings: ServeSettings) -> Authentication:
    """Return the authentication for `settings`. Raises `UsageError`."""
    tokens, public_keys = settings.service_keys(), settings.page_keys()
    given = bool(tokens or public_keys)
    if given and settings.allow_anonymous:
        raise UsageError("--allow-anonymous and keys exclude each other; give only one of them")
    if not given and not settings.allow_anonymous:
        raise UsageError(
            "no key is set; give --token or --token-file, --public-key or --public-key-file for "
            "web pages, or --allow-anonymous to let anyone post"
        )
    if {key.key.encode() for key in public_keys} & set(tokens):
        raise UsageError("a public key is also a service's key; create another key for web pages")
    return Authentication(
        tokens,
        public_keys,
        rate=settings.max_rate and settings.per_worker(settings.max_rate),
        public_rate=settings.per_worker(settings.max_public_rate),
    )


def kafka_producer(
    settings: ServeSettings, contract: Contract[Any], budget: Budget, metrics: EventMetrics
) -> KafkaProducer:
    """Return a producer for `settings` and records of `contract`, not yet started."""
    topic = Topic(
        name=settings.topic,
        partitions=settings.partitions,
        replication=settings.replication,
        min_insync_replicas=settings.required_replicas,
    )
    return KafkaProducer(
        client_options(settings),
        topic,
        budget,
        metrics,
        ack_timeout=settings.ack_timeout,
        batch_bytes=settings.record_batch_bytes,
        max_record_bytes=contract.max_record_bytes,
        linger=settings.linger,
    )


def _origins(settings: ServeSettings) -> set[str] | None:
    if settings.allow_anonymous:
        return None
    return {origin for key in settings.page_keys() for origin in key.origins}


async def _show_in_flight(budget: Budget, metrics: EventMetrics) -> None:
    """Keep the gauge up to date, since another worker may be asked for this one's metrics."""
    while True:
        metrics.in_flight_bytes.set(budget.used)
        await asyncio.sleep(_GAUGE_SECONDS)


async def answer_api_error(request: Request, error: Exception) -> Response:
    """Answer an error that the collector raised."""
    assert isinstance(error, ApiError)  # noqa: S101  # Starlette types it as Exception
    return error.response(request.state.request_id)


async def answer_producer_error(request: Request, error: Exception) -> Response:
    """Answer that nothing was sent to Kafka."""
    assert isinstance(error, ProducerError)  # noqa: S101
    return unavailable(error).response(request.state.request_id)


async def answer_http_exception(request: Request, error: Exception) -> Response:
    """Answer an error that Starlette raised, such as 404 and 405."""
    assert isinstance(error, HTTPException)  # noqa: S101
    status = HTTPStatus(error.status_code)
    answer = ApiError(status, status.name.lower(), status.phrase, headers=error.headers)
    return answer.response(request.state.request_id)
