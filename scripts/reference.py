"""`hatch run reference`: writes the pages of docs/reference that are made from the code.

`hatch run reference --check` writes nothing; it shows what would change and exits with 1 then.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from difflib import unified_diff
from pathlib import Path

from reference_pages.commands import command_page, commands, index_page
from reference_pages.exit_codes import exit_codes_page
from reference_pages.http_api import http_api_page
from reference_pages.markdown import REGENERATE
from reference_pages.metrics import metrics_page

FOLDER = Path(__file__).parents[1] / "docs" / "reference"


def pages() -> Mapping[Path, str]:
    """Return each page by its file."""
    found = commands()
    made = {
        "commands/index.md": index_page(),
        **{f"commands/{name}.md": command_page(command) for name, command in found.items()},
        "exit-codes.md": exit_codes_page(),
        "http-api.md": http_api_page(),
        "metrics.md": metrics_page(),
    }
    return {FOLDER / name: text for name, text in made.items()}


def main(arguments: list[str]) -> int:
    """Write the pages, or check them."""
    changes = {
        file: (old, new)
        for file, new in pages().items()
        if (old := file.read_text("utf-8") if file.exists() else "") != new
    }
    if "--check" in arguments:
        for file, (old, new) in changes.items():
            lines = unified_diff(old.splitlines(), new.splitlines(), str(file), "the code", "", "")
            print("\n".join(lines))
        if changes:
            print(f"docs/reference differs from the code; run `{REGENERATE}` and commit the pages")
        return 1 if changes else 0
    for file, (_, new) in changes.items():
        file.parent.mkdir(exist_ok=True)
        file.write_text(new, "utf-8")
        print(f"wrote {file.relative_to(FOLDER.parents[1])}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
