"""Released schemas never change, and changed ones are refused."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from events_schema import Contract, Event, EventsError, NotReleased, ReleaseError
from events_schema.evolution.check import check_against, check_contract, release_contract
from events_schema.evolution.releases import SUMS, releases_folder, write_release
from events_schema.loading import find_contract

SHA256_OF_RELEASED = {
    "1.0.0.avsc": "869e101a91b08cc547f6aea5269b32d6acca7e4094649addf9d82b88883378f0",
}
"""The released files of the default contract. Add a line for each release; never change one."""

MODULE = '''"""The contract of the Acme shop."""

from events_schema import Bool, Event, Float64, Text


class AcmeEvent(Event):
    """An event of the Acme shop."""

    plan: Text | None = None
'''


class Team:
    """A module with a contract that tests change and load again."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._versions = 0
        monkeypatch.syspath_prepend(str(folder))
        self.write(MODULE)

    @property
    def released(self) -> Path:
        """The folder of the releases."""
        return self.folder / "released"

    def write(self, text: str) -> None:
        """Write `text` as a module under a new name, so that it is imported again."""
        self._versions += 1
        self.name = f"acme_{self.folder.name.replace('-', '_')}_{self._versions}"
        (self.folder / f"{self.name}.py").write_text(text)

    def add(self, line: str) -> None:
        """Add a field to the class."""
        self.write(f"{(self.folder / f'{self.name}.py').read_text()}    {line}\n")

    def contract(self, *, allow_unreleased: bool = True) -> Contract[Event]:
        """The contract of the current module."""
        contract = find_contract(f"{self.name}:AcmeEvent")
        if not allow_unreleased:
            contract.check_released()
        return contract


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    """A contract with one own field that is not released."""
    return Team(tmp_path, monkeypatch)


def refusal(call: Callable[[], object]) -> str:
    """The one-line text of the error that is raised."""
    with pytest.raises(ReleaseError) as refused:
        call()
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 2
    return str(refused.value)


def test_the_default_contract_is_released_and_its_files_were_never_edited() -> None:
    """Each released file is unchanged to the byte; none is missing or unknown."""
    contract = Contract(Event)
    contract.check_released()
    folder = releases_folder(Event)
    assert folder is not None
    assert {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.glob("*.avsc")
    } == SHA256_OF_RELEASED
    assert check_contract(contract, allow_unreleased=False).fits


def test_a_contract_runs_once_it_is_released(team: Team) -> None:
    """The first release is a file beside the module; an unreleased contract can be tried out."""
    with pytest.raises(NotReleased, match=f"release VERSION --contract {team.name}:AcmeEvent"):
        team.contract(allow_unreleased=False)
    assert release_contract(team.contract(), "1.0.0") == team.released / "1.0.0.avsc"
    contract = team.contract(allow_unreleased=False)
    written = json.loads((team.released / "1.0.0.avsc").read_text())
    assert written == {**contract.avro_schema, "doc": "AcmeEvent"}
    assert [str(release) for release in contract.releases] == ["Event 1.0.0", "AcmeEvent 1.0.0"]


def test_a_field_that_is_added_wants_a_release_of_its_own(team: Team) -> None:
    """A model that differs from its newest release is refused until it is released too."""
    release_contract(team.contract(), "1.0.0")
    team.add("vip: Bool | None = None")
    with pytest.raises(NotReleased, match="newest release, AcmeEvent"):
        team.contract(allow_unreleased=False)
    verdict = check_contract(team.contract(), allow_unreleased=False)
    assert not verdict.fits
    assert verdict.lines[-1].startswith(
        "Not released yet: new vip. Run: events-schema release 1.1.0 "
    )
    assert check_contract(team.contract(), allow_unreleased=True).fits
    release_contract(team.contract(), "1.1.0")
    contract = team.contract(allow_unreleased=False)
    assert len(contract.schemas) == 3
    assert check_contract(contract, allow_unreleased=False).fits


def test_releases_are_read_in_the_order_of_their_versions(team: Team) -> None:
    """1.10.0 is newer than 1.9.0."""
    for number, version in enumerate(("1.0.0", "1.9.0", "1.10.0")):
        team.add(f"field_{number}: Text | None = None")
        release_contract(team.contract(), version)
    versions = [release.version for release in team.contract().releases]
    assert versions == ["1.0.0", "1.0.0", "1.9.0", "1.10.0"]


