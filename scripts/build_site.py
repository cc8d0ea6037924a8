"""`hatch run docs:build`: builds the site into `site/` and fails if anything in it is broken."""

from __future__ import annotations

import re
import subprocess
import sys

from check_site import ROOT, check

COLORS = re.compile(r"\x1b\[[0-9;]*m")


def main() -> int:
    """Build the site strictly, then check it; return the exit code."""
    build = subprocess.run(
        ["zensical", "build", "--strict", "--clean"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    output = build.stdout if sys.stdout.isatty() else COLORS.sub("", build.stdout)
    print(output.partition("Traceback")[0].strip())  # strict mode ends in one, which says nothing
    return build.returncode or check()


if __name__ == "__main__":
    sys.exit(main())
