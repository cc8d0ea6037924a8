"""Posts generated events and reports how the collector answered (`events-loadgen run`)."""

from __future__ import annotations

import asyncio
import secrets
import signal
from typing import Any

from events_loadgen.load.classic import classic_events
from events_loadgen.load.client import post_events
from events_loadgen.load.progress import show_step
from events_loadgen.load.report import Report
from events_loadgen.load.retries import RetryPolicy
from events_loadgen.settings import RunSettings
from events_schema import Contract
from events_schema.runtime.errors import UsageError
from events_schema.runtime.flags import read_secret


def run(settings: RunSettings) -> int:
    """Post the events; return 1 if an event that was sent is not acknowledged.

    Raises `UsageError`, and the errors of `load_contract`.
    """
    contract = settings.load_contract()
    seed = choose_seed(settings.seed)
    token = read_token(settings)
    print(f"posting {settings.events} events to {settings.url} with --seed {seed}", flush=True)
    report = asyncio.run(_post(settings, contract, token, seed))
    print("\n".join(report.lines()))
    return 0 if report.acknowledged == report.sent else 1


def choose_seed(given: int | None) -> int:
    """Return `given`, or a new seed: events of the same seed would be dropped as duplicates."""
    return secrets.randbelow(2**32) if given is None else given


def read_token(settings: RunSettings) -> str | None:
    """Return the key, from `--token-file` if given. Raises `UsageError`."""
    if settings.token_file is None:
        return None if settings.token is None else settings.token.get_secret_value()
    if settings.token is not None:
        raise UsageError("--token and --token-file are both given; give one of them")
    token = read_secret("--token-file", settings.token_file)
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(
            f"--token-file: {settings.token_file} must hold a key of visible ASCII characters, "
            "without spaces"
        )
    return token


async def _post(
    settings: RunSettings, contract: Contract[Any], token: str | None, seed: int
) -> Report:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    done = 0
    with show_step("Posting events", settings.events) as step:

        def show() -> None:
            nonlocal done
            done += 1
            step.update(done)

        return await post_events(
            classic_events(settings.events, seed, contract),
            url=settings.url,
            token=token,
            concurrency=settings.concurrency,
            think_time=settings.think_time,
            retries=RetryPolicy(settings.give_up_after),
            on_event=show,
            stop=stop,
        )