def test_every_release_is_compared_and_not_the_newest_alone(team: Team) -> None:
    """A field that was removed two releases ago cannot come back with another type."""
    release_contract(team.contract(), "1.0.0")
    fields = team.contract().avro_schema["fields"][:-1]
    write_release(
        team.released, "AcmeEvent", "1.1.0", {**team.contract().avro_schema, "fields": fields}
    )
    team.write(MODULE.replace("plan: Text", "plan: Float64"))
    lines = check_contract(team.contract(), allow_unreleased=True).lines
    assert len(lines) == 2
    assert "plan changed from Text to Float64 since AcmeEvent 1.0.0" in lines[0]
    assert str(team.released) in lines[1]


def test_a_release_that_breaks_somebody_is_refused(team: Team) -> None:
    """A release that removes a field is refused and writes nothing."""
    release_contract(team.contract(), "1.0.0")
    team.write(MODULE.replace("plan", "tariff"))
    assert "plan was removed" in refusal(lambda: release_contract(team.contract(), "2.0.0"))
    assert sorted(path.name for path in team.released.iterdir()) == ["1.0.0.avsc", SUMS]


@pytest.mark.parametrize("version", ["1", "1.0", "v1.0.0", "1.0.0-rc", "01.0.0", "../1.0.0", ""])
def test_a_version_has_three_numbers(team: Team, version: str) -> None:
    """A version is a part of a file name, so it must have exactly three numbers."""
    assert "is not a version" in refusal(lambda: release_contract(team.contract(), version))
    assert not team.released.exists()


def test_a_version_is_above_all_others(team: Team) -> None:
    """No release can replace another one."""
    release_contract(team.contract(), "1.2.0")
    team.add("vip: Bool | None = None")
    for version in ("1.2.0", "1.1.9", "0.9.0"):
        text = refusal(partial(release_contract, team.contract(), version))
        assert "is not above the newest release, 1.2.0" in text
        assert "1.3.0" in text


def test_nothing_is_released_twice(team: Team) -> None:
    """A release that changes nothing is refused."""
    release_contract(team.contract(), "1.0.0")
    assert "already released" in refusal(lambda: release_contract(team.contract(), "1.1.0"))


def _edit(folder: Path) -> None:
    path = folder / "1.0.0.avsc"
    path.write_text(path.read_text().replace("plan", "plan2"))


def _delete(folder: Path) -> None:
    (folder / "1.0.0.avsc").unlink()


def _delete_sums(folder: Path) -> None:
    (folder / SUMS).unlink()


def _damage_sums(folder: Path) -> None:
    (folder / SUMS).write_text("1.0.0.avsc\n")


def _add(folder: Path) -> None:
    shutil.copy(folder / "1.0.0.avsc", folder / "1.1.0.avsc")


def _escape(folder: Path) -> None:
    (folder / SUMS).write_text(f"{'0' * 64}  ../../secret.avsc\n")


def _truncate(folder: Path) -> None:
    content = b'{"type": "record"'
    (folder / "1.0.0.avsc").write_bytes(content)
    (folder / SUMS).write_text(f"{hashlib.sha256(content).hexdigest()}  1.0.0.avsc\n")


def _collide(folder: Path) -> None:
    """Replace a schema by one with the same fingerprint and another logical type."""
    schema = json.loads((folder / "1.0.0.avsc").read_text())
    schema["fields"][1]["type"]["logicalType"] = "timestamp-millis"
    write_release(folder, "AcmeEvent", "1.1.0", schema)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_edit, "was edited after its release; restore it"),
        (_delete, "was released and is missing; restore it"),
        (_delete_sums, "the list of releases, is missing; restore it"),
        (_damage_sums, "line 1 of"),
        (_add, "if `events-schema release` was interrupted, delete the file"),
        (_escape, "line 1 of"),
        (_truncate, "is not the Avro schema of a record"),
        (_collide, "has the same fingerprint as"),
    ],
)
def test_releases_that_are_not_as_they_were_are_refused(
    team: Team, change: Callable[[Path], None], said: str
) -> None:
    """A changed release is refused with the cause, by every command."""
    release_contract(team.contract(), "1.0.0")
    change(team.released)
    text = refusal(lambda: team.contract().releases)
    assert said in text
    assert "released" in text


