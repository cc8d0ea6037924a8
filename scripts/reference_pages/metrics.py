"""reference/metrics.md, from the metrics that the processes expose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.parser import text_string_to_metric_families

from events_analytics.job.textfile import writing_metrics
from events_analytics.versions.manifest import FileRows, Manifest, manifest_path
from events_analytics.versions.names import file_name, new_version
from events_ingest.errors import ProducerError
from events_ingest.telemetry.metrics import EventMetrics
from events_schema.tables.paths import TablePaths
from events_stream.run.metrics import StreamMetrics
from events_stream.table.steps import Step
from reference_pages.markdown import code, codes, page, sentence, table

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FREE_LABELS = {
    "code": "the status",
    "endpoint": "the path, or `other`",
    "target": "the table's folder",
    "version": "the version",
}
"""Labels whose values are not a fixed list."""


def metrics_page() -> str:
    """Return the page."""
    return page(
        "Metrics",
        "the metrics of the code",
        "Every part has metrics for Prometheus. "
        "[Going to production](../how-to/production.md) says which ones to watch.",
        "A histogram has the series `NAME_bucket` (with the label `le`), `NAME_sum` and "
        "`NAME_count`.",
        "## Collector",
        "`events-ingest serve` answers at `/metrics`, on its own port or on `--metrics-port`.",
        _table(_collector().collect()),
        "## Stream",
        "`events-stream run` answers at `/metrics` on `--metrics-port`. Without that flag it "
        "serves none.",
        _table(_stream().collect()),
        "## Analytics",
        "`events-analytics run` writes these at its end to `--metrics-file`, for node_exporter's "
        "textfile collector.",
        _table(_analytics()),
    )


def _table(families: Iterable[Metric]) -> str:
    return table(
        ["Metric", "Meaning"],
        [
            [code(_name(each)), f"{sentence(each.documentation)}<br>{_notes(each)}"]
            for each in families
        ],
    )


def _notes(family: Metric) -> str:
    labels = _labels(family)
    return f"{family.type.capitalize()}; {labels}." if labels else f"{family.type.capitalize()}."


def _name(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def _labels(family: Metric) -> str:
    values: dict[str, list[str]] = {}
    for sample in family.samples:
        for label, value in sample.labels.items():
            if label != "le" and value not in values.setdefault(label, []):
                values[label].append(value)
    texts = [f"{code(name)} ({FREE_LABELS.get(name) or codes(values[name])})" for name in values]
    return f"label{'s' if len(texts) > 1 else ''} {' and '.join(texts)}" if texts else ""


def _collector() -> CollectorRegistry:
    """Return the collector's metrics after one of everything."""
    metrics = EventMetrics()
    metrics.request("/track", 200)
    metrics.acknowledged(1, 0.1)
    for error in ProducerError.__subclasses__():
        metrics.failed(error())
    return metrics.registry


def _stream() -> CollectorRegistry:
    """Return the stream's metrics after a batch."""
    metrics = StreamMetrics()
    for step in Step:
        metrics.reached(step)
    return metrics.registry


def _analytics() -> Iterator[Metric]:
    """Return the metrics of a run that published."""
    with TemporaryDirectory() as folder:
        target, file = Path(folder, "enriched"), Path(folder, "metrics.prom")
        paths, version = TablePaths.at(str(target)), new_version(NOW)
        parquet = FileRows(name=file_name(version, 0), rows=1)
        manifest = Manifest(
            version=version, created_time=NOW, processing_time=NOW, rows=1, users=1,
            files=(parquet,), source="raw", raw_files=(parquet,),
        )  # fmt: skip
        for made in (paths.target, paths.versions):
            made.mkdir()
        (paths.target / parquet.name).touch()
        manifest_path(paths, version).write_bytes(manifest.to_json())
        with writing_metrics(file, str(target)):
            pass
        yield from text_string_to_metric_families(file.read_text())
