"""The SQL that `ddl` prints: its dialects and columns, and what it refuses."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlglot import exp

from analytics_support.own_fields import AWKWARD, SHOP
from events_analytics.cli import main
from events_analytics.ddl.statements import ddl
from events_analytics.settings import Engine
from events_analytics.versions.layout import Layout
from events_analytics.versions.names import file_name
from events_schema import Contract, EnrichedEvent, Event, StoredEvent, UserMetrics, column_names
from events_schema.runtime.errors import UsageError

CONTRACT = Contract(Event)
KEPT = Path(__file__).parents[4] / "tests" / "kept"
VERSION = "v20261124T120000123456Z_3f2a91c0"
NAMES: Mapping[Layout, Mapping[str, list[str]]] = {
    Layout.EVENTS: {
        "raw_events": [*column_names(StoredEvent), "event_date"],
        "enriched_events": [*column_names(EnrichedEvent)],
    },
    Layout.USERS: {
        "raw_events": [*column_names(StoredEvent), "event_date"],
        "user_metrics": [*column_names(UserMetrics)],
    },
}
TYPES: Mapping[Engine, Mapping[str, str]] = {
    Engine.TRINO: {"time": "TIMESTAMP(6)", "number": "INTEGER", "text": "VARCHAR"},
    Engine.PRESTO: {"time": "TIMESTAMP", "number": "INTEGER", "text": "VARCHAR"},
    Engine.ATHENA: {"time": "TIMESTAMP", "number": "INT", "text": "STRING"},
    Engine.SPARK: {"time": "TIMESTAMP", "number": "INT", "text": "STRING"},
}
KINDS = {
    "event_time": "time",
    "received_time": "time",
    "user_id": "number",
    "event_value": "number",
    "u_count": "BIGINT",
    "event_date": "DATE",
}
REGISTERED = {
    Engine.TRINO: "CALL system.sync_partition_metadata('events', 'raw_events', 'FULL')",
    Engine.PRESTO: "CALL system.sync_partition_metadata('events', 'raw_events', 'FULL')",
    Engine.SPARK: "MSCK REPAIR TABLE events.raw_events SYNC PARTITIONS",
    Engine.ATHENA: "'projection.event_date.range' = 'NOW-3YEARS,NOW+1DAY'",
}


def printed(
    engine: Engine,
    layout: Layout = Layout.EVENTS,
    location: str = "s3://b/e",
    contract: Contract[Any] = CONTRACT,
) -> str:
    """Return the statements for tables that do not exist."""
    return ddl(engine, contract, "./no/raw", "./no/enriched", layout, location)


def parsed(engine: Engine, text: str) -> list[exp.Create]:
    """Return the CREATE statements, parsed by sqlglot in the engine's dialect."""
    registers = ("CALL", "MSCK")  # sqlglot does not know these
    pieces = [piece.strip() for piece in text.split(";\n")]
    statements = [
        sqlglot.parse_one(piece, dialect=engine)
        for piece in pieces
        if not any(line.startswith(registers) for line in piece.splitlines())
    ]
    assert all(isinstance(statement, exp.Create) for statement in statements), text
    return [statement for statement in statements if isinstance(statement, exp.Create)]


def declared(engine: Engine, table: exp.Create) -> list[tuple[str, str]]:
    """Return the columns of a table with the engine's types."""
    dialect = "hive" if engine is Engine.ATHENA else engine  # Athena's declarations are Hive's
    return [
        (column.name, column.args["kind"].sql(dialect=dialect).upper())
        for column in table.find_all(exp.ColumnDef)
    ]


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("engine", TYPES)
def test_the_columns_are_the_contract(engine: Engine, layout: Layout) -> None:
    """Each table has the contract's columns in order, with the engine's types."""
    creates = parsed(engine, printed(engine, layout))
    tables = {each.find(exp.Table).name: each for each in creates if each.kind == "TABLE"}  # type: ignore[union-attr]
    types = {"BIGINT": "BIGINT", "DATE": "DATE", **TYPES[engine]}
    expected = {
        table: [(name, types[KINDS.get(name, "text")]) for name in names]
        for table, names in NAMES[layout].items()
    }
    assert {name: declared(engine, table) for name, table in tables.items()} == expected


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("engine", Engine)
def test_the_default_contract_is_declared_as_before(engine: Engine, layout: Layout) -> None:
    """For the default contract, each engine's statements are exactly those of 2.0."""
    text = ddl(engine, CONTRACT, "/data/raw", "/data/enriched", layout, "s3://bucket/events")
    assert f"{text}\n" == (KEPT / f"{engine}_{layout}.sql").read_text("utf-8")


