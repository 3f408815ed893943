"""What a run relies on in its folder, and its source: lost or changed it is made again, or the run says rightly why it
cannot go on."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cli.processes import run
from tests.support.extraction import bring, go_on, seeded
from tests.support.rehearsal import SCHEMA, Load, assert_exactly_once, changes, nasty_rows, read_csv

from bulkforce import BearerToken
from bulkforce.errors import Interrupted, SourceChanged, TransferError, Unsettled
from bulkforce.extract import verb as extract
from bulkforce.load import feed
from bulkforce.load import verb as loads
from bulkforce.load.report import LoadReport, Progress
from bulkforce.load.rules import AcceptAs
from bulkforce.run.report import RunState
from bulkforce_emulator import Emulator, Fault

BATCHES = "*/job/*/batch"


@pytest.fixture
def org() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        yield org


def stop(load: Load, *, resumed: bool = False) -> None:
    """Begin a load, or go on with it, and have it stop with batches in the org and others not sent; then take up a new
    session."""
    load.org.faults.add(Fault("session expired", "POST", BATCHES, nth=1 if resumed else 4, after_bytes=10))
    with pytest.raises(Interrupted):
        load.resume() if resumed else load.begin()
    load.auth = BearerToken(load.org.state.sessions.open())


def with_a_rejected_row(org: Emulator, folder: Path) -> Load:
    """A load whose feed is a copy of the source, without the row that is over a limit of the org."""
    load = Load(org, folder)
    header, rest = load.path.read_bytes().split(b"\n", 1)
    load.path.write_bytes(header + b"\nover the limit,x,y\n" + rest)
    return load


def remove(path: Path) -> None:
    path.unlink()


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def change_in_place(path: Path) -> None:
    """Change bytes and leave the file's size and times as they were."""
    known, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:-4] + content[-4:].swapcase().translate(bytes.maketrans(b'"\n,', b"...")))
    os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (known.st_size, known.st_mtime_ns)
    assert path.read_bytes() != content


HARMS = [remove, shorten, change_in_place]


def check(load: Load, report: LoadReport) -> None:
    """Every row of the source is in the org once, or told as failed or rejected."""
    assert (report.state, report.pending, report.rejected, report.in_doubt, report.unprocessed) == (
        RunState.FINISHED,
        0,
        1,
        0,
        0,
    )
    assert [row[2:] for row in read_csv(load.run_dir / "success.csv")[1:]] == load.source.good
    assert [row[2:] for row in read_csv(load.run_dir / "failed.csv")[1:]] == load.source.bad
    assert [(row[0], *row[2:]) for row in read_csv(load.run_dir / "rejected.csv")[1:]] == [
        ("1", "over the limit", "x", "y")
    ]
    assert sorted(load.books.accepted(load.source.header).elements()) == sorted(load.source.good)


# While it is stopped


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("name", ["feed.csv", "rejected.csv"])
def test_file_that_was_made_of_the_source_is_made_of_it_again(
    org: Emulator, tmp_path: Path, name: str, harm: Callable[[Path], None]
) -> None:
    load = with_a_rejected_row(org, tmp_path)
    stop(load)
    before = (load.run_dir / name).read_bytes()
    harm(load.run_dir / name)
    stop(load, resumed=True)
    assert (load.run_dir / name).read_bytes() == before
    check(load, load.resume())


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("name", ["feed.csv", "rejected.csv"])
def test_file_that_cannot_be_made_again_is_told(
    org: Emulator, tmp_path: Path, name: str, harm: Callable[[Path], None]
) -> None:
    load = with_a_rejected_row(org, tmp_path)
    stop(load)
    source = load.path.read_bytes()
    load.path.write_bytes(source.replace(b"row 5", b"ROW 5"))
    harm(load.run_dir / name)
    sent = len(changes(org))
    with pytest.raises(
        SourceChanged, match=rf"{name}.*its source, .*source\.csv, has changed since it was read; nothing was touched"
    ) as caught:
        load.resume()
    assert "Some of its rows went to the org already, so loading all of it again would duplicate them" in str(
        caught.value
    )
    assert changes(org)[sent:] == []
    assert loads.runs(tmp_path)[0].state == RunState.INTERRUPTED
    load.path.write_bytes(source)
    check(load, load.resume())


