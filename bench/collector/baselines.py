"""The baselines of the collector."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


async def read_and_answer(request: Request) -> Response:
    """Read the body and answer: the minimum cost of a Starlette route."""
    await request.body()
    return JSONResponse({"detail": "Event created"})


plain = Starlette(routes=[Route("/track", read_and_answer, methods=["POST"])])


class Event(BaseModel):
    """The event, written in the obvious way."""

    event_id: str
    user_id: int
    app_name: str
    event_category: str
    event_action: str | None = None
    event_value: int | None = None


@asynccontextmanager
async def _producing(app: Starlette) -> AsyncIterator[None]:
    async with AIOKafkaProducer(
        bootstrap_servers=os.environ["BENCH_BROKERS"], acks="all", enable_idempotence=True
    ) as producer:
        app.state.producer = producer
        yield


async def send_and_wait(request: Request) -> Response:
    """Validate, produce one record, wait for its acknowledgement: the obvious implementation."""
    try:
        event = Event.model_validate_json(await request.body())
    except ValidationError as error:
        return JSONResponse({"detail": error.errors()}, 422)
    value = event.model_dump_json().encode()
    await request.app.state.producer.send_and_wait(os.environ["BENCH_TOPIC"], value)
    return JSONResponse({"detail": "Event created", "event_id": event.event_id})


obvious = Starlette(routes=[Route("/track", send_and_wait, methods=["POST"])], lifespan=_producing)
