"""Secrets of a stream's Kafka never show: in Spark's UI, its plans and logs, files, or `ps`."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from events_loadgen.processes.child import ChildProcess
from events_loadgen.processes.ports import free_port
from line_support.secured_kafka import PASSWORD, USER, Secured, own_certificate
from line_support.topics import Topics
from stream_support.quick_start import quick_java
from stream_support.stream_process import start_stream, values, wait_for_rows

pytestmark = pytest.mark.extended

OPTION = "option-horse-battery"
PAGES = ("environment/", "SQL/", "SQL/execution/?id=0", "StreamingQuery/", "jobs/job/?id=0")
ANSWERS = ("environment", "sql?details=true&planDescription=true", "jobs", "stages?details=true")
LOGGING = """
rootLogger.level = info
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
logger.kafka.name = org.apache.kafka
logger.kafka.level = info
logger.connector.name = org.apache.spark.sql.kafka010
logger.connector.level = debug
logger.streaming.name = org.apache.spark.sql.execution.streaming
logger.streaming.level = debug
"""
"""More than --verbose shows, as somebody would set it who looks for a problem."""


def own_key(folder: Path) -> str:
    """A line of the private key in the certificate's file."""
    return (folder / "own.pem").read_text().splitlines()[2]


def stream_with_secrets(secured: Secured, topic: str, folder: Path, ui_port: int) -> ChildProcess:
    """A stream with a password, a private key and a secret option, which shows all it can."""
    (folder / "password").write_text(PASSWORD)
    (folder / "options").write_text(f"custom.plugin.option={OPTION}")
    (folder / "log4j2.properties").write_text(LOGGING)
    with zipfile.ZipFile(folder / "plugin.jar", "w") as jar:
        jar.writestr("plugin.txt", "a login of your own")
    logging = f"-Dlog4j2.configurationFile={folder}/log4j2.properties"
    # fmt: off
    return start_stream(
        secured.plain, topic, folder, "--brokers", secured.login, "--verbose",
        "--kafka-tls", "--kafka-ca-file", str(secured.ca_file),
        *own_certificate(secured.authority, folder),
        "--sasl-mechanism", "SCRAM-SHA-512", "--sasl-username", USER,
        "--sasl-password-file", str(folder / "password"),
        "--kafka-options-file", str(folder / "options"),
        "--conf", f"spark.jars={folder}/plugin.jar",
        "--conf", "spark.ui.enabled=true", "--conf", f"spark.ui.port={ui_port}",
        "--conf", f"spark.driver.extraJavaOptions={quick_java(secured.plain)} {logging}",
    )
    # fmt: on


def shown(ui: str) -> Iterator[tuple[str, str]]:
    """Each page of the UI and each answer of its API."""
    with httpx.Client(base_url=ui, timeout=60, follow_redirects=True) as client:
        (application,) = client.get("/api/v1/applications").json()
        answers = [f"api/v1/applications/{application['id']}/{answer}" for answer in ANSWERS]
        for path in (*PAGES, *answers):
            yield path, client.get(f"/{path}").text


def listens_at(process: psutil.Process) -> set[str]:
    """The addresses that a process listens on."""
    listening = (each for each in process.net_connections() if each.status == "LISTEN")
    return {each.laddr.ip.removeprefix("::ffff:") for each in listening}


def written(folder: Path) -> Iterator[tuple[str, str]]:
    """Each file of the stream but those that hold the secrets."""
    for file in folder.rglob("*"):
        if file.is_file() and file.name not in ("password", "options", "own.pem"):
            yield str(file), file.read_bytes().decode("latin-1")


def test_secrets_never_show(secured: Secured, tmp_path: Path) -> None:
    """Not even with --verbose, Java's logs at DEBUG and Spark's UI, which is on loopback only."""
    topics = Topics(secured.plain)
    topic = topics.create()
    topics.produce(topic, values(5))
    port = free_port()
    with stream_with_secrets(secured, topic, tmp_path, port) as stream:
        wait_for_rows(tmp_path, 5, stream)
        processes = [psutil.Process(stream.pid), *psutil.Process(stream.pid).children()]
        assert [listens_at(each) for each in processes] == [{"127.0.0.1"}, {"127.0.0.1"}]
        found = {f"ps {each.pid}": " ".join(each.cmdline()) for each in processes}
        found |= dict(shown(f"http://127.0.0.1:{port}"))
    found |= dict(written(tmp_path))
    assert "plugin.jar" in found["environment/"]
    everything = "".join(found.values())
    assert "spark.app.name" in found["environment/"]
    assert "== Physical Plan ==" in everything
    assert "sasl.jaas.config = [hidden]" in found[str(stream.log)]
    for secret in (PASSWORD, "ScramLoginModule required", own_key(tmp_path), OPTION):
        assert [place for place, text in found.items() if secret in text] == []
