"""The metrics that a run writes for node_exporter, however it ends."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import promql_parser
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from events_analytics.cli import main
from events_analytics.errors import Interrupted, MetricsNotWritten, NoData, Terminated
from events_analytics.job.textfile import writing_metrics
from events_analytics.versions.manifest import Manifest
from events_analytics.versions.names import file_name
from events_analytics.versions.publish import open_versions
from events_schema.runtime.errors import AlreadyLocked
from events_schema.tables.paths import TablePaths

RULES = Path(__file__).parents[2] / "schedule" / "events-analytics.rules.yml"
BEGAN = datetime(2026, 11, 24, 12, 0, 7, tzinfo=UTC)
ABOUT_THE_RUN = {"exit_code", "success", "timestamp_seconds", "duration_seconds"}
ABOUT_THE_RESULT = {
    "last_success_timestamp_seconds": BEGAN.timestamp(),
    "processing_timestamp_seconds": BEGAN.timestamp() - 7,
    "rows": 12.0,
    "users": 5.0,
}


def publish(target: Path) -> None:
    """Publish a version with 12 rows of 5 users."""
    with open_versions(TablePaths.at(str(target))) as versions:
        version = versions.new(BEGAN)
        versions.staging(version).mkdir()
        (versions.staging(version) / file_name(version, 0)).touch()
        manifest = Manifest(
            version=version,
            created_time=BEGAN,
            processing_time=BEGAN - timedelta(seconds=7),
            rows=12,
            users=5,
            files=(),
            source="raw",
            raw_files=(),
        )
        versions.publish(manifest, keep=1)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A target to which nothing is published."""
    return tmp_path / "enriched"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A metrics file that does not exist yet, in a new folder."""
    (tmp_path / "metrics").mkdir()
    return tmp_path / "metrics" / "events.prom"


def samples(file: Path) -> list[Sample]:
    """Return the samples that Prometheus reads from the file."""
    families = text_string_to_metric_families(file.read_bytes().decode())
    return [sample for family in families for sample in family.samples]


def values(file: Path) -> dict[str, float]:
    """Return the metrics by their names without the common prefix."""
    return {sample.name.removeprefix("events_analytics_"): sample.value for sample in samples(file)}


ErrorT = TypeVar("ErrorT", bound=BaseException)


@contextmanager
def failing(file: Path, target: Path, kind: type[ErrorT]) -> Iterator[pytest.ExceptionInfo[ErrorT]]:
    """Write the metrics of a run that ends with this error."""
    with pytest.raises(kind) as raised, writing_metrics(file, str(target)):
        yield raised


def test_a_run_writes_its_metrics(target: Path, file: Path) -> None:
    """They say how and when the run ended, how long it took, and what is published now."""
    before = datetime.now(UTC).timestamp()
    with writing_metrics(file, str(target)):
        publish(target)
    now = values(file)
    assert (now["last_run_exit_code"], now["last_run_success"]) == (0, 1)
    assert before <= now["last_run_timestamp_seconds"] <= datetime.now(UTC).timestamp()
    assert 0 < now["last_run_duration_seconds"] < 60
    assert ABOUT_THE_RESULT.items() <= now.items()
    assert list(file.parent.iterdir()) == [file]  # no temporary file stays


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NoData("no rows"), 1),
        (Interrupted("interrupted"), 130),
        (Terminated("interrupted"), 143),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError(), 70),
    ],
)
def test_a_run_that_fails_says_so(
    target: Path, file: Path, error: BaseException, code: int
) -> None:
    """The metrics have its exit code, and the numbers of the version that is still published."""
    with failing(file, target, type(error)):
        raise error
    assert set(values(file)) == {"build_info", *(f"last_run_{name}" for name in ABOUT_THE_RUN)}
    publish(target)
    with failing(file, target, type(error)):
        raise error
    now = values(file)
    assert (now["last_run_exit_code"], now["last_run_success"]) == (code, 0)
    assert ABOUT_THE_RESULT.items() <= now.items()


def test_a_run_that_cannot_lock_the_target_does_not_write_metrics(target: Path, file: Path) -> None:
    """The run that has the lock writes them."""
    with failing(file, target, AlreadyLocked):
        raise AlreadyLocked("held")
    assert not file.exists()
    with writing_metrics(file, str(target)):
        publish(target)
    before = file.read_bytes()
    with failing(file, target, AlreadyLocked):
        raise AlreadyLocked("held")
    assert file.read_bytes() == before


@given(name=st.text(min_size=1).filter(lambda name: name.strip("/") and "\0" not in name))
def test_each_metric_names_its_table(name: str) -> None:
    """The label has any path, so that the files of two tables can be in one folder."""
    try:
        target = os.fsdecode(name.encode())
    except UnicodeEncodeError:  # a path cannot contain a lone surrogate
        return
    with TemporaryDirectory() as folder:
        file = Path(folder, "events.prom")
        with writing_metrics(file, target):
            pass
        labels = [sample.labels["target"] for sample in samples(file)]
    assert len(labels) == 5
    assert set(labels) == {str(Path(target).absolute())}


def test_a_path_that_is_not_text_is_shown_with_question_marks(tmp_path: Path, file: Path) -> None:
    """Bytes that are not UTF-8 become question marks in the label."""
    target = os.fsdecode(bytes(tmp_path / "table-") + b"\xff")
    with writing_metrics(file, target):
        publish(Path(target))
    assert {sample.labels["target"] for sample in samples(file)} == {f"{tmp_path}/table-\ufffd"}
    assert values(file)["rows"] == 12


@pytest.mark.parametrize("damage", ["manifest", "target"])
def test_unknown_numbers_are_left_out(target: Path, file: Path, damage: str) -> None:
    """There are no numbers for a result with a damaged manifest or from another program."""
    publish(target)
    if damage == "target":
        (target / "readme.txt").touch()
    else:
        (manifest,) = target.with_name("enriched.versions").glob("*.json")
        manifest.write_bytes(manifest.read_bytes()[:50])
    with failing(file, target, NoData):
        raise NoData("no rows")
    assert set(ABOUT_THE_RESULT).isdisjoint(values(file))
    assert values(file)["last_run_exit_code"] == 1


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    """Run the command in this process; return its exit code and the one line on stderr."""
    code = main(["run", *map(str, arguments)])
    (line,) = capsys.readouterr().err.splitlines()
    return code, line


@pytest.mark.parametrize("path", ["missing/a.prom", "folder.prom", "file/a.prom", "/proc/a.prom"])
def test_a_file_that_cannot_be_written_is_refused_first(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str
) -> None:
    """It is refused before the search for Java, and nothing is created."""
    (tmp_path / "folder.prom").mkdir()
    (tmp_path / "file").touch()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    code, line = refused(capsys, "--metrics-file", tmp_path / path)
    assert code == 1
    assert f"cannot write metrics file {tmp_path / path}: " in line
    assert "give a file in an existing folder" in line
    assert {entry.name for entry in tmp_path.iterdir()} == {"folder.prom", "file"}


@pytest.mark.parametrize("path", ["metrics.txt", "metrics", ".prom"])
def test_only_names_that_node_exporter_reads_are_accepted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, path: str
) -> None:
    """node_exporter reads only files that end in .prom, and a run says so before it starts."""
    code, line = refused(capsys, "--metrics-file", f"{tmp_path}/{path}")
    assert code == 2
    assert line.startswith("events-analytics: --metrics-file: ")
    assert "does not end in .prom" in line


def test_the_command_writes_metrics_to_the_given_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, file: Path, target: Path
) -> None:
    """A flag or a variable sets the file, also for a failing run; by default, there is none."""
    arguments = ("--source", str(target), "--target", str(target))
    assert refused(capsys, *arguments)[0] == 1
    assert not file.exists()
    assert refused(capsys, *arguments, "--metrics-file", file)[0] == 1
    assert values(file)["last_run_exit_code"] == 1
    file.unlink()
    monkeypatch.setenv("EVENTS_ANALYTICS_METRICS_FILE", str(file))
    assert refused(capsys, *arguments)[0] == 1
    assert values(file)["last_run_exit_code"] == 1


def test_a_result_stays_published_if_its_metrics_cannot_be_written(
    target: Path, file: Path
) -> None:
    """The run ends with a separate error and exit code."""
    with failing(file, target, MetricsNotWritten) as raised:
        publish(target)
        shutil.rmtree(file.parent)
    assert str(raised.value).startswith(f"published, but cannot write metrics file {file}: No such")
    assert raised.value.exit_code == 4
    assert len(list(target.iterdir())) == 1


def test_a_failure_is_not_hidden_by_a_failure_of_the_metrics(
    capsys: pytest.CaptureFixture[str], target: Path, file: Path
) -> None:
    """The run ends with its own error, after a one-line warning."""
    with failing(file, target, NoData):
        shutil.rmtree(file.parent)
        raise NoData("no rows")
    (warning,) = "".join(capsys.readouterr()).splitlines()
    assert "metrics not written" in warning
    assert "No such file or directory" in warning


def selected(expression: str) -> set[str]:
    """Return the names of the metrics in an expression."""
    names: set[str] = set()

    def visit(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.VectorSelector) and node.name:
            names.add(node.name)
        return True

    promql_parser.walk(promql_parser.parse(expression), visit)
    return names


def test_the_alerts_use_existing_metrics(target: Path, file: Path) -> None:
    """Each expression parses, and a run writes all of its metrics."""
    with writing_metrics(file, str(target)):
        publish(target)
    rules = yaml.safe_load(RULES.read_text())
    for alert in (rule for group in rules["groups"] for rule in group["rules"]):
        names = selected(alert["expr"])
        assert names
        assert names <= {sample.name for sample in samples(file)}
