"""Finding the contract that `--contract MODULE:CLASS` names."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

from events_schema.contract import Contract
from events_schema.errors import ContractError, EventsError

DEFAULT = "events_schema:Event"
"""The contract of six fields."""
ENVIRONMENT = "EVENTS_CONTRACT"
"""The environment variable that names the contract for every command."""

_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def load_contract(name: str, *, allow_unreleased: bool = False) -> Contract[Any]:
    """Return the contract of the class `name`, MODULE:CLASS.

    The module is looked for where Python looks, and then in the current folder. Raises
    `ContractError` for what cannot be imported or is not an `Event`, `ReleaseError` for released
    files that were changed, and `NotReleased` unless `allow_unreleased`.
    """
    if not _NAME.fullmatch(name):
        raise ContractError(
            f"--contract {name!a:.200} is not MODULE:CLASS; give one, such as acme.events:AcmeEvent"
        )
    module_name, _, class_name = name.partition(":")
    module = _import(module_name)
    event = getattr(module, class_name, None)
    if event is None:
        raise ContractError(
            f"--contract {name}: module {module_name} ({getattr(module, '__file__', '?')}) has no "
            f"{class_name}; give the name of its class"
        )
    contract: Contract[Any] = Contract(event)
    if allow_unreleased:
        contract.schemas  # noqa: B018  # refuses changed files
    else:
        contract.check_released()
    return contract


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0] or str(Path.cwd()) in sys.path:
            raise _not_imported(name, error) from error
    except (Exception, SystemExit) as error:
        raise _not_imported(name, error) from error
    # Last, so that no file of the folder stands in for a module that is installed.
    sys.path.append(str(Path.cwd()))
    importlib.invalidate_caches()
    return _import(name)


def _not_imported(name: str, error: BaseException) -> EventsError:
    if isinstance(error, EventsError):
        return error
    said = " ".join(str(error).split())[:300]
    return ContractError(
        f"--contract: cannot import {name} ({type(error).__name__}: {said}); give the module of "
        f"the contract's class, installed or in the current folder"
    )
