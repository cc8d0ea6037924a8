"""Loads the contract that `--contract MODULE:CLASS` names."""

from __future__ import annotations

import importlib
import re
import sys
import traceback
from pathlib import Path
from typing import Any

from events_schema.contract import Contract
from events_schema.errors import ContractError, EventsError

DEFAULT = "events_schema:Event"
"""The contract of six fields."""
ENVIRONMENT = "EVENTS_CONTRACT"
"""The environment variable that names the contract for every command."""

_LONGEST = 200
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def load_contract(name: str, *, allow_unreleased: bool = False) -> Contract[Any]:
    """Return the contract of the class `name`, MODULE:CLASS, after checking that it is released.

    The module is searched on Python's path, then in the current folder. Raises the errors of
    `find_contract` and `Contract.check_released`.
    """
    contract = find_contract(name)
    contract.check_released(allow_unreleased=allow_unreleased)
    return contract


def find_contract(name: str) -> Contract[Any]:
    """Return the contract of the class `name`, MODULE:CLASS, released or not.

    CLASS may also name a `Contract` object in the module. Raises `ContractError` if the module
    cannot be imported or CLASS is not an event class.
    """
    if not _NAME.fullmatch(name):
        raise ContractError(
            f"contract {name!a:.200} is not MODULE:CLASS; give the module's dotted name, without "
            f".py, and its class, such as acme.events:AcmeEvent"
        )
    module_name, _, class_name = name.partition(":")
    module = _import(module_name)
    event = getattr(module, class_name, None)
    if event is None:
        raise ContractError(
            f"contract {name}: module {module_name} ({getattr(module, '__file__', '?')}) has no "
            f"{class_name}; give the name of its class"
        )
    return event if isinstance(event, Contract) else Contract(event)


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _failed(name, error) from error  # the module was found, one of its imports not
        if error.name != name.partition(".")[0] or str(Path.cwd()) in sys.path:
            raise ContractError(
                f"contract: module {error.name} not found; install it, or run the command in the "
                f"folder that contains it"
            ) from error
    except (Exception, SystemExit) as error:
        raise _failed(name, error) from error
    # Last, so that a file in the folder cannot hide an installed module.
    sys.path.append(str(Path.cwd()))
    importlib.invalidate_caches()
    return _import(name)


def _failed(name: str, error: BaseException) -> EventsError:
    """Return the error for a module that fails while it is imported, with the line number."""
    if isinstance(error, EventsError):
        return error
    said = " ".join(str(error).split())
    said = f"{said[:_LONGEST]}..." if len(said) > _LONGEST else said
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).stem == name.rpartition(".")[2]]
    place = f", line {own[-1].lineno}" if own else ""
    return ContractError(
        f"contract: importing module {name} failed ({type(error).__name__}: {said}{place}); fix it"
    )
