"""The collector without one of its parts, to measure what that part gains.

`python -m bench.collector.variants no-fast-lane serve FLAGS` answers every request in the
application. `fastavro` writes records with fastavro.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any

import fastavro

from events_ingest import cli
from events_ingest.server import protocol
from events_schema import Contract, column_names, fingerprint
from events_schema.avro import MARKER


def without_fast_lane() -> None:
    """Turn off the fast lane of the protocol."""
    vars(protocol)["FAST_LANE"] = "none"


def with_fastavro() -> None:
    """Write records with fastavro."""

    def value_encoder(contract: Contract[Any]) -> Callable[[Sequence[Any]], bytes]:
        schema = fastavro.parse_schema(contract.avro_schema)
        header = MARKER + fingerprint(contract.avro_schema)
        names = column_names(contract.envelope)

        def encode(values: Sequence[Any]) -> bytes:
            written = BytesIO()
            written.write(header)
            fastavro.schemaless_writer(written, schema, dict(zip(names, values, strict=True)))
            return written.getvalue()

        return encode

    setattr(Contract, "value_encoder", property(value_encoder))  # noqa: B010  # frozen, for mypy


VARIANTS: Mapping[str, Callable[[], None]] = {
    "no-fast-lane": without_fast_lane,
    "fastavro": with_fastavro,
}

if __name__ == "__main__":
    VARIANTS[sys.argv.pop(1)]()
    raise SystemExit(cli.main())
