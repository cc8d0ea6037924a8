"""The list of the documented commands that do not run in CI."""

from __future__ import annotations

from documentation_support.commands import commands, one_line
from documentation_support.line import exceptions, shell_blocks
from documentation_support.pages import pages


def test_each_exception_is_a_documented_command() -> None:
    """A command that no page has any more leaves the list, too."""
    documented = {
        one_line(command)
        for page in pages()
        for block in shell_blocks(page)
        for command in commands(block.text)
    }
    assert sorted(exceptions("cannot", "long").keys() - documented) == []
