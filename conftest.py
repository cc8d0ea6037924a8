"""Fixtures for the tests of all packages: a broker, a Spark session, topics and a browser."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings
from playwright.sync_api import Browser, BrowserContext
from pyspark.sql import SparkSession

from events_loadgen.processes.broker import LocalBroker
from events_schema.runtime.session.start import connector_jars, start_session, stop_session
from events_stream.records.decode import AVRO_JAVA_OPTIONS
from ingest_support.browser import Tracking, running_chromium, tracking
from line_support.secured_kafka import Secured, secured_kafka
from line_support.topics import Topics
from stream_support.quick_start import FOLDER

collect_ignore = ["tests/dag"]  # runs in another environment: hatch run airflow:test

# No deadline: how long an example with a topic or a Spark job takes depends on the machine.
settings.register_profile("ci", deadline=None, print_blob=True)
settings.load_profile("ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--kills` for the fault campaign."""
    parser.addoption("--kills", type=int, help="how many kills the fault campaign does")


def pytest_configure(config: pytest.Config) -> None:
    """Create the folder that all processes of this run share, unless only the core runs."""
    core = "not extended" in config.option.markexpr
    if not core and FOLDER not in os.environ:  # workers of pytest-xdist inherit it
        folder = tempfile.TemporaryDirectory(prefix="events-classes-")
        os.environ[FOLDER] = folder.name
        config.add_cleanup(folder.cleanup)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Function]) -> None:
    """Refuse tests with the same id, because pytest-xdist would run only one of them.

    With `--kills`, the tests that kill have no timeout, since each of their waits has one.
    """
    shared = [node for node, count in Counter(item.nodeid for item in items).items() if count > 1]
    if shared:
        raise pytest.UsageError(f"several tests have the id {shared[0]}; give each a unique id")
    for item in items:
        if config.getoption("--kills") and "kills" in item.fixturenames:
            item.add_marker(pytest.mark.timeout(0))


@pytest.fixture(autouse=True)
def fresh_logging() -> Iterator[None]:
    """Reset the logging that a command has set up: its stderr is closed after the test."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBroker]:
    """A Kafka broker for the whole session; tests that stop one start their own."""
    with LocalBroker(tmp_path_factory.mktemp("kafka")) as local_broker:
        yield local_broker


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """A broker that requires TLS and a login."""
    with secured_kafka(tmp_path_factory.mktemp("secured")) as secured:
        yield secured


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """One Spark session for all tests, with the contract's settings and the connectors."""
    session = start_session(
        "events-tests",
        master="local[2]",
        settings={
            "spark.driver.memory": "2g",
            "spark.sql.shuffle.partitions": "2",
            # Two processes must not create a database in the same folder.
            "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse")),
        },
        java_options=AVRO_JAVA_OPTIONS,
        jars=connector_jars(),
    )
    yield session
    stop_session(session)


@pytest.fixture(scope="session")
def topics(broker: LocalBroker) -> Topics:
    """Fresh topics on the shared broker."""
    return Topics(broker.bootstrap)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless Chromium, for one module only, because it runs asyncio in the test's thread."""
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A new browser context without history."""
    with chromium.new_context() as context:
        yield context


@pytest.fixture(scope="module")
def tracked(topics: Topics) -> Iterator[Tracking]:
    """A web site with tracking; its collector is not running yet."""
    with tracking(topics) as tracked:
        yield tracked
