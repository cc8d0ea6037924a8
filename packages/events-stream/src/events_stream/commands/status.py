"""Describes the state of a table in plain words, using only its folders."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from events_schema.models.types import type_name
from events_schema.runtime.locks import is_locked
from events_schema.tables.paths import TablePaths
from events_stream.errors import CheckpointUnreadable
from events_stream.kafka.offsets import last_plan, offset_range
from events_stream.run.checkpoint import plans_in
from events_stream.table.erasure import Erasure
from events_stream.table.folder.commit import Commit
from events_stream.table.folder.integrity import missing_files
from events_stream.table.folder.log import read_log
from events_stream.table.folder.state import TableState
from events_stream.table.position import Backlog, Counts, Cut, Offsets, Position


def describe(paths: TablePaths, checkpoint: Path, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield the lines of the description, each as a label and a text.

    Raises `TableDamaged`.
    """
    running = is_locked(paths.control / "lock")
    log = read_log(paths.log)
    state = log.state
    yield "stream", "running" if running else "not running"
    yield "table", _table(paths, state)
    if state.own_types:
        yield "own fields", _own_fields(state)
    position = state.position
    if position.source is None or state.committed_at is None:
        return
    yield "last change", f"commit {state.number}, {_when(state.committed_at, now)}"
    unfinished = log.unfinished(paths.staging)
    if unfinished and not running and not is_locked(paths.control / "write.lock"):
        yield "complete", f"no: commit {unfinished.number} is unfinished"
        yield "unfinished", _unfinished(unfinished)
    else:
        yield "complete", _complete(position, now)
    if position.backlog:
        yield "behind", _behind(position.backlog, now, running=running)
    yield "source", f"topic {position.source.topic} of cluster {position.source.cluster_id}"
    yield "next offsets", _offsets(position.next_offsets)
    yield "records", _records(position.totals)
    if position.empty_offsets:
        yield "no record", f"at {position.empty_offsets:,} offsets: transactions or compaction"
    yield "failed", _failed(state)
    yield from _erasures(state.erasures)
    for loss in position.lost:
        some = "" if loss.records is None else f"{loss.records} records at "
        offsets = f"offsets {loss.start} to {loss.end - 1}"
        yield "lost", f"partition {loss.partition}: {some}{offsets}, accepted"
    for cut in position.cuts:
        yield "cut", _cut(cut, now)
    yield "checkpoint", _checkpoint(checkpoint, position, running=running)
    coming = {file.final for file in unfinished.files} if unfinished else set()
    missing = [final for final in missing_files(paths, state) if final not in coming]
    if missing and not running:
        yield "missing", f"{len(missing)} files that the log lists, for example {missing[0]}"


def _own_fields(state: TableState) -> str:
    return ", ".join(f"{name}: {type_name(type_)}" for name, type_ in state.own_types.items())


def _table(paths: TablePaths, state: TableState) -> str:
    days = state.days
    if not days:
        return f"{paths.target}: empty"
    span = days[0] if len(days) == 1 else f"{len(days)} days, {days[0]} to {days[-1]}"
    return f"{paths.target}: {state.rows:,} rows in {len(state.table_files):,} files, {span}"


def _complete(position: Position, now: datetime) -> str:
    if position.complete_up_to is None:
        return "not yet: a backlog is being read"
    when = _when(position.complete_up_to, now)
    but = ", but for what Kafka lost, as told below" if position.lost or position.cuts else ""
    return f"up to {when}; every event acknowledged before that is stored{but}"


def _unfinished(commit: Commit) -> str:
    if commit.exchanged:
        return (
            f"a process was killed before it exchanged {commit.exchanged}; the next start finishes "
            f"this"
        )
    return (
        f"a process was killed while it put {len(commit.files)} files into the table and removed "
        f"{len(commit.removed)}; the next start finishes this; until then, readers of the folder "
        f"may see some of them"
    )


def _behind(backlog: Backlog, now: datetime, *, running: bool) -> str:
    left = backlog.seconds_left
    if not running:
        forecast = "start the stream to store them"
    elif left is None:
        forecast = "how long catching up will take is not known yet"
    elif math.isinf(left):
        forecast = "it grows: more events arrive than are stored"
    else:
        rest = timedelta(seconds=round(left - (now - backlog.at).total_seconds()))
        forecast = f"caught up in about {rest}"
        if rest <= timedelta():
            forecast = "it should have caught up by now; if this stays, read the stream's log"
    return f"{backlog.records:,} records on {_when(backlog.at, now)}; {forecast}"


def _cut(cut: Cut, now: datetime) -> str:
    return (
        f"partition {cut.partition} at offset {cut.offset}, found {_when(cut.found_at, now)}; the "
        f"table had read up to {cut.table_end}; acknowledged events after that may be lost"
    )


def _records(totals: Counts) -> str:
    erased = f" + {totals.erased:,} erased" if totals.erased else ""
    return (
        f"{totals.read:,} read = {totals.stored:,} stored + {totals.duplicates:,} copies + "
        f"{totals.failed:,} failed{erased}"
    )


def _erasures(erasures: Sequence[Erasure]) -> Iterator[tuple[str, str]]:
    if not erasures:
        return
    rows, failed = sum(each.rows for each in erasures), sum(each.failed for each in erasures)
    last = f"{max(each.erased_at for each in erasures):%Y-%m-%d %H:%M:%S} UTC"
    still = [each for each in erasures if not each.closed]
    yield "erased", f"{rows:,} rows and {failed:,} failed events, last on {last}{_until(still)}"
    for each in still:
        if not each.finished:
            begun = f"{each.erased_at:%Y-%m-%d %H:%M:%S} UTC"
            yield "erasing", f"begun on {begun}, and unfinished; give the same command again"


def _until(still: Sequence[Erasure]) -> str:
    if not still:
        return ""
    ends = [each.on_kafka_until for each in still]
    if None in ends:
        return "; Kafka keeps records of these users for ever"
    until = max(filter(None, ends))
    return f"; Kafka may hold records of these users until {until:%Y-%m-%d %H:%M} UTC"


def _failed(state: TableState) -> str:
    kept = sum(file.rows for file in state.failed_files.values())
    return f"{kept:,} kept; `events-stream failed --summary` counts them" if kept else "none"


def _checkpoint(folder: Path, position: Position, *, running: bool) -> str:
    if not folder.is_dir():
        return f"{folder} does not exist; if the stream uses another one, give it by --checkpoint"
    plans = plans_in(folder)
    batch = last_plan(plans)
    if batch is None or position.source is None:
        return "no batch planned; the stream will start where the table ends"
    try:
        end = offset_range(plans, batch, position.source.topic).end
    except CheckpointUnreadable:
        return "unreadable, which is harmless: the stream will start where the table ends"
    if end == position.next_offsets:
        return f"its last batch, {batch}, is stored"
    if running:
        return f"batch {batch} is being stored, up to {_offsets(end)}"
    return f"batch {batch} was not stored; the stream will start where the table ends"


def _offsets(offsets: Offsets) -> str:
    return ", ".join(f"{partition}: {offset}" for partition, offset in sorted(offsets.items()))


def _when(moment: datetime, now: datetime) -> str:
    ago = timedelta(seconds=round((now - moment).total_seconds()))
    text = f"{ago} ago" if ago >= timedelta() else "ahead of this machine's clock"
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC ({text})"
