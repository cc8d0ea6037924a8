"""Compares what was sent with what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from events_schema import EventEnvelope, FailureReason
from events_schema.tables.partitions import PARTITION_COLUMN
from faults_support.erased import Gone
from faults_support.readers import FailedRow, Found, Row
from faults_support.sender import EPOCH, MICROSECOND, Sent

SHOWN = 5


def differences(
    found: Found, sent: Mapping[str, Sent], garbage: Mapping[bytes, FailureReason], gone: Gone
) -> list[str]:
    """Describe the first few wrong rows. Missing rows are not wrong: they may be stored later."""
    wrong = [*islice(_wrong_rows(found.rows, sent), SHOWN)]
    wrong += islice(_wrong_failed_rows(found.failed, garbage), SHOWN)
    return [*wrong, *islice(_erased_rows(found, gone), SHOWN)]


def _wrong_rows(rows: Iterable[Row], sent: Mapping[str, Sent]) -> Iterator[str]:
    seen: set[str] = set()
    for row in rows:
        if row.event_id in seen:
            yield f"stored twice: {row}"
        seen.add(row.event_id)
        as_sent = sent.get(row.event_id)
        if as_sent is None:
            yield f"never sent: {row}"
        elif Sent._make(row[: len(Sent._fields)]) != _as_stored(as_sent, row.received_time):
            yield f"altered: {row}, sent as {as_sent}"
        if row.event_date != str((EPOCH + row.event_time * MICROSECOND).date()):
            yield f"in another day's folder: {row}"


def _as_stored(sent: Sent, received_time: int) -> Sent:
    """Return the fields, with the time that the collector sets if there is none."""
    return sent if sent.event_time is not None else sent._replace(event_time=received_time)


def _wrong_failed_rows(
    rows: Iterable[FailedRow], garbage: Mapping[bytes, FailureReason]
) -> Iterator[str]:
    seen: set[bytes] = set()
    for row in rows:
        if row.value in seen:
            yield f"failed twice: {row}"
        seen.add(row.value)
        if garbage.get(row.value) != row.reason:
            yield f"failed for another reason: {row}"


def _erased_rows(found: Found, gone: Gone) -> Iterator[str]:
    for row in found.rows:
        if gone.has(row.user_id, row.received_time):
            yield f"erased: {row}"
    for failed in found.failed:
        if failed.value in gone.values:
            yield f"erased: {failed}"


def missing(found: Found, acknowledged: Iterable[str], garbage: Iterable[bytes]) -> list[str]:
    """Return a few ids of events and values of garbage that are not stored, but should be."""
    stored = {row.event_id for row in found.rows}
    failed = {row.value for row in found.failed}
    events = (event_id for event_id in acknowledged if event_id not in stored)
    others = (value.hex() for value in garbage if value not in failed)
    return [*islice(events, SHOWN), *islice(others, SHOWN)]


def not_as_received(found: Found, received: Iterable[EventEnvelope]) -> list[Row]:
    """Return a few of the rows that do not equal any record in `received`."""
    records = {_values(envelope) for envelope in received}
    return [*islice((row for row in found.rows if row[:-1] not in records), SHOWN)]


def _values(envelope: EventEnvelope) -> tuple[object, ...]:
    members = dict(envelope)
    for name in ("event_time", "received_time"):
        members[name] = (members[name] - EPOCH) // MICROSECOND
    return tuple(members[name] for name in Row._fields[:-1])


def strangers(target: Path) -> list[Path]:
    """Return the paths in `target` that are neither a day's folder nor a parquet file in one."""
    return [path for path in target.rglob("*") if not _is_ours(path.relative_to(target))]


def _is_ours(path: Path) -> bool:
    day, *file = path.parts
    return day.startswith(f"{PARTITION_COLUMN}=") and all(path.suffix == ".parquet" for _ in file)