def test_source_that_was_converted_is_converted_again(org: Emulator, tmp_path: Path) -> None:
    rows = nasty_rows()
    path = tmp_path / "source.json"
    path.write_text(json.dumps([dict(zip(rows.header, row, strict=True)) for row in rows.rows]), "utf-8")
    load = Load(org, tmp_path, options={"source": path})
    stop(load)
    before = (load.run_dir / "source.csv").read_bytes()
    (load.run_dir / "source.csv").unlink()
    stop(load, resumed=True)
    assert (load.run_dir / "source.csv").read_bytes() == before
    load.check(load.resume())


def test_feed_of_records_that_cannot_be_given_again_is_told(org: Emulator, tmp_path: Path) -> None:
    rows = nasty_rows()
    load = Load(org, tmp_path, options={"source": [dict(zip(rows.header, row, strict=True)) for row in rows.rows]})
    stop(load)
    (load.run_dir / "source.csv").unlink()
    with pytest.raises(
        SourceChanged,
        match=r"cannot be read a second time; nothing was touched\. Some of its rows went to the org already",
    ):
        load.resume()


def test_outputs_that_were_changed_while_the_run_was_stopped_are_written_again(org: Emulator, tmp_path: Path) -> None:
    """The outputs of a run that cannot go on by itself are those that a user has in hands, and changes."""
    load = Load(org, tmp_path, options={"workers": 1})
    stop(load)
    org.state.jobs.close(load.books.jobs[0])
    with pytest.raises(Unsettled):
        load.resume()
    (load.run_dir / "success.csv").unlink()
    (load.run_dir / "failed.csv").write_bytes(b"mine")
    (load.run_dir / "in_doubt.csv").unlink()
    load.check(load.resume("not-sent"))