OWN_TYPES = ["BOOLEAN", "DOUBLE", "number", "BIGINT", "time", "text"]


@pytest.mark.parametrize("engine", TYPES)
def test_own_columns_come_last_in_the_engines_types(engine: Engine) -> None:
    """A team's own columns come in order, after the others and before the day."""
    raw, enriched = (
        declared(engine, each)
        for each in parsed(engine, printed(engine, contract=SHOP))
        if each.kind == "TABLE"
    )
    names = ["plan", "gift", "price", "items", "cents", "shipped", "coupon"]
    kinds = ["text", *OWN_TYPES]
    own = [(n, TYPES[engine].get(kind, kind)) for n, kind in zip(names, kinds, strict=True)]
    assert enriched == [*declared(engine, parsed(engine, printed(engine))[-1]), *own]
    # In Hive's statements, the day is not in the list of columns.
    assert [each for each in raw if each[0] != "event_date"][8:] == own


@pytest.mark.parametrize("engine", Engine)
@pytest.mark.parametrize("layout", Layout)
def test_own_columns_may_have_any_name(engine: Engine, layout: Layout) -> None:
    """Statements with own columns of any name are valid SQL of the engine."""
    last = parsed(engine, printed(engine, layout, contract=AWKWARD))[-1]
    found = (
        last.expression.named_selects
        if last.kind == "VIEW"
        else [name for name, _ in declared(engine, last)]
    )
    assert found == [*column_names(AWKWARD.enriched)]


@pytest.mark.parametrize("engine", Engine)
def test_the_view_has_the_eight_columns(engine: Engine) -> None:
    """With the users' layout, `enriched_events` is a view with the enriched table's columns."""
    view = parsed(engine, printed(engine, Layout.USERS))[-1]
    assert (view.kind, view.this.name) == ("VIEW", "enriched_events")
    assert view.expression.named_selects == [*column_names(EnrichedEvent)]
    join = view.expression.args["joins"][0]
    assert (join.side, join.args["on"].sql()) == ("LEFT", "r.user_id = m.user_id")


@pytest.mark.parametrize("engine", REGISTERED)
def test_days_are_registered(engine: Engine) -> None:
    """The raw table's days are registered, or follow from the calendar."""
    text = printed(engine)
    assert REGISTERED[engine] in text
    assert text.index("raw_events (") < text.index(REGISTERED[engine])


@pytest.mark.parametrize("engine", [each for each in Engine if each is not Engine.DUCKDB])
def test_tables_are_external(engine: Engine) -> None:
    """Each table has the address of its folder, so dropping it deletes no files."""
    text = printed(engine, location="s3://bucket/a folder/".replace(" ", "-"))
    creates = [each for each in parsed(engine, text) if each.kind == "TABLE"]
    literals = [{each.name for each in table.find_all(exp.Literal)} for table in creates]
    end = {Engine.ATHENA: ("/", "/VERSION/")}.get(engine, ("", ""))
    assert f"s3://bucket/a-folder/raw{end[0]}" in literals[0]
    assert f"s3://bucket/a-folder/enriched{end[1]}" in literals[1]


@given(name=st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=20))
def test_any_name_becomes_one_literal(name: str) -> None:
    """Whatever a folder's name, its literal is read back as its path, or it is refused."""
    assume(name not in {".", ".."})
    for engine in (Engine.TRINO, Engine.PRESTO, Engine.SPARK):
        try:
            text = ddl(
                engine, CONTRACT, f"/x/{name}/raw", f"/x/{name}/enriched", Layout.EVENTS, None
            )
        except UsageError:
            continue
        tables = [each for each in parsed(engine, text) if each.kind == "TABLE"]
        literals = {each.name for table in tables for each in table.find_all(exp.Literal)}
        assert {f"file:///x/{name}/raw", f"file:///x/{name}/enriched"} <= literals


def test_a_version_in_the_target_is_named_for_athena(tmp_path: Path) -> None:
    """Athena's table reads the folder of the target's version."""
    target = tmp_path / "enriched"
    target.mkdir()
    (target / file_name(VERSION, 0)).touch()
    text = ddl(
        Engine.ATHENA, CONTRACT, f"{tmp_path}/raw", str(target), Layout.EVENTS, "s3://bucket/events"
    )
    assert f"LOCATION 's3://bucket/events/enriched/{VERSION}/';" in text
    assert "SET LOCATION 's3://bucket/events/enriched/VERSION/'\n" in text


