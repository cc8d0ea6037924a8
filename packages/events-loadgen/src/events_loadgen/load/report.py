"""What became of the events that were posted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ddsketch import DDSketch

PERCENTILES = (50, 90, 99)


@dataclass
class Report:
    """The outcome of a run; `acknowledged` + `refused` + `given_up` events were sent.

    Latencies are seconds from an event's first try to its acknowledgement, retries included,
    within 1 % of the truth.
    """

    acknowledged: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    """How many events were refused for good, by HTTP status."""
    first_refusal: str | None = None
    """What the server said when it first refused an event."""
    given_up: int = 0
    """How many events had no acknowledgement when their time was over."""
    last_failure: str | None = None
    """Why an event was tried again, or given up, the last time."""
    retries: int = 0
    """How many tries there were beyond each event's first."""
    seconds: float = 0.0
    acknowledged_ids: list[str] = field(default_factory=list)
    """The `event_id`s that were acknowledged, where they were asked for."""
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
        """Count an acknowledged event's latency."""
        self._latencies.add(seconds)

    def latency(self, percentile: float) -> float | None:
        """Return the latency that `percentile` % of the acknowledged events keep within."""
        found: float | None = self._latencies.get_quantile_value(percentile / 100)
        return found

    def lines(self) -> list[str]:
        """Return the report as text for people."""
        return [
            f"acknowledged  {self.acknowledged} of {self.sent} sent, {self.rate:.0f}/s",
            *(
                f"refused       {count} with status {status}"
                for status, count in sorted(self.refused.items())
            ),
            *([f"              the first: {self.first_refusal}"] if self.first_refusal else []),
            *([f"given up      {self.given_up}"] if self.given_up else []),
            f"retries       {self.retries}"
            + (f", the last for: {self.last_failure}" if self.last_failure else ""),
            *self._latency_lines(),
        ]

    def _latency_lines(self) -> list[str]:
        latencies = [(each, self.latency(each)) for each in PERCENTILES]
        texts = [f"p{each} {value * 1000:.1f} ms" for each, value in latencies if value is not None]
        return ["latency       " + ", ".join(texts)] if texts else []
