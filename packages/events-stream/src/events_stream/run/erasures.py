"""Keeps the receipts of erasures true to Kafka: moves their ends after a cut, and closes them."""

from __future__ import annotations

from datetime import datetime

from events_stream.kafka.source import KafkaSource
from events_stream.kafka.topic import TopicNow
from events_stream.table.erasure import Erasure
from events_stream.table.folder.commit import CommitKind
from events_stream.table.folder.state import TableState
from events_stream.table.folder.table import Table


def past_erasures(
    state: TableState, topic: TopicNow, complete: datetime | None
) -> tuple[Erasure, ...]:
    """Return, closed, the finished erasures of which no record can come any more.

    Kafka has none from before the erasure, and every event acknowledged before `complete` is
    stored: also those that were on their way to Kafka when it began.
    """
    if complete is None:
        return ()
    return tuple(
        each.close()
        for each in state.open_erasures
        if each.finished and each.erased_at <= complete and each.is_past(topic.earliest)
    )


def close_erasures(table: Table, topic: TopicNow, acknowledged_before: datetime) -> None:
    """Close the erasures of which no record can come, so that their ids are deleted.

    `topic` is as Kafka described it, when it had every event that was acknowledged before
    `acknowledged_before`.
    """

    def past() -> tuple[Erasure, ...]:
        position = table.state.position
        is_behind = topic.lag(position.next_offsets)
        return past_erasures(
            table.state, topic, position.complete_up_to if is_behind else acknowledged_before
        )

    table.refresh()
    if past():
        with table.change(CommitKind.ERASURE) as change:
            change.erasures = past()


def cut_erasures(table: Table, source: KafkaSource, topic: TopicNow) -> None:
    """Lower the ends of erasures to where Kafka has cut its log since then.

    What Kafka has from there on came after the erasure, and is stored. Only ends matter that the
    table has not reached. Raises `CutUnknown`, and the errors of `KafkaSource.look`.
    """
    table.refresh()
    cuts = {
        each.number: found
        for each in table.state.open_erasures
        if (found := source.find_cut_ends(_unread(each, table.state), each.leader_epochs, topic))
    }
    if cuts:
        with table.change(CommitKind.ERASURE) as change:
            change.erasures = tuple(
                each.after_cuts(cuts[each.number])
                for each in change.state.open_erasures
                if each.number in cuts
            )


def _unread(erasure: Erasure, state: TableState) -> dict[int, int]:
    """Return the ends of the erasure that the table has not reached, by partition."""
    read = state.position.next_offsets
    return {p: end for p, end in erasure.topic_ends.items() if read.get(p, 0) < end}
