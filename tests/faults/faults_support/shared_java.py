"""A Java process that outlives the streams that run in it, one after the other.

They find it as they would find spark-submit's. A stream starts in it in a third of the time that
it takes with a Java process of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import pyspark
from pyspark.java_gateway import launch_gateway

from events_schema.runtime.session.start import connector_jars
from events_stream.records.decode import AVRO_JAVA_OPTIONS

PORT, SECRET = "PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET"


class SharedJava:
    """Runs for as long as the context, and logs to `log`; `options` are added to the stream's."""

    def __init__(self, options: str, log: Path) -> None:
        conf = pyspark.SparkConf(loadDefaults=False).setMaster("local[2]")
        conf.set("spark.driver.extraJavaOptions", " ".join([*AVRO_JAVA_OPTIONS, options]))
        conf.set("spark.driver.host", "localhost").set("spark.driver.bindAddress", "127.0.0.1")
        conf.set("spark.jars", ",".join(map(str, connector_jars())))
        self._conf, self._log = conf, log

    def __enter__(self) -> Self:
        with self._log.open("ab") as output:
            said = {"stdout": output, "stderr": output}
            self._gateway: Any = launch_gateway(self._conf, said)  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *_: object) -> None:
        self._gateway.shutdown()
        with self._gateway.proc as process:
            process.kill()

    @property
    def environment(self) -> Mapping[str, str]:
        """What the environment of a stream holds that is to run in it."""
        parameters = self._gateway.gateway_parameters
        return {PORT: str(parameters.port), SECRET: parameters.auth_token}


def end_predecessor() -> None:
    """End what a dead process runs in the Java process that the environment names."""
    with closing(launch_gateway()) as gateway:  # type: ignore[no-untyped-call]
        session = gateway.jvm.SparkSession.getDefaultSession()
        if session.isDefined():
            for query in session.get().streams().active():
                query.stop()
            session.get().stop()
