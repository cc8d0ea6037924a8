"""The pages of the reference that are made from the code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "reference.py"


def test_the_generated_pages_are_what_the_code_gives() -> None:
    """Flags, endpoints, metrics and exit codes on the pages are the code's; see the output."""
    done = subprocess.run(
        [sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
