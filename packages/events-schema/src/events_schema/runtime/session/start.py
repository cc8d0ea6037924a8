"""Starts Spark with the contract's settings, and stops it in order."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import resources
from pathlib import Path

import pyspark
from py4j.protocol import Py4JError
from pyspark.errors import PySparkRuntimeError
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from events_schema.runtime.errors import SparkNotStarted
from events_schema.runtime.java.find import find_java
from events_schema.runtime.java.jars import resolve_jars
from events_schema.runtime.signals import deferring_signals
from events_schema.spark import SESSION_SETTINGS

STOP_SECONDS = 20
"""How long Spark may take to stop in order."""

KILL_SECONDS = 5
"""How long to wait for a killed process: one that waits for a dead disk never ends."""


def connector_jars() -> list[Path]:
    """Return the jars of Spark's Kafka and Avro connectors, for this PySpark.

    Raises `JarsNotResolved`.
    """
    coordinates = [
        f"org.apache.spark:{connector}_2.13:{pyspark.__version__}"
        for connector in ("spark-sql-kafka-0-10", "spark-avro")
    ]
    return resolve_jars(coordinates, exclude=["org.apache.hadoop", "org.scala-lang", "org.slf4j"])


def start_session(
    name: str,
    *,
    master: str,
    settings: Mapping[str, str],
    java_options: Sequence[str] = (),
    jars: Sequence[Path] = (),
    verbose: bool = False,
) -> SparkSession:
    """Start Spark with the contract's session settings, overridden by `settings`.

    The Java process gets its own process session, so Ctrl-C reaches only this process, which then
    stops Java in order. Java logs nothing unless `verbose`: failures are raised as exceptions.
    Under spark-submit, the existing Java process is used, with its own master, memory, options
    and jars.

    Raises `JavaNotFound`, and `SparkNotStarted` with Java's error message.
    """
    find_java()
    conf = pyspark.SparkConf(loadDefaults=False).setAppName(name)
    for key, value in {**SESSION_SETTINGS, **settings}.items():
        conf.set(key, value)
    if "PYSPARK_GATEWAY_PORT" in os.environ:  # spark-submit started this process
        return SparkSession.builder.config(conf=conf).getOrCreate()
    conf.setMaster(master)
    if master.startswith("local"):
        conf.set("spark.driver.host", "localhost").set("spark.driver.bindAddress", "127.0.0.1")
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")  # its UI has no other setting for that
    if jars:
        given = conf.get("spark.jars", "")
        conf.set("spark.jars", ",".join([*map(str, jars), *([given] if given else [])]))
    logging = resources.files("events_schema.runtime.session") / "log4j2.properties"
    quiet = [] if verbose else [f"-Dlog4j2.configurationFile={logging}"]
    for process in ("driver", "executor"):
        _append_options(conf, f"spark.{process}.extraJavaOptions", [*quiet, *java_options])
    return SparkSession(_launch(conf, verbose))


def _append_options(conf: pyspark.SparkConf, key: str, options: Sequence[str]) -> None:
    given = conf.get(key, "")
    conf.set(key, " ".join([*options, *([given] if given else [])]))


def _launch(conf: pyspark.SparkConf, verbose: bool) -> pyspark.SparkContext:
    # Java's warnings at the start matter only if it does not start. Signals are delayed because
    # PySpark, interrupted during the start, would leave a Java process behind.
    with tempfile.TemporaryFile("w+") as said, deferring_signals():
        options = {"start_new_session": True, **({} if verbose else {"stderr": said})}
        try:
            gateway = launch_gateway(conf, popen_kwargs=options)  # type: ignore[no-untyped-call]
            return pyspark.SparkContext(conf=conf, gateway=gateway)
        except (PySparkRuntimeError, Py4JError) as error:
            said.seek(0)
            raise SparkNotStarted(f"Spark did not start: {_reason(said.read(), error)}") from error


def _reason(said: str, error: Exception) -> str:
    lines = f"{said}\n{error}".splitlines()
    causes = [line.strip() for line in lines if "Exception: " in line or "Error: " in line]
    return (causes or [str(error)])[-1][:500]


def stop_session(spark: SparkSession) -> None:
    """Stop a session from `start_session`, and wait for its Java process to end.

    A process that takes longer than `STOP_SECONDS` is killed.

    It terminates the Java process, which stops Spark in order. `SparkSession.stop()` would leave
    the process running, and fails if a signal has interrupted a call to Java.
    """
    process = _java_process(spark)
    if process is None:  # spark-submit started it
        spark.stop()
        return
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        kill_session(spark)


def kill_session(spark: SparkSession) -> None:
    """Kill the Java process that `start_session` started, even if it hangs."""
    process = _java_process(spark)
    if process is not None:
        process.kill()
        java_ends(spark, KILL_SECONDS)


def java_ends(spark: SparkSession, seconds: float) -> bool:
    """Return whether the Java process that `start_session` started ends within `seconds`."""
    process = _java_process(spark)
    if process is None:
        return False
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.returncode is not None


def _java_process(spark: SparkSession) -> subprocess.Popen[bytes] | None:
    gateway = spark.sparkContext._gateway  # noqa: SLF001  # PySpark has no public way to it
    return getattr(gateway, "proc", None)
