"""Tests of the numbers for the demo page, served over HTTP from real tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest

from events_loadgen.line.line import Line
from events_loadgen.line.stats import serve_stats
from events_loadgen.processes.waiting import wait_until
from events_schema import Contract, Event, Text, Time, ddl

NOTHING = {"raw": {"rows": 0, "events": 0}, "enriched": {"rows": 0, "latest": []}}
START = datetime(2026, 1, 1, tzinfo=UTC)
CONTRACT = Contract(Event)


class AcmeEvent(Event):
    """An event with an additional text and time."""

    plan: Text | None = None
    renewal: Time | None = None


ACME = Contract(AcmeEvent)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    """A line whose numbers are served; tests write its tables."""
    with serve_stats(line := make_line(tmp_path, CONTRACT)):
        yield line


@pytest.fixture
def acme_line(tmp_path: Path) -> Iterator[Line]:
    """A line with own fields, whose numbers are served."""
    with serve_stats(line := make_line(tmp_path, ACME)):
        yield line


def make_line(folder: Path, contract: Contract[Any]) -> Line:
    """Make a line without starting its parts."""
    return Line(folder, "127.0.0.1:9092", contract, contract_flags=())


def write_raw(line: Line, ids: list[str]) -> None:
    """Write a partition of the raw table."""
    folder = line.raw / "event_date=2026-01-01"
    folder.mkdir(parents=True)
    table = ddl(CONTRACT.stored, "t")
    _write(folder / "a.parquet", table, "SELECT unnest($1) AS event_id", [ids])


def write_enriched(line: Line, count: int) -> None:
    """Write the enriched table: one event per second."""
    line.enriched.mkdir()
    _write(
        line.enriched / "a.parquet",
        ddl(CONTRACT.enriched, "t"),
        "SELECT $1::TIMESTAMPTZ + to_seconds(n) AS event_time, n::INT AS user_id,"
        " 'shop' AS app_name, 'c' AS event_category, NULL::VARCHAR AS event_action,"
        " NULL::INT AS event_value, 3::BIGINT AS u_count, 'view' AS u_mp_ea FROM range($2) AS t(n)",
        [START, count],
    )


def write_own_fields(line: Line) -> None:
    """Write one more file of the enriched table: an event with the own fields of `ACME`."""
    _write(
        line.enriched / "b.parquet",
        ddl(ACME.enriched, "t"),
        "SELECT $1::TIMESTAMPTZ AS event_time, 'pro' AS plan, $1::TIMESTAMPTZ AS renewal",
        [START + timedelta(days=1)],
    )


def _write(file: Path, table: str, rows: str, values: list[Any]) -> None:
    with duckdb.connect() as connection:
        connection.execute(table)
        connection.execute(f"INSERT INTO t BY NAME {rows}", values)
        connection.execute(f"COPY t TO '{file}'")


def numbers(line: Line) -> dict[str, Any]:
    """Request the numbers."""
    answer = httpx.get(line.stats_url)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_without_tables_there_is_nothing(line: Line) -> None:
    """Before the first batch, all numbers are zero."""
    assert numbers(line) == NOTHING


def test_rows_and_events_are_counted(line: Line) -> None:
    """An event that is stored twice counts as two rows and one event."""
    write_raw(line, ["a", "b", "b"])
    assert numbers(line)["raw"] == {"rows": 3, "events": 2}


def test_the_latest_enriched_rows_are_shown(line: Line) -> None:
    """At most ten rows are shown, latest first, with every column."""
    write_enriched(line, 12)
    told = numbers(line)["enriched"]
    assert told["rows"] == 12
    assert [row["user_id"] for row in told["latest"]] == list(range(11, 1, -1))
    first = told["latest"][0]
    assert datetime.fromisoformat(first.pop("event_time")) == START + timedelta(seconds=11)
    assert first == {
        "user_id": 11,
        "app_name": "shop",
        "event_category": "c",
        "event_action": None,
        "event_value": None,
        "u_count": 3,
        "u_mp_ea": "view",
    }


def test_own_fields_are_shown_too(acme_line: Line) -> None:
    """Own fields come after the standard columns; they are null in rows of older files."""
    write_raw(acme_line, ["a"])
    write_enriched(acme_line, 1)
    write_own_fields(acme_line)
    told = numbers(acme_line)
    assert (told["raw"]["rows"], told["enriched"]["rows"]) == (1, 2)
    new, old = told["enriched"]["latest"]
    assert list(new)[-3:] == ["u_mp_ea", "plan", "renewal"]
    assert new["plan"] == "pro"
    assert datetime.fromisoformat(new["renewal"]) == START + timedelta(days=1)
    assert (old["plan"], old["renewal"]) == (None, None)


def test_numbers_are_current(line: Line) -> None:
    """Rows that are stored later soon appear in the numbers."""
    assert numbers(line) == NOTHING
    write_raw(line, ["a"])
    wait_until(lambda: numbers(line)["raw"]["rows"] == 1, "the new row", seconds=30)


def test_a_table_that_cannot_be_read_is_a_503(line: Line) -> None:
    """After the error, the server answers again as soon as the table is readable."""
    write_raw(line, ["a"])
    file = line.raw / "event_date=2026-01-01" / "a.parquet"
    good = file.read_bytes()
    file.write_bytes(b"no parquet")
    assert httpx.get(line.stats_url).status_code == 503
    file.write_bytes(good)
    assert numbers(line)["raw"]["rows"] == 1


def test_only_the_collectors_pages_may_read(line: Line) -> None:
    """The CORS headers allow only the collector's origins."""
    for origin in line.page_origins:
        answer = httpx.get(line.stats_url, headers={"Origin": origin})
        assert answer.headers["Access-Control-Allow-Origin"] == origin
    answer = httpx.get(line.stats_url, headers={"Origin": "https://shop.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers
