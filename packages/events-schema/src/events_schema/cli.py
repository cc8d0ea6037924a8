"""`events-schema`: prints what is derived from a contract, checks it, and releases it."""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from events_schema.avro import fingerprint
from events_schema.contract import Contract
from events_schema.errors import EventsError
from events_schema.evolution.check import check_against, check_contract, release_contract
from events_schema.loading import DEFAULT, ENVIRONMENT, find_contract
from events_schema.sql import ddl

UNEXPECTED_EXIT_CODE = 70
"""As of every events command (EX_SOFTWARE of sysexits.h)."""


def _avro(contract: Contract[Any]) -> str:
    return json.dumps(contract.avro_schema, indent=2)


def _fingerprints(contract: Contract[Any]) -> str:
    current = fingerprint(contract.avro_schema)
    known = {release.fingerprint: str(release) for release in contract.releases}
    known.setdefault(current, f"{contract.event.__name__}, not released")
    return "\n".join(
        f"{written_with.hex()} {name}{' (current)' if written_with == current else ''}"
        for written_with, name in known.items()
    )


def _json_schema(contract: Contract[Any]) -> str:
    return json.dumps(contract.json_schema(), indent=2)


def _ddl(contract: Contract[Any]) -> str:
    raw, enriched = ddl(contract.stored, "raw_events"), ddl(contract.enriched, "enriched_events")
    return f"{raw}\n\n{enriched}"


@dataclass(frozen=True)
class _Output:
    """What one word prints of a contract."""

    summary: str
    produce: Callable[[Contract[Any]], str]


_OUTPUTS: Mapping[str, _Output] = {
    "avro": _Output("print the Avro schema of a Kafka record", _avro),
    "fingerprints": _Output(
        "print the CRC-64-AVRO fingerprint of every released schema, as on the wire", _fingerprints
    ),
    "json-schema": _Output("print the JSON Schema of what a client posts", _json_schema),
    "ddl": _Output("print SQL for the raw and the enriched table", _ddl),
}


def _print(arguments: argparse.Namespace) -> int:
    contract = find_contract(arguments.contract)
    print(_OUTPUTS[arguments.verb].produce(contract))
    return 0


def _check(arguments: argparse.Namespace) -> int:
    contract = find_contract(arguments.contract)
    if arguments.against is not None:
        verdict = check_against(contract, arguments.against)
    else:
        verdict = check_contract(contract, allow_unreleased=arguments.allow_unreleased)
    print("\n".join(verdict.lines))
    return 0 if verdict.fits else 1


def _release(arguments: argparse.Namespace) -> int:
    contract = find_contract(arguments.contract)
    print(f"released {contract.name} as {release_contract(contract, arguments.version)}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    given = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = given.run
    try:
        return run(given)
    except EventsError as error:
        return _refuse(str(error), error.exit_code, verbose=given.verbose)
    except Exception as error:  # noqa: BLE001  # a command never ends in a bare stack trace
        text = f"unexpected {type(error).__name__}: {error} (--verbose shows where)"
        return _refuse(text, UNEXPECTED_EXIT_CODE, verbose=given.verbose)


def _refuse(text: str, exit_code: int, *, verbose: bool) -> int:
    if verbose:
        traceback.print_exc()
    print(f"events-schema: {' '.join(text.split())}", file=sys.stderr)
    return exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="events-schema",
        description="Print what is derived from the contract of the events pipeline, check how it "
        "changed, and release it.",
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {version('events-schema')}"
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    for name, output in _OUTPUTS.items():
        _add(verbs, name, output.summary, _print)
    check = _add(
        verbs,
        "check",
        "compare the class with every release, and say what breaks and who is affected",
        _check,
    )
    check.add_argument(
        "--against", type=Path, metavar="FILE", help="compare with this Avro schema instead"
    )
    check.add_argument(
        "--allow-unreleased",
        action="store_true",
        help="exit 0 even if a change is not released yet",
    )
    release = _add(
        verbs, "release", "freeze the class as the next version, next to its module", _release
    )
    release.add_argument(
        "version",
        metavar="VERSION",
        help="X.Y.Z, above all others; `events-schema check` proposes one",
    )
    return parser


def _add(
    verbs: Any, name: str, summary: str, run: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    described = f"{summary[0].upper()}{summary[1:]}."
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=summary, description=described)
    parser.set_defaults(run=run)
    parser.add_argument("--verbose", action="store_true", help="show stack traces")
    group = parser.add_argument_group("contract")
    group.add_argument(
        "--contract",
        metavar="MODULE:CLASS",
        default=os.environ.get(ENVIRONMENT) or DEFAULT,
        help=f"the class of the events (default: ${ENVIRONMENT}, or {DEFAULT})",
    )
    return parser
