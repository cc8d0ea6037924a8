"""Tests of progress output."""

from __future__ import annotations

import pytest

from events_loadgen.load.progress import show_step


def test_without_a_terminal_progress_is_plain_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Progress in a log file is plain lines without control characters."""
    monkeypatch.setattr("events_loadgen.load.progress._LINE_EVERY_SECONDS", 0)
    with show_step("Posting", 10) as step:
        step.update(4)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["Posting ...", "Posting: 4 of 10"]
    assert lines[2].startswith("Posting: done in ")


def test_a_step_that_fails_is_not_shown_as_done(capsys: pytest.CaptureFixture[str]) -> None:
    """A step that raises prints no line with "done"."""
    with pytest.raises(ZeroDivisionError), show_step("Dividing"):
        raise ZeroDivisionError
    assert capsys.readouterr().err == "Dividing ...\n"


@pytest.mark.parametrize("total", [None, 10])
def test_a_terminal_shows_a_bar(
    total: int | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bar shows the step's name, and a tick once the step is done."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with show_step("Posting", total) as step:
        step.update(4)
    shown = capsys.readouterr().err
    assert "Posting" in shown
    assert "✓" in shown
