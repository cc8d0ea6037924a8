"""The Python of the documentation: strictly typed without a mypy plugin, and it runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from documentation_support.pages import Block, blocks, pages

GIVEN = {
    "docs/how-to/analytics.md": """
from datetime import datetime
from pathlib import Path
from pyspark.sql import DataFrame, SparkSession
spark: SparkSession
source: Path
target: Path
events: DataFrame
processing_time: datetime
""",
    "docs/how-to/simulate-load.md": "from pathlib import Path\ntmp_path: Path\n",
}
"""What the reader's own code has defined, for snippets that use it."""
ALONE = (
    "README.md",
    "docs/how-to/add-a-field.md",
    "docs/how-to/collector.md",
    "docs/how-to/direct-producers.md",
    "docs/reference/contract.md",
    "docs/reference/python-api.md",
    "docs/start/first-hour.md",
    "packages/events-schema/README.md",
)
"""Pages whose snippets need nothing else."""
SNIPPETS = [block for page in pages() for block in blocks(page) if block.language == "python"]


def test_snippets_are_strictly_typed(tmp_path: Path) -> None:
    """A reader's own `mypy --strict`, which has no plugin, finds nothing."""
    for number, block in enumerate(SNIPPETS):
        code = GIVEN.get(block.page, "") + _in_function(block.text)
        (tmp_path / f"snippet_{number}.py").write_text(code, "utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir=cache", "."]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    named = "\n".join(f"snippet_{number}.py is {block}" for number, block in enumerate(SNIPPETS))
    assert checked.returncode == 0, f"{checked.stdout}{checked.stderr}{named}"


@pytest.mark.parametrize("block", [each for each in SNIPPETS if each.page in ALONE], ids=str)
def test_a_snippet_runs(block: Block) -> None:
    """A snippet that needs nothing else runs, and what it asserts holds."""
    code = compile(block.text, str(block), "exec", dont_inherit=True)
    exec(code, {"__name__": "snippet"})  # noqa: S102


def _in_function(code: str) -> str:
    """Return a snippet that awaits as the body of a coroutine."""
    if "await " not in code:
        return code
    body = "".join(f"    {line}\n" for line in code.splitlines())
    return f"async def main() -> None:\n{body}"
