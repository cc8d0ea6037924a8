"""Which offsets a batch covers, as Spark's checkpoint says, and what of that is new."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from pyspark.sql import Column
from pyspark.sql import functions as F

from events_stream.commit import Offsets
from events_stream.errors import CheckpointUnreadable, OffsetGap


@dataclass(frozen=True)
class OffsetRange:
    """From `start` up to, not including, `end`, for every partition in `end`."""

    start: Offsets
    end: Offsets

    def after(self, next_offsets: Offsets) -> dict[int, int]:
        """Return the table's next offsets once this range is stored."""
        ends = {p: max(end, next_offsets.get(p, 0)) for p, end in self.end.items()}
        return {**next_offsets, **ends}

    def is_known(self, next_offsets: Offsets) -> bool:
        """Tell whether the table holds all of it."""
        return all(end <= next_offsets.get(p, -1) for p, end in self.end.items())

    def check_no_gap(self, next_offsets: Offsets) -> None:
        """Refuse a range that starts above what the table holds. Raises `OffsetGap`."""
        if not next_offsets:  # a new table starts where the topic does
            return
        for partition, start in sorted(self.start.items()):
            expected = next_offsets.get(partition, 0)
            if start > expected:
                raise OffsetGap(
                    f"partition {partition}: the table ends at offset {expected}, the checkpoint "
                    f"goes on at {start}, {start - expected} records in between would be lost; "
                    f"give an empty --checkpoint to read on from {expected}"
                )


def is_new(next_offsets: Offsets) -> Column:
    """Return whether a record lies at or above the table's next offset of its partition."""
    below = [
        (F.col("partition") == partition) & (F.col("offset") < following)
        for partition, following in next_offsets.items()
    ]
    return ~reduce(lambda one, other: one | other, below, F.lit(False))


def forget_unfinished_batch(checkpoint: Path) -> None:
    """Let Spark plan the last batch anew where its process died before the end of it.

    The table's log says what of it is stored. Spark 4.1.1 would run it again with the same
    offsets, and then fail: its Kafka source's metrics lack the latest offsets in that case. Nor
    does it start a first batch beside what is left of an interrupted write of its own.
    """
    for name in ("offsets", "commits"):
        for unfinished in checkpoint.glob(f"{name}/.*.tmp*"):
            unfinished.unlink()
    planned = [int(path.name) for path in checkpoint.glob("offsets/*") if path.name.isdigit()]
    last = max(planned, default=None)
    if last is not None and not (checkpoint / "commits" / str(last)).exists():
        (checkpoint / "offsets" / str(last)).unlink()
        (checkpoint / "offsets" / f".{last}.crc").unlink(missing_ok=True)


def offset_range(checkpoint: Path, batch: int, topic: str) -> OffsetRange:
    """Return the range of `batch` from the offset log that Spark writes before it starts one.

    Raises `CheckpointUnreadable`.
    """
    end = _logged(checkpoint / "offsets" / str(batch), topic)
    previous = checkpoint / "offsets" / str(batch - 1) if batch else checkpoint / "sources/0/0"
    start = _logged(previous, topic)
    return OffsetRange({p: start.get(p, 0) for p in end}, end)


def _logged(path: Path, topic: str) -> dict[int, int]:
    try:
        last_line = path.read_text("utf-8").splitlines()[-1]
        by_topic = json.loads(last_line[last_line.index("{") :])
        return {int(partition): int(offset) for partition, offset in by_topic[topic].items()}
    except (OSError, ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointUnreadable(
            f"{path} does not name offsets of topic {topic!r} ({error!r}); "
            f"give an empty --checkpoint, the table knows where to read on"
        ) from None
