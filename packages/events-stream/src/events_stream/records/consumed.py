"""How many records the Kafka consumers in Spark's Java process have read."""

from __future__ import annotations

from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession


class ConsumedRecords:
    """Asks Java's management beans what its Kafka consumers have read.

    Python may not call the class of the bean server, so its public interface is called by
    reflection.
    """

    def __init__(self, spark: SparkSession) -> None:
        java: Any = spark._jvm  # noqa: SLF001
        self._new_array = spark.sparkContext._gateway.new_array  # type: ignore[union-attr]  # noqa: SLF001
        self._object = java.java.lang.Object
        self._server = java.java.lang.management.ManagementFactory.getPlatformMBeanServer()
        interface = java.java.lang.Class.forName("javax.management.MBeanServerConnection")
        self._methods = {method.getName(): method for method in interface.getMethods()}
        self._all = java.javax.management.ObjectName(
            "kafka.consumer:type=consumer-fetch-manager-metrics,client-id=*"
        )

    def count(self) -> float:
        """Return how many records the open consumers have read, in answers read to their end."""
        return sum(map(self._read_by, self._call("queryNames", self._all, None)))

    def _read_by(self, consumer: Any) -> float:
        try:
            return float(self._call("getAttribute", consumer, "records-consumed-total"))
        except Py4JJavaError:
            return 0.0  # it was closed in the meantime

    def _call(self, method: str, *arguments: Any) -> Any:
        array = self._new_array(self._object, len(arguments))
        for index, argument in enumerate(arguments):
            array[index] = argument
        return self._methods[method].invoke(self._server, array)
