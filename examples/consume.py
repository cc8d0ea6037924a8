"""A service that reads the events of the Acme shop from Kafka: python consume.py."""

import asyncio
import os

from aiokafka import AIOKafkaConsumer

from acme_events import CONTRACT, AcmeEvent
from events_schema import DecodeError

BROKERS = os.environ.get("BROKERS", "localhost:9092")
TOPIC = os.environ.get("TOPIC", "events")


async def main() -> None:
    """Print the price of each event until interrupted."""
    async with AIOKafkaConsumer(
        TOPIC, bootstrap_servers=BROKERS, group_id="prices", auto_offset_reset="earliest"
    ) as consumer:
        async for record in consumer:
            try:
                event = CONTRACT.decode(record.value)
            except DecodeError as error:  # the stream keeps such records as failed events
                print(f"offset {record.offset} is not an event: {error}", flush=True)
                continue
            if isinstance(event, AcmeEvent) and event.price is not None:
                # A producer may send an event twice; the event_id is the same.
                print(f"{event.event_id} {event.plan} {event.price}", flush=True)


asyncio.run(main())