@pytest.mark.parametrize("harm", HARMS)
def test_feed_that_is_lost_under_way_stops_the_run_and_is_made_again(
    org: Emulator, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    load = with_a_rejected_row(org, tmp_path)
    load.options = {"workers": 1}
    sent = 0

    def lose(effect: str) -> None:
        nonlocal sent
        sent += effect == "send"
        if (effect, sent) == ("send", 2):
            harm(load.run_dir / "feed.csv")

    load.trace = lose
    with pytest.raises(
        Interrupted, match=r"feed\.csv (has changed|can no longer be read).*Go on with: bulkforce resume"
    ):
        load.begin()
    load.trace = lambda _effect: None
    check(load, load.resume())


REFUSED = (
    '<error xmlns="http://www.force.com/2009/06/asyncapi/dataload"><exceptionCode>InvalidBatch</exceptionCode></error>'
)


def name_another_record(path: Path) -> None:
    """Leave results that could be read, were they not known by their digest."""
    content = path.read_bytes()
    changed = re.sub(rb'"(\w{17})\w","true"', rb'"\1Z","true"', content)
    assert changed != content
    path.write_bytes(changed)


@pytest.mark.parametrize("harm", [*HARMS, name_another_record])
def test_results_that_are_lost_and_that_the_org_has_no_longer_are_never_no_results(
    org: Emulator, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    """However often the run is resumed; the rows went in."""
    load = Load(org, tmp_path, options={"workers": 1})
    stop(load)
    org.faults.add(Fault("session expired", "GET", "*/result", nth=3))
    with pytest.raises(Interrupted):
        load.resume()
    load.auth = BearerToken(org.state.sessions.open())
    results = sorted((load.run_dir / "results").glob("*.csv"))
    assert results
    for path in results:
        harm(path)
    org.faults.add(
        Fault(
            "answer replaced", "GET", "*/result", status=400, content_type="application/xml", body=REFUSED, times=10_000
        )
    )
    for _ in range(3):
        with pytest.raises(Interrupted, match=r"InvalidBatch.*Go on with: bulkforce resume") as caught:
            load.resume()
        report = caught.value.report
        assert isinstance(report, LoadReport)
        assert (report.state, report.unprocessed, report.in_doubt) == (RunState.INTERRUPTED, 0, 0)
        assert [run.state for run in loads.runs(tmp_path)] == [RunState.INTERRUPTED]
    org.faults.clear()
    load.check(load.resume())


@pytest.mark.parametrize("word", ["sent", "not-sent"])
def test_results_that_the_org_refuses_for_good_do_not_keep_the_run_from_its_end(
    org: Emulator, tmp_path: Path, word: AcceptAs
) -> None:
    """The user ends it; the rows of that batch are in doubt, and never sent again."""
    load = Load(org, tmp_path, options={"workers": 1})
    refusal = Fault(
        "answer replaced", "GET", "*/result", status=400, content_type="application/xml", body=REFUSED, times=10_000
    )
    org.faults.add(refusal)
    with pytest.raises(Interrupted, match=r"keeps refusing the results of this batch, resume with accept_as sent"):
        load.begin()
    org.faults.clear()
    first = next(iter(load.books.jobs[0].batches))
    org.faults.add(replace(refusal, path=f"*/{first}/result"))
    with pytest.raises(Interrupted):
        load.resume()
    report = load.resume(word)
    assert (report.state, report.in_doubt, report.pending, report.unprocessed) == (RunState.FINISHED, 6, 0, 0)
    assert [row[1:] for row in read_csv(load.run_dir / "in_doubt.csv")[1:]] == load.source.rows[:6]
    assert_exactly_once(org, load.books, load.source)


# The source


def quietly(path: Path, content: bytes) -> None:
    """Change a file in place, so that its size and times tell nothing."""
    known = path.stat()
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (known.st_size, known.st_mtime_ns)


SHAPED = pytest.mark.parametrize("shaped", [False, True], ids=["sent as it is", "sent in another form"])


@SHAPED
@pytest.mark.parametrize("row", [b"row 0-1", b"row 5-1"])
def test_source_that_was_quietly_changed_while_the_run_was_stopped_is_noticed(
    org: Emulator, tmp_path: Path, row: bytes, shaped: bool
) -> None:
    """Be it in a batch that was sent, or in one that was not."""
    load = Load(org, tmp_path, options={"workers": 1, "empty_as_null": shaped})
    stop(load)
    source, sent = load.path.read_bytes(), len(changes(org))
    quietly(load.path, source.replace(row, row.upper()))
    for _ in range(2):
        with pytest.raises(SourceChanged, match=r"batch \d is not what was read; nothing was touched"):
            load.resume()
    assert changes(org)[sent:] == []
    quietly(load.path, source)
    load.check(load.resume())


@pytest.mark.parametrize("held", [True, False])
@SHAPED
def test_source_that_is_quietly_changed_before_it_is_joined_is_noticed_then(
    org: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shaped: bool, held: bool
) -> None:
    """Nothing of the changed rows is ever written beside results, which are those of other rows, or counted."""
    if not held:
        monkeypatch.setattr(feed, "_HELD_BYTES", 0)
    load = Load(org, tmp_path, options={"workers": 1, "empty_as_null": shaped})
    source, sent = load.path.read_bytes(), 0

    def change(effect: str) -> None:
        nonlocal sent
        sent += effect == "send"
        if (effect, sent) == ("send", 6):
            quietly(load.path, source.replace(b"row 5", b"ROW 5"))

    load.trace = change
    with pytest.raises(Interrupted, match="batch 6 is not what was read") as caught:
        load.begin()
    report = caught.value.report
    assert isinstance(report, LoadReport)
    assert report.pending >= 4
    assert all(b"ROW 5" not in path.read_bytes() for path in load.run_dir.rglob("*.csv*"))
    quietly(load.path, source)
    load.trace = lambda _effect: None
    load.check(load.resume())


def test_source_that_is_quietly_changed_when_all_is_joined_keeps_the_run_from_being_finished(
    org: Emulator, tmp_path: Path
) -> None:
    load = Load(org, tmp_path)
    source = load.path.read_bytes()

    def change(progress: Progress) -> None:
        if progress.succeeded + progress.failed == progress.read:
            quietly(load.path, source.replace(b"row 0", b"ROW 0"))

    load.options = {"on_progress": change}
    with pytest.raises(SourceChanged, match="batch 1 is not what was read"):
        load.begin()
    quietly(load.path, source)
    load.check(load.resume())


# At its end


def set_fact(load: Load, name: str, change: Callable[[int], int]) -> None:
    """Spoil the journal: change a number among what the reading of the source found."""
    with closing(sqlite3.connect(load.run_dir / "journal.sqlite")) as database:
        (facts,) = database.execute("SELECT value FROM fact WHERE name = 'facts'").fetchone()
        facts = json.loads(facts)
        database.execute(
            "UPDATE fact SET value = ? WHERE name = 'facts'", (json.dumps(facts | {name: change(facts[name])}),)
        )
        database.commit()


@pytest.mark.parametrize("change", [1, -1])
def test_run_whose_counts_do_not_add_up_is_never_finished(org: Emulator, tmp_path: Path, change: int) -> None:
    load = Load(org, tmp_path)
    stop(load)
    set_fact(load, "read", lambda read: read + change)
    for _ in range(3):
        with pytest.raises(TransferError, match=r"counts do not add up: of .* the run is not finished"):
            load.resume()
        assert [run.state for run in loads.runs(tmp_path)] == [RunState.INTERRUPTED]
        told = LoadReport.from_json((load.run_dir / "report.json").read_text("utf-8"))
        assert (told.state, told.pending) == (RunState.INTERRUPTED, change)
        assert "do not add up" in str(told.stopped_by)
        assert read_csv(load.run_dir / "unprocessed.csv") == [("sf__Error", *load.source.header)]
        assert (load.run_dir / "results").exists()
    set_fact(load, "read", lambda read: read - change)
    load.check(load.resume())


def test_run_whose_outputs_are_gone_at_its_end_is_not_finished(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path)

    def lose(effect: str) -> None:
        if effect == "publish":
            (load.run_dir / "success.csv").unlink()

    load.trace = lose
    for verb in (load.begin, load.resume, load.resume):
        with pytest.raises(Interrupted, match=r"success\.csv"):
            verb()
        assert [run.state for run in loads.runs(tmp_path)] == [RunState.INTERRUPTED]
    load.trace = lambda _effect: None
    load.check(load.resume())


# When it is finished

OUTPUTS = ["success.csv", "failed.csv", "unprocessed.csv", "rejected.csv", "report.json"]


def sits(load: Load) -> LoadReport:
    """Resume a run that is finished: nothing is asked of the org."""
    before = len(load.org.requests)
    load.warnings.clear()
    report = load.resume()
    assert load.org.requests[before:] == []
    assert [run.state for run in loads.runs(load.folder)] == [RunState.FINISHED]
    return report


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("name", OUTPUTS)
def test_finished_load_tells_its_report_and_which_of_its_files_is_not_what_it_left(
    org: Emulator, tmp_path: Path, name: str, harm: Callable[[Path], None]
) -> None:
    load = Load(org, tmp_path)
    report = load.begin()
    assert (sits(load), load.warnings) == (report, [])
    harm(load.run_dir / name)
    changed = (load.run_dir / name).read_bytes() if harm is not remove else None
    for _ in range(2):
        # The reasons hold what rows held, and are nowhere but in the report.
        assert sits(load) == (replace(report, errors=()) if name == "report.json" else report)
        (said,) = load.warnings
        assert f"The run is finished, but {name} in {load.run_dir} was removed or changed" in said
        assert load.books.jobs[0].id in said
    assert changed is None or (load.run_dir / name).read_bytes() == changed


def test_finished_load_whose_outputs_were_all_moved_away_says_so_in_one_line(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path)
    report = load.begin()
    for name in OUTPUTS[:-1]:
        (load.run_dir / name).rename(tmp_path / name)
    assert sits(load) == report
    (said,) = load.warnings
    assert "success.csv, failed.csv, unprocessed.csv, rejected.csv" in said
    assert "were removed" in said


def test_finished_load_that_was_moved_tells_where_it_is(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path)
    report = load.begin()
    load.run_dir = load.run_dir.rename(tmp_path / "moved")
    assert sits(load) == replace(report, run_dir=tmp_path / "moved")
    assert load.warnings == []


def test_finished_extract_that_was_moved_tells_where_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with seeded() as org:
        report = bring(org, tmp_path)
        (tmp_path / "moved").mkdir()
        (tmp_path / "run").rename(tmp_path / "moved" / "run")
        assert go_on(org, tmp_path / "moved") == replace(report, run_dir=tmp_path / "moved" / "run")
    assert caplog.messages == []


def test_finished_load_with_rows_in_doubt_tells_that_their_file_is_gone(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path, options={"workers": 1})
    stop(load)
    org.state.jobs.close(load.books.jobs[0])
    report = load.resume("sent")
    (load.run_dir / "in_doubt.csv").unlink()
    assert sits(load) == report
    assert "in_doubt.csv" in load.warnings[0]


@pytest.mark.parametrize("harm", [remove, shorten])
@pytest.mark.parametrize("name", ["out.csv", "run/report.json"])
def test_finished_extract_tells_its_report_and_which_file_is_not_what_it_left(
    tmp_path: Path, name: str, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    with seeded() as org:
        report = bring(org, tmp_path)
        before = len(org.requests)
        assert (go_on(org, tmp_path), caplog.messages) == (report, [])
        harm(tmp_path / name)
        assert go_on(org, tmp_path) == report
        assert org.requests[before:] == []
    (said,) = caplog.messages
    assert f"The extract is finished; since then {tmp_path / name} was removed or changed" in said
    assert [run.state for run in extract.runs(tmp_path)] == [RunState.FINISHED]


def test_command_tells_the_report_of_a_finished_load_whose_files_are_gone(org: Emulator, tmp_path: Path) -> None:
    """The exit code is that of the load: nothing is wrong with it."""
    load = Load(org, tmp_path)
    report = load.begin()
    environment = {"BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}
    before = len(org.requests)
    assert run("resume", str(load.run_dir), environment=environment).stderr == ""
    for name in OUTPUTS:
        (load.run_dir / name).unlink()
    ended = run("resume", str(load.run_dir), environment=environment)
    assert ended.returncode == 3
    assert f"{report.succeeded:,}" in ended.stdout
    (line,) = ended.stderr.splitlines()
    assert line.startswith("The run is finished, but success.csv, failed.csv")
    told = run("resume", str(load.run_dir), "--json", environment=environment)
    assert LoadReport.from_json(told.stdout) == replace(report, errors=())
    assert org.requests[before:] == []


DAMAGES = {
    "no JSON": "UPDATE fact SET value = '{' WHERE name IN ('asked', 'facts')",
    "a list": "UPDATE fact SET value = '[]' WHERE name IN ('asked', 'facts')",
    "without end": f"UPDATE fact SET value = '{'[' * 100_000}' WHERE name IN ('asked', 'facts')",
    "no members": "UPDATE fact SET value = '{}' WHERE name = 'facts'",
    "without an id": "UPDATE fact SET value = json_remove(value, '$.run') WHERE name IN ('asked', 'facts')",
    "without an object": "UPDATE fact SET value = json_remove(value, '$.object') WHERE name IN ('asked', 'facts')",
    "an id that is a number": "UPDATE fact SET value = json_set(value, '$.run', 5) WHERE name IN ('asked', 'facts')",
    "a beginning that is a text": "UPDATE fact SET value = json_set(value, '$.begun', 'x') WHERE name IN ('asked', "
    "'facts')",
    "not UTF-8": "UPDATE fact SET value = CAST(x'ff' AS TEXT) WHERE name IN ('asked', 'facts')",
    "no table": "DROP TABLE fact",
}


@pytest.fixture(scope="module")
def four_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two extracts and two loads that have finished; each test takes a copy."""
    folder = tmp_path_factory.mktemp("runs")
    with seeded() as org:
        bring(org, folder, run_dir=folder / "1")
        bring(org, folder, run_dir=folder / "3")
    with Emulator(SCHEMA) as org:
        load = Load(org, folder)
        for name in ("2", "4"):
            load.run_dir = folder / name
            load.begin()
    return folder


@pytest.mark.parametrize("journal", ["journal.sqlite", "extract.sqlite"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_run_whose_journal_is_damaged_is_listed_as_such_among_the_others(
    four_runs: Path, tmp_path: Path, damage: str, journal: str
) -> None:
    shutil.copytree(four_runs, tmp_path, dirs_exist_ok=True)
    damaged = {"journal.sqlite": "4", "extract.sqlite": "3"}[journal]
    with closing(sqlite3.connect(tmp_path / damaged / journal)) as database:
        database.execute(damage)
        database.commit()
    done = run("runs", "--json", f"--run-dir={tmp_path}")
    assert (done.returncode, done.stderr) == (0, "")
    states = {Path(one["folder"]).name: one["state"] for one in json.loads(done.stdout)}
    assert states == {**dict.fromkeys("1234", "finished"), damaged: "unreadable"}