@pytest.mark.parametrize(
    ("engine", "location", "seen"),
    [
        ("trino", "/mnt/events", "file:///mnt/events/raw"),
        ("trino", "local:///events", "local:///events/raw"),
        ("trino", "/", "file:///raw"),
        ("presto", "hdfs://host:8020/events/", "hdfs://host:8020/events/raw"),
        ("spark", "abfss://box@account.dfs.core.windows.net/e", "windows.net/e/raw"),
        ("spark", "//mnt/./a/../events//", "file:///mnt/events/raw"),
        ("athena", "s3://bucket", "s3://bucket/raw/"),
        ("duckdb", "/mnt/events", "'/mnt/events/raw/event_date=*/*.parquet'"),
        ("duckdb", "file:///mnt/events", "'/mnt/events/raw/event_date=*/*.parquet'"),
        ("duckdb", "s3://bucket/a*", "'s3://bucket/a[*]/raw/event_date=*/*.parquet'"),
    ],
)
def test_a_location_is_the_engines_address_of_the_folders(
    capsys: pytest.CaptureFixture[str], engine: str, location: str, seen: str
) -> None:
    """A path or an address is the folder in which the engine sees both tables."""
    assert main(["ddl", "--engine", engine, "--location", location]) == 0
    assert seen in capsys.readouterr().out


def test_the_folders_need_not_exist(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --location, the folders' absolute paths are printed, and nothing is created."""
    folders = ["--source", f"{tmp_path}/a/../raw", "--target", f"{tmp_path}/enriched"]
    assert main(["ddl", "--engine", "trino", *folders]) == 0
    assert f"'file://{tmp_path}/raw'" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--engine", "oracle"], "'trino', 'presto', 'athena', 'duckdb' or 'spark'"),
        ([], "--engine is missing"),
        (["--engine", "trino", "--layout", "wide"], "--layout: expected 'events' or 'users'"),
        (["--engine", "trino", "--location", ""], "--location"),
        (["--engine", "trino", "--location", "events"], "neither an absolute path nor an address"),
        (["--engine", "trino", "--location", "s3://"], "give s3://BUCKET/FOLDER"),
        (["--engine", "trino", "--location", "s3://b/e?x=1"], "is not a valid address"),
        (["--engine", "trino", "--location", "s3://b/../e"], "is not a valid address"),
        (["--engine", "trino", "--location", "s3://b:secret@x@y/e"], "is not a valid address"),
        (["--engine", "trino", "--location", "file://host/e"], "give file:///FOLDER"),
        (["--engine", "trino", "--location", "/a\nb"], "character that SQL cannot show"),
        (["--engine", "trino", "--location", "/a\u2028b"], "character that SQL cannot show"),
        (["--engine", "trino", "--location", "ftp://b/e"], "does not read ftp://; give an address"),
        (["--engine", "athena"], "give --location s3://BUCKET/FOLDER"),
        (["--engine", "athena", "--location", "/mnt"], "give s3://BUCKET/FOLDER"),
        (["--engine", "athena", "--location", "s3://b/it's"], "give s3://BUCKET/FOLDER"),
        (["--engine", "duckdb", "--location", "/a\\b"], "because it contains \\;"),
        (["--engine", "spark", "--location", "/a[b]"], "because it contains [ ];"),
        (["--engine", "trino", "--source", "s3://b/raw"], "source 's3://b/raw' is a remote"),
        (["--engine", "trino", "--target", "/"], "target '/' cannot be a table's folder"),
        (
            ["--engine", "trino", "--source", "a/t", "--target", "b/t", "--location", "/x"],
            "have the same name",
        ),
    ],
)
def test_invalid_flags_are_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """An invalid flag ends with exit code 2 and one line that says what is valid."""
    assert main(["ddl", *arguments]) == 2
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert said in line
    assert out == ""


def test_duckdb_needs_a_file(tmp_path: Path) -> None:
    """If a folder has no file yet, DuckDB says so, as the printed comment does."""
    text = ddl(
        Engine.DUCKDB, CONTRACT, f"{tmp_path}/raw", f"{tmp_path}/enriched", Layout.EVENTS, None
    )
    assert "once its folder holds a file" in text
    with duckdb.connect() as connection, pytest.raises(duckdb.IOException, match="No files found"):
        connection.execute(text)
