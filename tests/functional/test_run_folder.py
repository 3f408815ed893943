"""A run's folder is the run's alone, and only what the run's journal names is ever removed or replaced."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.support.extraction import QUERY, bring, client_of, go_on, seeded, sitting_of
from tests.support.rehearsal import SCHEMA, Load, changes, nasty_rows

from bulkforce import BearerToken, UsageError
from bulkforce.errors import Error, Interrupted, JournalMismatch, TransferError
from bulkforce.extract import verb as extract
from bulkforce.extract.asking import ExtractOptions
from bulkforce.extract.journal import ExtractJournal
from bulkforce_emulator import Emulator, Fault

BATCHES = "*/job/*/batch"
NAMES = [
    "notes.txt",
    "source.csv",
    "feed.csv",
    "rejected.csv",
    "success.csv",
    "failed.csv",
    "report.json",
    "report.html",
    "results/000001.csv",
    "parts/a.csv",
]


@pytest.fixture
def org() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        yield org


def contents(folder: Path) -> dict[str, bytes]:
    """What lies below a folder, but for journals."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".sqlite" not in path.name
    }


def expiring(path: str, method: str = "POST", nth: int = 1) -> Fault:
    return Fault("session expired", method, path, nth=nth, after_bytes=10)


def stopped(run: Load) -> None:
    """Begin a load that stops with batches in the org and others not sent, and take up a new session."""
    run.org.faults.add(expiring(BATCHES, nth=4))
    with pytest.raises(Interrupted):
        run.begin()
    run.auth = BearerToken(run.org.state.sessions.open())


# What a run's folder may be


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("verb", ["load", "extract"])
def test_folder_in_which_anything_lies_is_refused_and_left_alone(
    org: Emulator, tmp_path: Path, name: str, verb: str
) -> None:
    run = Load(org, tmp_path)
    (run.run_dir / name).parent.mkdir(parents=True)
    (run.run_dir / name).write_bytes(b"mine")
    with pytest.raises(UsageError, match="is not empty"):
        run.begin() if verb == "load" else bring(org, tmp_path)
    assert {str(path.relative_to(run.run_dir)) for path in run.run_dir.rglob("*") if path.is_file()} == {name}
    assert contents(run.run_dir) == {name: b"mine"}
    assert changes(org) == []


def test_source_beside_the_working_directory_survives_a_load_that_fails(
    org: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "000001.csv").write_bytes(b"mine")
    run = Load(org, tmp_path, options={"object": "Nothing__c", "run_dir": ".", "source": "source.csv"})
    before = contents(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        run.begin()
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "options",
    [
        {"object": "Nothing__c"},
        {"mapping": {"Nowhere": "Code__c"}},
        {"batch_records": 0},
        {"operation": "upsert", "external_id": "X__c"},
    ],
)
@pytest.mark.parametrize("made", [False, True])
def test_load_that_fails_before_anything_is_sent_leaves_the_folder_as_it_was(
    org: Emulator, tmp_path: Path, options: dict[str, Any], made: bool
) -> None:
    org.faults.add(expiring("*/job"))
    run = Load(org, tmp_path, options={**options, "run_dir": tmp_path / "runs" / "new"})
    if made:
        (tmp_path / "runs" / "new").mkdir(parents=True)
    with pytest.raises(Error):
        run.begin()
    assert (tmp_path / "runs").exists() == made
    assert list(tmp_path.rglob("*.sqlite*")) == []
    assert {path.name for path in tmp_path.iterdir()} == {"source.csv"} | ({"runs"} if made else set())


def test_extract_that_fails_before_anything_came_leaves_the_folder_as_it_was(org: Emulator, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "out.csv.part").write_bytes(b"mine")
    org.faults.add(expiring("*/job"))
    with pytest.raises(Error):
        bring(org, tmp_path)
    assert contents(tmp_path) == {"out.csv.part": b"mine"}
    assert list((tmp_path / "run").iterdir()) == []


def test_empty_folder_that_is_there_is_used(org: Emulator, tmp_path: Path) -> None:
    run = Load(org, tmp_path)
    run.run_dir.mkdir()
    run.check(run.begin())


def test_file_is_no_folder(org: Emulator, tmp_path: Path) -> None:
    run = Load(org, tmp_path)
    run.run_dir.write_bytes(b"mine")
    with pytest.raises(UsageError, match="Not a directory"):
        run.begin()
    assert run.run_dir.read_bytes() == b"mine"


# What may lie where


def link(path: Path) -> Path:
    """Another way to say a folder."""
    other = path.with_name(path.name + " link")
    other.symlink_to(path, target_is_directory=True)
    return other


