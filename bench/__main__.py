"""`hatch run bench NAME`: each NAME is a script of this folder."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

_HERE = Path(__file__).parent
_NAMES = ["collector"]


def main() -> None:
    """Run the benchmark that the first word names, with the words that follow."""
    if len(sys.argv) < 2 or sys.argv[1] not in _NAMES:  # noqa: PLR2004
        raise SystemExit(f"usage: bench NAME [flags]; NAME is one of: {', '.join(_NAMES)}")
    script = _HERE / f"{sys.argv.pop(1)}.py"
    runpy.run_path(str(script), run_name="__main__")


main()
