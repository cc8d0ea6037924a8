"""Measures the stream's speed, delay and memory on two cores.

`ratios` compares it with Spark's own parquet sink, in turns in one warm session. `batches` runs
many small batches in a row. `steady` and `backlog` run the command as users do. `steady` with
--rate shows whether the stream keeps up with that rate, and with --backlog, how it catches up.
`year` shows what a file for each minute of a year costs if the table is compacted each day, and if
it never is; `job`, what the batch job gains.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import structlog
from rich.console import Console

from bench.machine import machine
from bench.stream.filled_topic import PARTITIONS
from bench.stream.job import job
from bench.stream.processes import backlog, steady
from bench.stream.sessions import batches, ratios, warm_session
from bench.stream.sustained import sustained
from bench.stream.year import year
from events_loadgen.processes.broker import LocalBroker

WITH_KAFKA = ("ratios", "batches", "steady", "backlog")
PARTS = (*WITH_KAFKA, "year", "job")


def main() -> None:
    """Run the requested parts; print tables and write JSON."""
    parser = argparse.ArgumentParser(prog="bench stream", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"one of {', '.join(PARTS)} (default ratios)"
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=10,
        help="ratios: rounds; multiples of 10 are balanced (default 10)",
    )
    parser.add_argument(
        "--partitions",
        type=int,
        default=PARTITIONS,
        help=f"ratios: partitions of the topic (default {PARTITIONS})",
    )
    parser.add_argument("--batches", type=int, default=1440, help="batches: number (default 1440)")
    parser.add_argument(
        "--minutes", type=int, default=5, help="steady: minutes, at most 90 (default 5)"
    )
    parser.add_argument("--rate", type=int, help="steady: events per second")
    parser.add_argument(
        "--backlog", type=int, default=0, help="steady: events before the stream starts (default 0)"
    )
    parser.add_argument(
        "--events",
        type=int,
        default=20_000_000,
        help="backlog: number of events (default 20,000,000)",
    )
    parser.add_argument("--days", type=int, default=365, help="year: days (default 365)")
    parser.add_argument(
        "--folder", type=Path, help="write everything here, and keep it (default: do not keep it)"
    )
    parser.add_argument("--json", type=Path, default=Path("bench-stream.json"))
    given = parser.parse_args()
    parts = given.parts or ["ratios"]
    if not set(parts) <= set(PARTS):
        parser.error(f"PART must be one of {', '.join(PARTS)}")
    # As the command does: py4j logs errors for objects that are freed after Java has exited.
    logging.basicConfig(level=logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    console = Console()
    with folder_for(given.folder) as folder:
        figures = measure(parts, Path(folder), given, console)
    given.json.write_text(
        json.dumps(
            {
                "benchmark": "stream",
                "machine": machine("pyspark", "duckdb", "pyarrow", "aiokafka"),
                **figures,
            },
            indent=2,
        )
    )
    console.print(f"all figures: {given.json}")


def folder_for(given: Path | None) -> AbstractContextManager[str]:
    """Return the given folder, or a temporary one."""
    if given is not None:
        return nullcontext(str(given.resolve()))
    return tempfile.TemporaryDirectory(prefix="events-bench-")


def measure(
    parts: list[str], folder: Path, given: argparse.Namespace, console: Console
) -> dict[str, object]:
    """Return the figures of each part."""
    figures: dict[str, object] = {}
    if "year" in parts:
        figures["year"] = year(folder / "year", console, days=given.days)
    if "job" in parts:
        figures["job"] = job(folder / "job", console)
    if {*parts} & {*WITH_KAFKA}:
        with LocalBroker(folder / "kafka") as kafka:
            figures |= measure_with_kafka(parts, kafka.bootstrap, folder, given, console)
    return figures


def measure_with_kafka(
    parts: list[str], brokers: str, folder: Path, given: argparse.Namespace, console: Console
) -> dict[str, object]:
    """Return the figures of each part that reads a topic."""
    figures: dict[str, object] = {}
    if {"ratios", "batches"} & {*parts}:
        with warm_session() as spark:
            if "ratios" in parts:
                figures["ratios"] = ratios(
                    spark,
                    brokers,
                    folder,
                    console,
                    rounds=given.rounds,
                    partitions=given.partitions,
                )
            if "batches" in parts:
                figures["batches"] = batches(spark, brokers, folder, console, count=given.batches)
    if "steady" in parts and given.rate:
        figures["sustained"] = sustained(
            brokers,
            folder,
            console,
            rate=given.rate,
            minutes=given.minutes,
            backlog=given.backlog,
        )
    elif "steady" in parts:
        figures["steady"] = steady(brokers, folder, console, minutes=given.minutes)
    if "backlog" in parts:
        figures["backlog"] = backlog(brokers, folder, console, events=given.events)
    return figures


if __name__ == "__main__":
    main()
