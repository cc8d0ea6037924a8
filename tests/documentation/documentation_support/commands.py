"""Splits a shell block into what runs as one: a command, or commands that share variables."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from documentation_support.pages import Block
from documentation_support.servers import Server, server

_CONTINUED = ("\\", "|", "&&", "||", "{", "(", "do", "then", "else")
_COMPOUND = ("if", "for", "while", "until", "case", "function", "{", "(")
_STATE = re.compile(r"(\w+=\S*( |$)|\w+=\"?\$\(|export |cd |set |source |\. )")


@dataclass(frozen=True)
class Unit:
    """Some commands of a block, as one script. If it is a server, the last command is."""

    block: Block
    script: str
    server: Server | None = field(default=None)


def commands(script: str) -> list[str]:
    """Return the commands of a script; comments between them are left out.

    Raises `ValueError` for a command that does not end.
    """
    found: list[str] = []
    lines: list[str] = []
    for line in script.splitlines():
        if not lines and (not line.strip() or line.lstrip().startswith("#")):
            continue
        lines.append(line)
        if _complete("\n".join(lines)):
            found.append("\n".join(lines).strip())
            lines = []
    if lines:
        raise ValueError(f"not a complete command: {lines}")
    return found


def _complete(text: str) -> bool:
    if text.endswith("\\"):
        return False
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        words = []
    simple = words and words[0] not in _COMPOUND and words[-1] not in _CONTINUED
    if simple and "<<" not in text and "$(" not in text:
        return True
    checked = subprocess.run(
        ["bash", "-n"], input=text, capture_output=True, text=True, check=False
    )
    return checked.returncode == 0 and not checked.stderr  # bash warns of a missing END


def one_line(command: str) -> str:
    """Return a command with its continued lines joined."""
    return re.sub(r"\s*\\\n\s*", " ", command)


def units(block: Block, left_out: Collection[str]) -> Iterator[Unit]:
    """Return what runs of a block, without the commands that are `left_out`.

    Commands run one by one if they share nothing. If the block sets a variable, changes the
    folder or the like, the others follow in the same shell.
    """
    kept = [each for each in commands(block.text) if one_line(each) not in left_out]
    servers = {each: kind for each in kept if (kind := server(one_line(each)))}
    setting = [each for each in kept if _STATE.match(each)]
    if not setting:
        yield from (_unit(block, [each], servers.get(each)) for each in kept)
        return
    ending = [each for each in kept if each not in servers]
    if len(ending) > len(setting) or not servers:
        yield _unit(block, ending)
    for each, kind in servers.items():
        yield _unit(block, [*setting, each], kind)


def _unit(block: Block, script: Sequence[str], kind: Server | None = None) -> Unit:
    return Unit(block, "\n".join(script), kind)
