"""Who may read what a run leaves, and what it has while it is under way: nobody who could not read its source."""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.support.extraction import bring
from tests.support.rehearsal import SCHEMA, Load, nasty_rows

from bulkforce.errors import Interrupted
from bulkforce_emulator import Emulator, Fault


@pytest.fixture
def org() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        yield org


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody may look into, as may not be said of those that pytest makes."""
    places = [Path(os.path.realpath(place)) for place in (tempfile.gettempdir(), "/tmp", "/var/tmp")]
    place = next(
        place for place in places if all(folder.stat().st_mode & 0o005 == 0o005 for folder in (place, *place.parents))
    )
    folder = Path(tempfile.mkdtemp(dir=place))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


class Seen:
    """The modes of all that a run has in its folder, gathered after each of its effects."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: set[str] = set()
        self.folders: set[int] = set()
        self.files: set[int] = set()

    def __call__(self, _effect: str = "") -> None:
        for path in [self.folder, *self.folder.rglob("*")]:
            with suppress(FileNotFoundError):
                (self.folders if path.is_dir() else self.files).add(path.stat().st_mode & 0o777)
                self.names.add(path.name)


def begin(load: Load) -> Seen:
    """Carry out a load that stops, and go on with it."""
    load.trace = seen = Seen(load.run_dir)
    load.org.faults.add(Fault("answer lost", "POST", "*/job/*/batch", nth=2))
    load.check(load.begin())
    seen()
    assert seen.names >= {
        "journal.sqlite",
        "journal.sqlite-wal",
        "results",
        "000001.csv",
        "success.csv.part",
        "success.csv",
        "report.json",
        "report.html",
    }
    return seen


@pytest.mark.parametrize(
    ("umask", "folder", "file"),
    [(0o022, 0o755, 0o644), (0o027, 0o750, 0o640), (0o077, 0o700, 0o600), (0o002, 0o775, 0o664)],
)
def test_run_of_a_source_for_everybody_is_as_open_as_the_umask_says(
    org: Emulator, public: Path, umask: int, folder: int, file: int
) -> None:
    load = Load(org, public)
    load.path.chmod(0o644)
    os.umask(umask)
    seen = begin(load)
    assert (seen.folders, seen.files) == ({folder}, {file})


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o620])
def test_run_of_a_source_that_is_not_for_everybody_is_private(
    org: Emulator, public: Path, mode: int, there: bool
) -> None:
    load = Load(org, public)
    load.path.chmod(mode)
    if there:
        load.run_dir.mkdir(0o755)
    seen = begin(load)
    assert (seen.folders, seen.files) == ({0o700}, {0o600})


@pytest.mark.parametrize("mode", [0o700, 0o750, 0o711])
@pytest.mark.parametrize("above", [False, True])
@pytest.mark.parametrize("linked", [False, True])
def test_run_of_a_source_in_a_folder_that_is_not_for_everybody_is_private(
    org: Emulator, public: Path, mode: int, above: bool, linked: bool
) -> None:
    closed = public / "closed"
    place = closed / "open" if above else closed
    place.mkdir(parents=True)
    source = nasty_rows().write(place / "rows.csv")
    source.chmod(0o644)
    closed.chmod(mode)
    if linked:
        (public / "link.csv").symlink_to(source)
        source = public / "link.csv"
    seen = begin(Load(org, public, options={"source": source}))
    assert (seen.folders, seen.files) == ({0o700}, {0o600})


def kept_in_memory() -> Any:
    rows = nasty_rows()
    return [dict(zip(rows.header, row, strict=True)) for row in rows.rows]


@pytest.mark.parametrize("source", ["standard input", "records", "open file"])
def test_run_of_a_source_that_is_no_file_is_private(
    org: Emulator, public: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = Load(org, public)
    with load.path.open("rb") as file:
        match source:
            case "standard input":
                monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
                load.options = {"source": "-"}
            case "records":
                load.options = {"source": kept_in_memory()}
            case _:
                load.options = {"source": file}
        seen = begin(load)
    assert (seen.folders, seen.files) == ({0o700}, {0o600})


@pytest.mark.parametrize("there", [False, True])
def test_run_of_an_extract_is_private_and_its_file_is_as_the_umask_says(
    org: Emulator, public: Path, there: bool
) -> None:
    org.insert("Row__c", [{"Code__c": f"row {number}"} for number in range(9)])
    if there:
        (public / "run").mkdir(0o755)
    seen = Seen(public / "run")
    bring(org, public, trace=seen)
    seen()
    assert seen.names >= {"extract.sqlite", "extract.sqlite-wal", "parts", "report.json", "report.html"}
    assert any(name.endswith(".csv") for name in seen.names)
    assert (seen.folders, seen.files) == ({0o700}, {0o600})
    assert (public / "out.csv").stat().st_mode & 0o777 == 0o644


def test_run_that_is_gone_on_with_under_another_umask_stays_as_it_was(org: Emulator, public: Path) -> None:
    load = Load(org, public, options={"workers": 1})
    load.path.chmod(0o644)
    load.trace = seen = Seen(load.run_dir)
    os.umask(0o077)
    org.faults.add(Fault("session expired", "POST", "*/job/*/batch", nth=3, after_bytes=10))
    with pytest.raises(Interrupted):
        load.begin()
    org.state.sessions.first_token = org.state.sessions.open()
    os.umask(0o022)
    load.check(load.resume())
    seen()
    assert (seen.folders, seen.files) == ({0o700}, {0o600})
