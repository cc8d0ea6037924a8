"""The intake that the endpoints share: it turns events into records for Kafka."""

from __future__ import annotations

from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

import uuid_utils

from events_ingest.endpoints.plain import PlainReader
from events_ingest.errors import ProducerError
from events_ingest.http.responses import ApiError, Attempt, unavailable
from events_ingest.kafka.producer import EventProducer
from events_ingest.limits import EventTimeWindow
from events_ingest.telemetry.metrics import EventMetrics
from events_schema import Contract, column_names
from events_schema.errors import FieldError

NO_SHIFT = timedelta(0)


class OutsideWindow(Exception):
    """Raised when an event's time is too far back or ahead; `errors` is the error of the field."""

    def __init__(self, window: EventTimeWindow) -> None:
        super().__init__()
        text = f"Input should be between {window.back} ago and {window.ahead} ahead of now"
        self.errors: list[FieldError] = [
            {"field": "event_time", "code": "event_time_window", "message": text}
        ]


class Intake:
    """Makes records of `contract` for `producer`, and counts their outcomes in `metrics`."""

    def __init__(
        self,
        contract: Contract[Any],
        producer: EventProducer,
        metrics: EventMetrics,
        window: EventTimeWindow,
    ) -> None:
        self.producer = producer
        self.metrics = metrics
        self._window = window
        self._read_plain = PlainReader(contract).read
        self._parse = contract.parser.parse
        self._posted_values = itemgetter(
            *(name for name in column_names(contract.envelope) if name != "received_time")
        )
        self._encode = contract.value_encoder

    def record(
        self, text: bytes, received_time: datetime, shift: timedelta = NO_SHIFT
    ) -> tuple[bytes, str]:
        """Return the record for the event in `text`, and the event's id.

        An event without an id or a time gets one. A time from the client is first moved by
        `shift`, which is how far the client's clock is behind. Raises `MalformedJson`,
        `InvalidEvent` and `OutsideWindow`.
        """
        values = self._read_plain(text)
        if values is None:
            values = list(self._posted_values(self._parse(text).__dict__))
        event_id, event_time = values[0] or str(uuid_utils.uuid7()), values[1]
        if event_time is None:
            event_time = received_time
        else:
            window = self._window
            try:
                event_time += shift
            except OverflowError:
                raise OutsideWindow(window) from None
            if not received_time - window.back <= event_time <= received_time + window.ahead:
                raise OutsideWindow(window)
        values[:2] = event_id, received_time, event_time
        return self._encode(values), event_id

    def unacknowledged(self, error: ProducerError, event_id: str) -> ApiError:
        """Count an event that was not acknowledged, and return the error to answer.

        The error has the `event_id` if the event may be stored nevertheless: if it is sent again
        with that id, it is stored once.
        """
        self.metrics.unacknowledged(1)
        attempt: Attempt | None = {"event_id": event_id} if error.attempted else None
        return unavailable(error, attempt)
