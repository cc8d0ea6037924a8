"""Strategies for request bodies, valid and invalid."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from events_schema.contract import Contract
from events_schema.testing.events import invalid_posted_events, posted_events


@st.composite
def bodies(draw: st.DrawFn, contract: Contract[Any]) -> bytes:
    """Request bodies: valid, invalid and damaged events, batches of them, any JSON, any bytes."""
    kind = draw(st.sampled_from(["one", "one", "batch", "json", "bytes"]))
    if kind == "bytes":
        return draw(st.binary(max_size=300))
    if kind == "json":
        return json.dumps(draw(_any_json())).encode()
    if kind == "one":
        return draw(almost_events(contract))
    start, between, end = draw(st.sampled_from(_BATCH_FORMS))
    batch = start + between.join(draw(st.lists(almost_events(contract), max_size=6))) + end
    return draw(st.just(batch) | damaged(batch))


_BATCH_FORMS = (
    (b"[", b",", b"]"),
    (b'{"events":[', b", ", b"]}"),
    (b'{"sent_at":"2026-01-31T12:00:00Z","events":[', b",", b"]}"),
    (b"", b"\n", b"\n"),
)
"""The bytes before, between and after the events of an array, an object, and lines."""


@st.composite
def almost_events(draw: st.DrawFn, contract: Contract[Any]) -> bytes:
    """The JSON of an event: valid, wrong in one field, or with some bytes damaged."""
    event = draw(
        posted_events(contract) | invalid_posted_events(contract).map(lambda case: case[0])
    )
    text = json.dumps(event, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    return draw(st.just(text) | st.just(text) | damaged(text))


@st.composite
def damaged(draw: st.DrawFn, body: bytes) -> bytes:
    """`body` with some bytes replaced, removed or inserted."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(len(body), start + 4)))
        body = body[:start] + draw(st.binary(max_size=4)) + body[end:]
    return body


def _any_json() -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
    return st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
