"""The command `events-stream compact`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from events_stream.commands.maintenance import checked, refusing_unreadable
from events_stream.settings import CompactSettings
from events_stream.table.folder.compaction import (
    Compacted,
    SmallFiles,
    compact,
    find_small_files,
    first_open_day,
)
from events_stream.table.folder.open import open_for_maintenance


@refusing_unreadable()
def compact_days(settings: CompactSettings) -> None:
    """Rewrite small files of closed days into large ones, or print which would be rewritten."""
    contract = settings.load_given_contract()
    before = first_open_day(datetime.now(UTC), settings.older_than)
    with open_for_maintenance(settings.target, "events-stream compact") as table:
        checked(table.paths, contract)
        found = find_small_files(table, before)
        if not found:
            print(f"nothing to compact before {before}")
        elif settings.apply:
            for compacted in compact(table, found):
                print(_done(compacted), flush=True)
        else:
            print(_planned(found))


def _done(compacted: Compacted) -> str:
    part = compacted.before.part
    name = part.day or "failed events"
    return f"{name}: {len(part.files):,} files are {compacted.files:,} now, {part.rows:,} rows"


def _planned(found: Sequence[SmallFiles]) -> str:
    files = sum(len(each.part.files) for each in found)
    after = sum(each.files_after for each in found)
    size = sum(each.bytes for each in found) / (1 << 20)
    days = [day for each in found if (day := each.part.day)]
    last = f" to {days[-1]}" if len(days) > 1 else ""
    span = f" of {days[0]}{last}" if days else ""
    return (
        f"would rewrite {files:,} files with {size:,.1f} MiB{span} into about {after:,}; "
        f"--apply does it"
    )
