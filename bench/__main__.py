"""Runs `hatch run bench NAME`. Each NAME is a folder here with a module `run`."""

from __future__ import annotations

import runpy
import sys

_NAMES = ["analytics", "collector", "stream"]


def main() -> None:
    """Run the benchmark that the first argument names, with the other arguments."""
    name = sys.argv.pop(1) if sys.argv[1:] else None
    if name not in _NAMES:
        raise SystemExit(f"usage: bench NAME [flags]; NAME is one of: {', '.join(_NAMES)}")
    runpy.run_module(f"bench.{name}.run", run_name="__main__")


main()
