"""`Contract`: everything that is derived from one event class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from events_schema.avro import MARKER, RecordReader, Schema, avro_schema, fingerprint
from events_schema.column import Column, ColumnType, column_names, columns, foreign_columns
from events_schema.encoder import record_encoder
from events_schema.enrichment import WINDOW, enrich
from events_schema.errors import (
    ContractError,
    DecodeError,
    ForeignFields,
    NotAnEvolution,
    NotReleased,
    ReleaseError,
)
from events_schema.evolution.comparison import say_breaks
from events_schema.evolution.releases import Release, read_releases, releases_folder
from events_schema.failed import FailureReason
from events_schema.json_schema import json_schema
from events_schema.models.derived import (
    enriched_model,
    envelope_model,
    posted_model,
    stored_model,
)
from events_schema.models.event import Event, EventEnvelope, PostedEvent
from events_schema.models.own_fields import check_own_fields, own_field_names
from events_schema.models.rows import EnrichedEvent, StoredEvent
from events_schema.models.types import LATEST_TIME, MAX_TEXT_LENGTH, type_name
from events_schema.parse import EventParser

EventT = TypeVar("EventT", bound=Event)

_UNIQUE = ("event_id", "received_time", "event_time")
_LONGEST: Mapping[ColumnType, Any] = MappingProxyType(
    {
        ColumnType.BOOL: True,
        ColumnType.FLOAT64: 1.0,
        ColumnType.INT32: -(2**31),
        ColumnType.INT64: -(2**63),
        ColumnType.STRING: "\U0010ffff" * MAX_TEXT_LENGTH,
        ColumnType.TIMESTAMP: LATEST_TIME,
    }
)


@dataclass(frozen=True)
class Contract(Generic[EventT]):
    """Everything derived from the class `event`: models, wire format, schemas, parser, metrics.

    `Contract(Event)` is the default contract, `Contract(AcmeEvent)` a team's own. Two contracts
    with the same class are equal. Raises `ContractError` if `event` is not `Event` or a valid
    subclass of it.
    """

    event: type[EventT]

    def __post_init__(self) -> None:
        event: Any = self.event
        derived = (PostedEvent, EventEnvelope)
        if not (isinstance(event, type) and issubclass(event, Event)) or issubclass(event, derived):
            what = event.__name__ if isinstance(event, type) else f"a {type(event).__name__}"
            raise ContractError(
                f"{what:.100} is not an event class; give events_schema.Event or a subclass that "
                f"adds fields to it"
            )
        check_own_fields(event, Event)  # again, in case the class disabled its own check

    def __reduce__(self) -> Any:
        """Copy only the class to another process; everything else is derived there again."""
        return Contract, (self.event,)

    @property
    def name(self) -> str:
        """The name to give to `--contract`: MODULE:CLASS."""
        if self.event is Event:
            return "events_schema:Event"
        return f"{self.event.__module__}:{self.event.__qualname__}"

    # --- models ---

    @property
    def posted(self) -> type[PostedEvent]:
        """The model of a posted event; its instances are instances of `event` too."""
        return posted_model(self.event)

    @property
    def envelope(self) -> type[EventEnvelope]:
        """The model of a record on Kafka; its instances are instances of `event` too."""
        return envelope_model(self.event)

    @property
    def stored(self) -> type[StoredEvent]:
        """The model of a row of the raw table."""
        return stored_model(self.event)

    @property
    def enriched(self) -> type[EnrichedEvent]:
        """The model of a row of the enriched table."""
        return enriched_model(self.event)

    @cached_property
    def own_columns(self) -> tuple[Column, ...]:
        """The columns that `event` adds to those of `Event`, in order."""
        names = own_field_names(self.event, Event)
        return tuple(column for column in columns(self.event) if column.name in names)

    @property
    def own_types(self) -> dict[str, str]:
        """The types of the own columns by name, in order, as a table records them."""
        return {column.name: column.type.value for column in self.own_columns}

    # --- events ---

    def parse_event(self, body: bytes) -> PostedEvent:
        """Read one posted event from the JSON in `body`.

        Raises `MalformedJson` if `body` is not one JSON object, and `InvalidEvent`, which names
        each invalid field, if the object is not a valid event.
        """
        return self.parser.parse(body)

    @cached_property
    def parser(self) -> EventParser[PostedEvent]:
        """The parser that reads posted events from JSON."""
        return EventParser(self.posted)

    def encode(self, envelope: EventEnvelope) -> bytes:
        """Return `envelope` as a Kafka record value, written with the model's schema.

        Own fields that `envelope` lacks are null. Raises `ForeignFields` if it has fields that
        this contract lacks, and `ContractError` if it is not an envelope.
        """
        if type(envelope) is self.envelope:
            return self.encoder(envelope.__dict__)
        if not isinstance(envelope, EventEnvelope):
            raise ContractError(
                f"encode takes an envelope, got {type(envelope).__name__}; make one with "
                f"contract.envelope.from_posted(event)"
            )
        foreign = foreign_columns(type(envelope), self.envelope)
        if foreign:
            raise ForeignFields(
                f"{type(envelope).__name__} has {', '.join(foreign)}, which {self.name} lacks or "
                f"has with another type; encode it with the contract that made it"
            )
        own = dict.fromkeys(column.name for column in self.own_columns)
        return self.encoder({**own, **envelope.__dict__})

    @cached_property
    def encoder(self) -> Callable[[Mapping[str, Any]], bytes]:
        """A function that encodes an envelope, given as a mapping, as a record value.

        It does not validate the values: the caller must have done so.
        """
        values_of = itemgetter(*column_names(self.envelope))
        encode = self.value_encoder
        return lambda members: encode(values_of(members))

    @cached_property
    def value_encoder(self) -> Callable[[Sequence[Any]], bytes]:
        """Like `encoder`, but takes a sequence of values in the order of the envelope's columns."""
        header = MARKER + fingerprint(self.avro_schema)
        return record_encoder(header, columns(self.envelope), unique=_UNIQUE)

    def decode(self, value: bytes | None) -> EventEnvelope:
        """Return the envelope in the record value `value`, written with any known schema.

        Raises `DecodeError`, with the same reason code that the stream stores for these bytes.
        """
        record = self._reader.read(value)
        try:
            return self.envelope.model_validate(record)
        except ValidationError as error:
            fields = ", ".join(str(each["loc"][0]) for each in error.errors())
            raise DecodeError(FailureReason.OUTSIDE_CONTRACT, fields) from None

    @cached_property
    def _reader(self) -> RecordReader:
        return RecordReader(self.schemas)

    @cached_property
    def max_record_bytes(self) -> int:
        """The length of the longest possible record value, in bytes."""
        longest = {column.name: _LONGEST[column.type] for column in columns(self.envelope)}
        return len(self.encoder({**longest, "event_id": "f" * 36}))

    def enrich(
        self, events: Iterable[StoredEvent], processing_time: datetime, window: timedelta = WINDOW
    ) -> list[EnrichedEvent]:
        """Return every event of the raw table with its user's two metrics, in the given order.

        `T` is the processing time. `u_count` is the number of the user's events with
        `T - window <= event_time < T`, or null if there are none. `u_mp_ea` is the user's most
        frequent non-null `event_action` over all events; of equally frequent ones, the first by
        Unicode code point; null if there are none. For events without a user, both are null.
        """
        return enrich(events, processing_time, window, self.enriched)

    # --- schemas ---

    @cached_property
    def avro_schema(self) -> Schema:
        """The Avro schema of the records that `encode` writes."""
        return avro_schema(self.envelope)

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema (draft 2020-12) of a posted event."""
        return json_schema(self.posted)

    @cached_property
    def releases(self) -> tuple[Release, ...]:
        """The released writer schemas: those of `Event`, then those of each subclass.

        Raises `ReleaseError` if a released file was changed or deleted.
        """
        folders: dict[Path, str] = {}
        for each in reversed(self.event.__mro__):
            folder = releases_folder(each) if issubclass(each, Event) else None
            if folder is not None:
                folders.setdefault(folder, each.__name__)
        return read_releases(folders)

    @cached_property
    def schemas(self) -> Mapping[bytes, Schema]:
        """The writer schemas that can be read, by fingerprint: all releases and the model's own.

        Raises `ReleaseError` as `releases` does.
        """
        known = {release.fingerprint: release.schema for release in self.releases}
        return MappingProxyType({**known, fingerprint(self.avro_schema): self.avro_schema})

    def broken_releases(self) -> list[str]:
        """Return one line for each change that breaks a release; empty if the model fits."""
        older = [(str(release), release.schema) for release in self.releases]
        return say_breaks(older, self.avro_schema)

    def check_released(self, *, allow_unreleased: bool = False) -> None:
        """Check that the model is released, so that every stream of this contract can read it.

        With `allow_unreleased`, check only that the model breaks no release. Raises `NotReleased`
        if the model differs from the newest release, and `ReleaseError` if it breaks a release or
        if a released file was changed or deleted.
        """
        if self.releases and self.releases[-1].schema == self.avro_schema:
            return
        for broken in self.broken_releases():
            raise ReleaseError(f"contract {self.name}: {broken}")
        if allow_unreleased:
            return
        folder = releases_folder(self.event)
        own = [each for each in self.releases if each.file.parent == folder]
        what = (
            f"has fields that its newest release, {own[-1]}, lacks"
            if own
            else f"is not released: {folder} has no releases"
        )
        raise NotReleased(
            f"contract {self.name} {what}; run `events-schema release VERSION --contract "
            f"{self.name}` (or add --allow-unreleased to try a command before the release)"
        )

    def check_evolves(self, own_types: Mapping[str, str], what: str) -> None:
        """Check that `what`, whose own columns are `own_types`, can continue with this contract.

        The contract's own columns must start with the same names and types. Raises
        `NotAnEvolution` otherwise.
        """
        now = list(self.own_types.items())
        for place, (name, type_) in enumerate(own_types.items()):
            if now[place : place + 1] != [(name, type_)]:
                here = f"{now[place][0]}: {type_name(now[place][1])}" if now[place:] else "nothing"
                raise NotAnEvolution(
                    f"{what} has the own field {name}: {type_name(type_)} where contract "
                    f"{self.name} has {here}; give --contract the contract that wrote it, or one "
                    f"that adds fields to that contract"
                )