def test_a_release_that_would_collide_is_refused(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A schema with the fingerprint of another release is never written."""
    release_contract(team.contract(), "1.0.0")
    team.add("vip: Bool | None = None")
    monkeypatch.setattr(
        "events_schema.evolution.check.fingerprint",
        lambda _: team.contract().releases[-1].fingerprint,
    )
    assert "fingerprint" in refusal(lambda: release_contract(team.contract(), "1.1.0"))
    assert not (team.released / "1.1.0.avsc").exists()


def test_a_class_that_breaks_a_release_is_told_what_breaks(team: Team) -> None:
    """A class that breaks a release gets a list of what breaks, not the advice to release it."""
    release_contract(team.contract(), "1.0.0")
    team.write(MODULE.replace("plan: Text", "plan: Float64"))
    for allow_unreleased in (False, True):
        contract = find_contract(f"{team.name}:AcmeEvent")
        text = refusal(partial(contract.check_released, allow_unreleased=allow_unreleased))
        assert "plan changed from Text to Float64 since AcmeEvent 1.0.0" in text


def test_line_ends_of_another_system_change_nothing(team: Team) -> None:
    """Line ends that git changed at checkout are accepted."""
    path = release_contract(team.contract(), "1.0.0")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    team.contract(allow_unreleased=False)


def test_two_contracts_do_not_share_a_folder(team: Team) -> None:
    """A second contract in a folder is refused, since it would break the first one's commands."""
    release_contract(team.contract(), "1.0.0")
    text = MODULE.replace("AcmeEvent", "BankEvent") + "    iban: Text | None = None\n"
    (team.folder / "bank.py").write_text(text)
    bank = find_contract("bank:BankEvent")
    assert "has releases of AcmeEvent" in refusal(lambda: release_contract(bank, "1.1.0"))
    team.contract(allow_unreleased=False)


def test_of_two_releases_at_once_one_is_made(team: Team) -> None:
    """Of two processes that release at once, one finds the other's release and is refused."""
    contracts = [team.contract(), team.contract()]
    start = threading.Barrier(2)

    def release(contract: Contract[Event], version: str) -> str:
        start.wait(timeout=60)
        try:
            return str(release_contract(contract, version))
        except ReleaseError as error:
            return f"refused: {error}"

    with ThreadPoolExecutor(2) as threads:
        said = list(threads.map(release, contracts, ("1.0.0", "1.1.0")))
    assert sum(each.startswith("refused") for each in said) == 1, said
    assert len(list(team.released.glob("*.avsc"))) == 1
    team.contract(allow_unreleased=False)


def test_a_folder_that_cannot_be_written_is_told(team: Team) -> None:
    """A folder that cannot be written is named in the error."""
    team.released.write_text("")
    assert "cannot write" in refusal(lambda: release_contract(team.contract(), "1.0.0"))


def test_a_contract_is_compared_with_any_schema_file(team: Team, tmp_path: Path) -> None:
    """A contract can be compared with any schema file, such as one from the main branch in CI."""
    path = tmp_path / "main.avsc"
    path.write_text(json.dumps(team.contract().avro_schema))
    assert check_against(team.contract(), path).fits
    team.write(MODULE.replace("plan: Text", "plan: Bool"))
    verdict = check_against(team.contract(), path)
    assert not verdict.fits
    assert f"plan changed from Text to Bool since {path}" in verdict.lines[0]


_FIELD = '{"name": "a", "type": "int"}'


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[]", '"string"', '{"type": "record", "fields": 3}', '{"type": "enum"}', "[" * 9999,
     '{"type": "record", "name": "x", "fields": [{"name": 1, "type": "int"}]}',
     '{"type": "record", "name": "x", "fields": [{"name": "a", "type": "unknown"}]}',
     '{"type": "record", "name": "x", "namespace": 3, "fields": []}',
     '{"type": "record", "name": ["x"], "fields": []}',
     '{"type": "record", "name": "x", "fields": [{"name": "a\\nb", "type": "int"}]}',
     '{"type": "record", "name": "x", "fields": [{"name": "a"}]}',
     f'{{"type": "record", "name": "x", "fields": [{_FIELD}, {_FIELD}]}}'],
    ids=lambda content: content[:40],
)  # fmt: skip
def test_a_file_that_is_no_schema_is_refused(team: Team, tmp_path: Path, content: str) -> None:
    """A file that is not an Avro record schema is refused, whatever its content."""
    path = tmp_path / "main.avsc"
    path.write_text(content)
    assert str(path) in refusal(lambda: check_against(team.contract(), path))


def test_a_file_that_is_not_there_is_refused(team: Team, tmp_path: Path) -> None:
    """A missing file gives a one-line error without a stack trace."""
    text = refusal(lambda: check_against(team.contract(), tmp_path / "main.avsc"))
    assert "--against: cannot read" in text


def test_a_class_of_the_same_fields_needs_no_release(team: Team) -> None:
    """A subclass without own fields uses the releases of its parent class."""
    team.write(MODULE.replace("    plan: Text | None = None\n", ""))
    team.contract(allow_unreleased=False)


def test_an_error_of_a_release_is_an_error_of_events() -> None:
    """A service can catch all errors with one base class."""
    assert issubclass(ReleaseError, EventsError)
