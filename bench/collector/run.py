"""Compares the collector with baselines and variants.

All figures come from one run: the cases take turns, and the ratios are ratios of medians.
(c) is a Starlette route that reads the body and answers, on uvicorn with uvloop and httptools.
(d) is the obvious implementation: one awaited `send_and_wait` per event.
(e) is the collector without the fast lane.
(f) is the collector with fastavro's writer.
(g) and (h) are a collector and events with ten own fields.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from bench.collector.http_load import Result, http_request, load
from bench.collector.own_fields import CONTRACT
from bench.machine import machine
from events_loadgen.load.classic import classic_events
from events_loadgen.processes.broker import LocalBroker
from events_loadgen.processes.child import ChildProcess
from events_loadgen.processes.ports import answers, free_port
from events_loadgen.processes.waiting import wait_until
from events_schema import Contract

CONNECTIONS = 64
BATCH = 500
TOPIC = "bench"
KEY = "bench-key"
ROOT = Path(__file__).parents[2]
COLLECTORS: Mapping[str, Sequence[str]] = {
    "collector": ["events_ingest"],
    "no-fast-lane": ["bench.collector.variants", "no-fast-lane"],
    "fastavro": ["bench.collector.variants", "fastavro"],
    "own-fields": ["events_ingest"],
}
FLAGS: Mapping[str, Sequence[str]] = {
    "own-fields": ["--contract", "bench.collector.own_fields:OwnFieldsEvent", "--allow-unreleased"],
}
_SCRIPT = """\
local requests = {}
for line in io.lines("%s") do requests[#requests + 1] = line end
local next_one = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["X-Token"] = "%s"
function request()
  next_one = next_one %% #requests + 1
  return wrk.format(nil, "%s", nil, requests[next_one])
end
"""


@dataclass(frozen=True)
class Case:
    """One case: its port and path, the bodies to send, and the events in each body."""

    name: str
    port: int
    path: str
    bodies: list[bytes]
    events: int


def main() -> None:
    """Run the benchmark; print a table and write JSON."""
    parser = argparse.ArgumentParser(prog="bench collector", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each case (default 5)")
    parser.add_argument("--seconds", type=float, default=5, help="seconds of each (default 5)")
    parser.add_argument(
        "--latency-seconds", type=float, default=10, help="seconds of each open loop (default 10)"
    )
    parser.add_argument("--generator", choices=["wrk", "own"], help="default: wrk if installed")
    parser.add_argument("--json", type=Path, default=Path("bench-collector.json"))
    given = parser.parse_args()
    wrk = given.generator != "own" and shutil.which("wrk") is not None
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="events-bench-")))
        cases, collector = start(folder, stack)
        rates: dict[str, list[float]] = {case.name: [] for case in cases}
        for case in cases:  # to warm up
            measure(case, 1, folder, wrk=wrk)
        for _ in range(given.rounds):
            for case in cases:
                rates[case.name].append(measure(case, given.seconds, folder, wrk=wrk))
        half = statistics.median(rates["a"]) / 2
        latencies = [open_loop(cases[0], half, given.latency_seconds) for _ in range(given.rounds)]
        rss = psutil.Process(collector.pid).memory_info().rss
    report(cases, rates, latencies, rss, given.json, wrk=wrk)


def start(folder: Path, stack: ExitStack) -> tuple[list[Case], ChildProcess]:
    """Start Kafka, the collector and the baselines; return the cases and the collector."""
    broker = stack.enter_context(LocalBroker(folder / "kafka"))
    ports = {name: free_port() for name in (*COLLECTORS, "plain", "obvious")}
    environment = {
        "EVENTS_INGEST_TOKEN": KEY,
        "BENCH_BROKERS": broker.bootstrap,
        "BENCH_TOPIC": TOPIC,
        "PYTHONPATH": str(ROOT),
    }
    collectors = {
        name: stack.enter_context(_collector(name, module, ports[name], folder, environment))
        for name, module in COLLECTORS.items()
    }
    for name in COLLECTORS:
        wait_until(partial(_ready, ports[name]), name, seconds=60)
    # fmt: off
    for name in ("plain", "obvious"):
        stack.enter_context(_python(
            name, folder, environment, "-m", "uvicorn", f"bench.collector.baselines:{name}",
            "--port", str(ports[name]), "--loop", "uvloop", "--http", "httptools",
            "--no-access-log", "--log-level", "warning",
        ))
        wait_until(partial(answers, ports[name]), name, seconds=60)
    # fmt: on
    singles, batches = _bodies(None)
    own_singles, own_batches = _bodies(CONTRACT)
    return [
        Case("a", ports["collector"], "/track", singles, 1),
        Case("b", ports["collector"], "/batch", batches, BATCH),
        Case("c", ports["plain"], "/track", singles, 1),
        Case("d", ports["obvious"], "/track", singles, 1),
        Case("e", ports["no-fast-lane"], "/track", singles, 1),
        Case("f", ports["fastavro"], "/batch", batches, BATCH),
        Case("g", ports["own-fields"], "/track", own_singles, 1),
        Case("h", ports["own-fields"], "/batch", own_batches, BATCH),
    ], collectors["collector"]


def _bodies(contract: Contract[Any] | None) -> tuple[list[bytes], list[bytes]]:
    """Return bodies with one event, and bodies with many."""
    generated = classic_events(20 * BATCH, seed=1, contract=contract)
    events = [json.dumps(event).encode() for event in generated]
    batches = [b"[" + b",".join(events[n::20]) + b"]" for n in range(20)]
    return events[:1000], batches


def _collector(
    name: str, module: Sequence[str], port: int, folder: Path, environment: Mapping[str, str]
) -> ChildProcess:
    # fmt: off
    return _python(
        name, folder, environment, "-m", *module, "serve", "--port", str(port), "--brokers",
        environment["BENCH_BROKERS"], "--topic", TOPIC, "--access-log", "0", *FLAGS.get(name, ()),
    )
    # fmt: on


def _python(name: str, folder: Path, environment: Mapping[str, str], *words: str) -> ChildProcess:
    return ChildProcess(
        name, [sys.executable, *words], log=folder / f"{name}.log", environment=environment
    )


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def measure(case: Case, seconds: float, folder: Path, *, wrk: bool) -> float:
    """Return the events per second of a case."""
    if wrk:
        return case.events * _wrk(case, seconds, folder)
    result = uvloop.run(
        load("127.0.0.1", case.port, _requests(case), connections=CONNECTIONS, seconds=seconds)
    )
    _check(case, result)
    return case.events * result.rate


def _wrk(case: Case, seconds: float, folder: Path) -> float:
    bodies = folder / f"{case.name}.txt"
    script = folder / f"{case.name}.lua"
    if not script.exists():
        bodies.write_bytes(b"\n".join(case.bodies))
        script.write_text(_SCRIPT % (bodies, KEY, case.path))
    # fmt: off
    command = [
        "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "-s", str(script),
        f"http://127.0.0.1:{case.port}{case.path}",
    ]
    # fmt: on
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if not found or "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"case ({case.name}) failed:\n{said}")
    return float(found[1])


def _requests(case: Case) -> list[bytes]:
    return [http_request(case.path, body, headers={"X-Token": KEY}) for body in case.bodies]


def _check(case: Case, result: Result) -> None:
    if set(result.statuses) != {200}:
        raise SystemExit(
            f"case ({case.name}) failed: expected only 200, got {dict(result.statuses)}"
        )


def open_loop(case: Case, rate: float, seconds: float) -> Result:
    """Return the latencies at a fixed rate, measured from the time each request was due."""
    requests = _requests(case)
    result = uvloop.run(
        load("127.0.0.1", case.port, requests, connections=CONNECTIONS, seconds=seconds, rate=rate)
    )
    _check(case, result)
    return result


def report(
    cases: list[Case],
    rates: Mapping[str, list[float]],
    latencies: Sequence[Result],
    rss: int,
    path: Path,
    *,
    wrk: bool,
) -> None:
    """Print a table, and write all figures as JSON."""
    medians = {name: statistics.median(each) for name, each in rates.items()}
    ratios = {
        "a / c": medians["a"] / medians["c"],
        "a / d": medians["a"] / medians["d"],
        "b / c": medians["b"] / medians["c"],
        "a / e": medians["a"] / medians["e"],
        "f / b": medians["f"] / medians["b"],
        "g / a": medians["g"] / medians["a"],
        "h / b": medians["h"] / medians["b"],
    }
    names = {
        "a": "/track, acknowledged",
        "b": f"/batch of {BATCH}, acknowledged",
        "c": "a Starlette route that reads and answers",
        "d": "the obvious implementation",
        "e": "/track without the fast lane",
        "f": f"/batch of {BATCH}, records by fastavro",
        "g": "/track with ten own fields",
        "h": f"/batch of {BATCH} with ten own fields",
    }
    table = Table("case", "events/s, median", "min", "max", "of (c)", "of (d)")
    for case in cases:
        each = rates[case.name]
        table.add_row(
            f"({case.name}) {names[case.name]}",
            *(f"{value:,.0f}" for value in (medians[case.name], min(each), max(each))),
            f"{medians[case.name] / medians['c']:.2f}",
            f"{medians[case.name] / medians['d']:.2f}",
        )
    percentiles = {
        f"p{p}": [latency.percentile(p) * 1000 for latency in latencies] for p in (50, 95, 99)
    }
    console = Console()
    console.print(table)
    shown = ", ".join(
        f"{name} {statistics.median(each):.1f} ms ({min(each):.1f} to {max(each):.1f})"
        for name, each in percentiles.items()
    )
    answered = statistics.median(latency.rate for latency in latencies)
    console.print(", ".join(f"{name}: {ratio:.2f}" for name, ratio in ratios.items()))
    console.print(f"(a) at {answered:,.0f} requests/s, open loop, medians: {shown}")
    console.print(f"collector's memory at the end: {rss / 2**20:.0f} MiB")
    path.write_text(
        json.dumps(
            {
                "benchmark": "collector",
                "machine": machine(
                    "uvicorn", "starlette", "uvloop", "httptools", "pydantic", "aiokafka"
                ),
                "generator": "wrk" if wrk else "http_load",
                "connections": CONNECTIONS,
                "events_per_second": rates,
                "ratios": ratios,
                "open_loop": {"rate": answered, "milliseconds": percentiles},
                "rss_bytes": rss,
            },
            indent=2,
        )
    )
    console.print(f"all figures: {path}")


if __name__ == "__main__":
    main()
