"""A service that publishes its own events to Kafka: uvicorn publish:app."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from acme_events import CONTRACT
from events_schema import EventsError

BROKERS = os.environ.get("BROKERS", "localhost:9092")
TOPIC = os.environ.get("TOPIC", "events")


@asynccontextmanager
async def producing(app: Starlette) -> AsyncIterator[None]:
    """Check that the contract is released, and keep one producer open."""
    CONTRACT.check_released()
    async with AIOKafkaProducer(
        bootstrap_servers=BROKERS, acks="all", enable_idempotence=True
    ) as producer:
        app.state.producer = producer
        yield


async def publish(request: Request) -> Response:
    """Answer 200 once Kafka has the event; an error names the field that is wrong."""
    try:
        event = CONTRACT.parse_event(await request.body())
    except EventsError as error:
        return JSONResponse({"error": str(error)}, 422)
    envelope = CONTRACT.envelope.from_posted(event)
    await request.app.state.producer.send_and_wait(TOPIC, CONTRACT.encode(envelope))
    return JSONResponse({"event_id": envelope.event_id})


app = Starlette(routes=[Route("/orders", publish, methods=["POST"])], lifespan=producing)
