"""The pages of the reference that are made from the code."""

from __future__ import annotations

import pytest

import reference


def test_the_generated_pages_are_what_the_code_gives(capsys: pytest.CaptureFixture[str]) -> None:
    """Flags, endpoints, metrics and exit codes on the pages are the code's; see the output."""
    assert reference.main(["--check"]) == 0, capsys.readouterr().out
