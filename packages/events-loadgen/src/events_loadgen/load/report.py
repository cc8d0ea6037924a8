"""The report of a run: how many events were acknowledged, refused and given up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ddsketch import DDSketch

PERCENTILES = (50, 90, 99)


@dataclass
class Report:
    """The outcome of a run; `acknowledged` + `refused` + `given_up` events were sent.

    A latency is the time in seconds from an event's first try to its acknowledgement, retries
    included. Latencies are exact to 1 %.
    """

    acknowledged: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    """How many events were refused, by HTTP status."""
    first_refusal: str | None = None
    """The server's first refusal: status and body."""
    given_up: int = 0
    """How many events were not acknowledged in time."""
    last_failure: str | None = None
    """The cause of the most recent retry or of giving up."""
    retries: int = 0
    """How many retries there were in total."""
    seconds: float = 0.0
    acknowledged_ids: list[str] = field(default_factory=list)
    """The `event_id`s of acknowledged events, if requested."""
    _latencies: DDSketch = field(default_factory=DDSketch, repr=False)

    @property
    def sent(self) -> int:
        """How many events were sent at least once."""
        return self.acknowledged + self.refused.total() + self.given_up

    @property
    def rate(self) -> float:
        """Acknowledged events per second."""
        return self.acknowledged / self.seconds if self.seconds else 0.0

    def add_latency(self, seconds: float) -> None:
        """Add the latency of an acknowledged event."""
        self._latencies.add(seconds)

    def latency(self, percentile: float) -> float | None:
        """Return the latency in seconds at `percentile` (0 to 100); None if not measured."""
        found: float | None = self._latencies.get_quantile_value(percentile / 100)
        return found

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        return [
            f"acknowledged  {self.acknowledged} of {self.sent} sent, {self.rate:.0f}/s",
            *(
                f"refused       {count} with status {status}"
                for status, count in sorted(self.refused.items())
            ),
            *([f"              first: {self.first_refusal}"] if self.first_refusal else []),
            *([f"given up      {self.given_up}"] if self.given_up else []),
            f"retries       {self.retries}"
            + (f", last failure: {self.last_failure}" if self.last_failure else ""),
            *self._latency_lines(),
        ]

    def _latency_lines(self) -> list[str]:
        latencies = [(each, self.latency(each)) for each in PERCENTILES]
        texts = [f"p{each} {value * 1000:.1f} ms" for each, value in latencies if value is not None]
        return ["latency       " + ", ".join(texts)] if texts else []