WAYS: dict[str, Callable[[Path], Path]] = {
    "absolute": lambda path: path,
    "relative": lambda path: Path(os.path.relpath(path)),
    "dots": lambda path: path / ".." / path.name,
    "link": link,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("verb", ["load", "extract"])
def test_run_in_another_runs_folder_is_refused(org: Emulator, tmp_path: Path, way: str, verb: str) -> None:
    first = Load(org, tmp_path)
    first.check(first.begin())
    inner = WAYS[way](first.run_dir) / "more" / "run"
    begin = (
        Load(org, tmp_path, options={"run_dir": inner}).begin
        if verb == "load"
        else partial(bring, org, tmp_path, run_dir=inner)
    )
    before = contents(tmp_path)
    with pytest.raises(UsageError, match="is inside the folder of another run"):
        begin()
    assert contents(tmp_path) == before


def test_link_that_leads_into_a_runs_folder_is_seen_through(org: Emulator, tmp_path: Path) -> None:
    first = Load(org, tmp_path)
    first.check(first.begin())
    (first.run_dir / "more").mkdir()
    (tmp_path / "link").symlink_to(first.run_dir / "more", target_is_directory=True)
    with pytest.raises(UsageError, match="is inside the folder of another run"):
        Load(org, tmp_path, options={"run_dir": tmp_path / "link"}).begin()
    with pytest.raises(UsageError, match="is in the folder of a run"):
        bring(org, tmp_path, run_dir=tmp_path / "second", to=tmp_path / "link" / "out.csv")
    (tmp_path / "third").mkdir()
    (tmp_path / "other link").symlink_to(tmp_path / "third", target_is_directory=True)
    with pytest.raises(UsageError, match="keep them apart"):
        bring(org, tmp_path, run_dir=tmp_path / "other link", to=tmp_path / "third" / "out.csv")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("output", ["to", "since_file"])
@pytest.mark.parametrize("where", ["own", "other load", "other extract"])
def test_output_in_a_runs_folder_is_refused(org: Emulator, tmp_path: Path, way: str, output: str, where: str) -> None:
    own = tmp_path / "run"
    other = tmp_path / "other"
    match where:
        case "own":
            own.mkdir()
        case "other load":
            Load(org, tmp_path, options={"run_dir": other}).begin()
        case _:
            bring(org, tmp_path, run_dir=other, to=tmp_path / "first.csv")
    before = contents(tmp_path)
    place = WAYS[way](own if where == "own" else other) / ("success.csv" if output == "to" else "since.toml")
    options: dict[str, Any] = {"soql": "SELECT Id, SystemModstamp FROM Row__c", "run_dir": own, output: place}
    with pytest.raises(UsageError, match="keep them apart" if where == "own" else "is in the folder of a run"):
        bring(org, tmp_path, **options)
    assert contents(tmp_path) == before


def test_input_in_the_folder_of_a_run_that_is_not_finished_is_refused(org: Emulator, tmp_path: Path) -> None:
    first = Load(org, tmp_path, options={"empty_as_null": True, "source": nasty_rows().write(tmp_path / "first.csv")})
    stopped(first)
    column_map = first.run_dir / "map.toml"
    for options in ({"source": first.run_dir / "rejected.csv"}, {"mapping": column_map}):
        column_map.write_text("[columns]\nCode__c = 'Code__c'\n")
        with pytest.raises(UsageError, match="of a run that is not finished"):
            Load(org, tmp_path, options={"run_dir": tmp_path / "second", **options}).begin()
    assert not (tmp_path / "second").exists()


def test_outputs_of_a_finished_run_are_loaded_again(org: Emulator, tmp_path: Path) -> None:
    first = Load(org, tmp_path)
    first.begin()
    again = Load(org, tmp_path, options={"source": first.run_dir / "failed.csv", "run_dir": tmp_path / "again"}).begin()
    assert again.read == len(first.source.bad)


def test_extract_to_the_file_that_keeps_since_when_is_refused(org: Emulator, tmp_path: Path) -> None:
    (tmp_path / "since.csv").symlink_to(tmp_path / "out.csv")
    with pytest.raises(UsageError, match="cannot be both"):
        bring(org, tmp_path, soql="SELECT Id, SystemModstamp FROM Row__c", since_file=tmp_path / "since.csv")
    assert not (tmp_path / "out.csv").exists()


# What is never touched


def test_files_that_the_user_puts_in_a_stopped_runs_folder_survive_its_end(org: Emulator, tmp_path: Path) -> None:
    run = Load(org, tmp_path)
    stopped(run)
    mine = {
        "notes.txt": b"1",
        "results/notes.txt": b"2",
        "success.csv.bak": b"3",
        "results/000001.csv.bak": b"4",
        "x.part": b"5",
    }
    for name, content in mine.items():
        (run.run_dir / name).write_bytes(content)
    run.check(run.resume())
    run.resume()
    assert {name: (run.run_dir / name).read_bytes() for name in mine} == mine
    assert contents(run.run_dir / "results").keys() == {"notes.txt", "000001.csv.bak"}


def test_file_in_the_way_of_results_stops_the_run_and_survives(org: Emulator, tmp_path: Path) -> None:
    run = Load(org, tmp_path)
    mine = run.run_dir / "results" / "000006.csv"

    def put(effect: str) -> None:
        if effect == "open":
            mine.write_bytes(b"mine")

    run.trace = put
    with pytest.raises(Interrupted, match=r"000006\.csv is in the way"):
        run.begin()
    assert mine.read_bytes() == b"mine"
    mine.unlink()
    run.trace = lambda _effect: None
    run.check(run.resume())


IN_THE_WAY = [
    "rejected.csv",
    "results",
    "results/000001.csv",
    "results/000001.csv.part",
    "success.csv",
    "failed.csv.part",
    "report.json.part",
    "journal.sqlite",
    "journal.sqlite-journal",
]


@pytest.mark.parametrize("name", IN_THE_WAY)
def test_folder_in_the_way_of_a_loads_file_is_told_and_survives(org: Emulator, tmp_path: Path, name: str) -> None:
    run = Load(org, tmp_path)
    stopped(run)
    place, kept = run.run_dir / name, tmp_path / "kept"
    if place.exists():
        place.rename(kept)
    place.write_bytes(b"mine") if kept.is_dir() else place.mkdir()
    with pytest.raises((TransferError, Interrupted), match=rf"{name}.* is in the way.*Move it away"):
        run.resume()
    place.rename(tmp_path / "moved away")
    if kept.exists():
        kept.rename(place)
    run.check(run.resume())


@pytest.mark.parametrize(
    "name",
    ["run/parts", "run/report.json.part", "run/extract.sqlite", "out.csv.{token}.part", "since.toml.{token}.part"],
)
def test_folder_in_the_way_of_an_extracts_file_is_told_and_survives(tmp_path: Path, name: str) -> None:
    with seeded() as org:
        org.faults.add(Fault("answer replaced", path="*/result/*", status=200))
        with client_of(org) as client, pytest.raises(Interrupted):
            extract.extract(
                sitting_of(client, trouble_seconds=0.0),
                ExtractOptions(
                    soql=QUERY.replace("Id,", "Id, SystemModstamp,"),
                    to=tmp_path / "out.csv",
                    since_file=tmp_path / "since.toml",
                    run_dir=tmp_path / "run",
                    pk_chunking=False,
                ),
            )
        with closing(ExtractJournal(tmp_path / "run")) as journal:
            facts = journal.facts()
        assert facts
        place, kept = tmp_path / name.format(token=facts.token), tmp_path / "kept"
        if place.exists():
            place.rename(kept)
        place.write_bytes(b"mine") if kept.is_dir() else place.mkdir()
        with pytest.raises(Error, match=rf"{place}.* is in the way.*Move it away"):
            go_on(org, tmp_path)
        place.rename(tmp_path / "moved away")
        if kept.exists():
            kept.rename(place)
        assert go_on(org, tmp_path).rows == 40


def test_files_beside_what_is_extracted_survive(tmp_path: Path) -> None:
    with seeded() as org:
        mine = {name: name.encode() for name in ("out.csv.part", "out.csv.tmp", ".out.csv.part", "since.toml.part")}
        for name, content in mine.items():
            (tmp_path / name).write_bytes(content)
        bring(org, tmp_path, soql=QUERY.replace("Id,", "Id, SystemModstamp,"), since_file=tmp_path / "since.toml")
    assert {name: (tmp_path / name).read_bytes() for name in mine} == mine
    assert {path.name for path in tmp_path.iterdir()} == {*mine, "out.csv", "since.toml", "run"}


def test_other_names_of_a_file_that_is_replaced_keep_what_they_had(tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_bytes(b"of yesterday")
    (tmp_path / "kept.csv").hardlink_to(tmp_path / "out.csv")
    with seeded() as org:
        bring(org, tmp_path)
    assert (tmp_path / "kept.csv").read_bytes() == b"of yesterday"
    assert (tmp_path / "out.csv").read_bytes() != b"of yesterday"


def test_source_that_is_also_linked_elsewhere_is_only_read(org: Emulator, tmp_path: Path) -> None:
    run = Load(org, tmp_path)
    before = run.path.read_bytes()
    (tmp_path / "linked.csv").hardlink_to(run.path)
    run.options = {"source": tmp_path / "linked.csv"}
    run.check(run.begin())
    assert run.path.read_bytes() == (tmp_path / "linked.csv").read_bytes() == before


# What happens to folders under way


def test_two_loads_into_one_folder_at_once_are_one(org: Emulator, tmp_path: Path) -> None:
    run, second = Load(org, tmp_path), Load(org, tmp_path)
    refused: list[Error] = []

    def intrude(effect: str) -> None:
        if effect in {"journal", "send"} and not refused:
            for verb in (second.begin, lambda: bring(org, tmp_path)):
                with pytest.raises(Error, match=r"Another process|already holds a run") as caught:
                    verb()
                refused.append(caught.value)

    run.trace = intrude
    run.check(run.begin())
    assert len(refused) == 2


@pytest.mark.parametrize("verb", ["load", "extract"])
def test_folder_that_is_removed_under_a_run_stops_it(org: Emulator, tmp_path: Path, verb: str) -> None:
    run = Load(org, tmp_path)
    posted: list[int] = []

    def remove(effect: str) -> None:
        if effect == "open" and run.run_dir.exists():
            shutil.rmtree(run.run_dir)
        posted.append(len(changes(org)))

    run.trace = remove
    with client_of(org) as client:
        options = ExtractOptions(soql=QUERY, to=tmp_path / "out.csv", run_dir=tmp_path / "run")
        begin = run.begin if verb == "load" else partial(extract.extract, sitting_of(client, remove), options)
        with pytest.raises(TransferError, match="was removed") as caught:
            begin()
    assert "bulkforce resume" not in str(caught.value)
    assert [change for change in changes(org) if change.endswith("/batch")] == []
    assert not run.run_dir.exists()


READ_ONLY = """
import os, sys, tempfile
from pathlib import Path
import bulkforce as bf

url, token, folder, what = sys.argv[1:]
with bf.Client(url, bf.BearerToken(token)) as client:

    def load(run_dir):
        client.load([{"Code__c": "x"}], "Row__c", "insert", run_dir=run_dir)

    def extract(run_dir):
        client.extract("SELECT Id FROM Row__c", to=Path(folder).with_name("out.csv"), run_dir=run_dir, overwrite=True)

    if os.getuid() == 0:
        # Root may write anywhere. All that is needed is imported before it becomes nobody, who may not look into root's
        # installation.
        with tempfile.TemporaryDirectory() as warm:
            load(Path(warm) / "load")
            extract(Path(warm) / "extract")
        os.seteuid(65534)
    does = {"load": load, "extract": extract, "resume": client.resume, "resume extract": client.resume_extract}
    try:
        does[what](Path(folder))
    except bf.Error as error:
        print(type(error).__name__, error)
"""


@pytest.mark.parametrize("what", ["load", "extract", "resume", "resume extract"])
def test_folder_that_cannot_be_written_is_told(org: Emulator, what: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        if what == "resume":
            stopped(Load(org, place))
        elif what == "resume extract":
            org.insert("Row__c", [{"Code__c": "x"}])
            org.faults.add(expiring("*/result/*", "GET"))
            with pytest.raises(Interrupted):
                bring(org, place)
        paths = [place, *place.rglob("*")]
        for path in paths:
            path.chmod(0o555 if path.is_dir() else 0o444)
        token = org.state.sessions.open()
        command = [sys.executable, "-W", "error", "-c", READ_ONLY, org.base_url, token, str(place / "run"), what]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        for path in paths:
            path.chmod(0o755)
    assert ended.stderr == ""
    assert "denied" in ended.stdout or "writable" in ended.stdout
    assert ended.stdout.startswith("UsageError" if what in {"load", "extract"} else "TransferError")


def test_journal_that_is_blank_is_begun_and_nothing_else(org: Emulator, tmp_path: Path) -> None:
    """So a run leaves its folder that died before the first commit of its journal."""
    run = Load(org, tmp_path)
    run.run_dir.mkdir()
    (run.run_dir / "journal.sqlite").touch()
    with pytest.raises(JournalMismatch, match="Run its command again"):
        run.resume()
    run.check(run.begin())
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "journal.sqlite").touch()
    with pytest.raises(UsageError, match="already holds a run"):
        bring(org, tmp_path, run_dir=tmp_path / "other")


@pytest.mark.parametrize("change", ["removed", "spoilt"])
def test_results_that_are_lost_are_fetched_again(org: Emulator, tmp_path: Path, change: str) -> None:
    run = Load(org, tmp_path)
    stopped(run)
    for path in (run.run_dir / "results").glob("*.csv"):
        path.unlink() if change == "removed" else path.write_bytes(path.read_bytes()[:-3] + b"xyz")
    run.check(run.resume())
