"""The environment variables of a command."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from events_schema.runtime.command.options import Option, prefix_of

_PREFIX = "EVENTS_"
_COMMANDS = (
    "events-schema",
    "events-ingest",
    "events-stream",
    "events-analytics",
    "events-loadgen",
)
_PREFIXES = tuple(map(prefix_of, _COMMANDS))
_SIMILAR = 0.85
"""How similar to a known variable a variable of no command must be to get a warning."""

# Kubernetes sets these in every pod for each Service, also for one that is named like a command.
_SERVICE = re.compile(
    r".*_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://[^/\s]+:[0-9]+")


def variable_of(option: Option, environment: Mapping[str, str]) -> str | None:
    """Return the first variable of `option` that is set, None if none is.

    What Kubernetes injects for a Service, such as `EVENTS_INGEST_PORT=tcp://10.0.0.1:80`, does not
    count as set, nor does an empty variable that several commands share.
    """
    for variable in option.variables:
        value = environment.get(variable)
        if value is None or _is_injected(variable, value):
            continue
        if value or variable == option.variables[0]:
            return variable
    return None


def unknown_variables(
    program: str, known: Iterable[str], environment: Mapping[str, str]
) -> Iterator[str]:
    """Yield a line for each variable that looks like a setting of `program` but is not one.

    These are all with its prefix, and those of no command that resemble one that it knows.
    """
    known = set(known)
    own = prefix_of(program)
    for variable, value in sorted(environment.items()):
        if variable in known or not variable.startswith(_PREFIX) or _is_injected(variable, value):
            continue
        if variable.startswith(own):
            endings = [name.removeprefix(own) for name in known if name.startswith(own)]
            near = [own + end for end in get_close_matches(variable.removeprefix(own), endings, 1)]
        elif variable.startswith(_PREFIXES):
            near = []
        else:
            near = get_close_matches(variable, known, 1, _SIMILAR)
        if near:
            yield f"{variable} is not a setting and is ignored; did you mean {near[0]}?"
        elif variable.startswith(own):
            hint = f"{program} COMMAND --help shows them"
            yield f"{variable} is not a setting and is ignored; {hint}"


def _is_injected(variable: str, value: str) -> bool:
    """Tell whether Kubernetes set the variable for a Service."""
    if variable.endswith("_PORT") and _SERVICE_ADDRESS.fullmatch(value):
        return True
    return _SERVICE.fullmatch(variable) is not None
