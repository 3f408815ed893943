"""A load that is stopped from outside: Ctrl-C, a full disk."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.cli.processes import COMMAND, SURROUNDINGS
from tests.support.extraction import Meddler, bring, client_of, read, seeded, sitting_of
from tests.support.holding import Holding, ctrl_c
from tests.support.rehearsal import SCHEMA, Load, changes, nasty_rows

from bulkforce import BearerToken, Interrupted, LoadReport
from bulkforce.extract import verb as extract
from bulkforce.load.journal import LoadJournal
from bulkforce.protocol.exchange import Answer, Request
from bulkforce_emulator import Emulator, Fault


@contextmanager
def command(org: Emulator, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**SURROUNDINGS, "BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def words(load: Load, *more: str) -> list[str]:
    return [
        "load",
        str(load.path),
        "--object",
        "Row__c",
        "--operation",
        "insert",
        "--batch-records",
        "6",
        "--run-dir",
        str(load.run_dir),
        *more,
    ]


def test_ctrl_c_settles_what_flies_and_tells_how_to_go_on(tmp_path: Path) -> None:
    with Holding() as org:
        # So many batches that the signal is heard before the last of them, whatever else the machine has to do.
        load = Load(org, tmp_path, nasty_rows(100))
        with command(org, *words(load, "--workers", "1")) as process:
            org.wait()
            process.send_signal(signal.SIGINT)
            org.go.set()
            shown, talk = process.communicate(timeout=600)
        assert (process.returncode, shown) == (4, "")
        # It is said at the start, and at the end.
        first, line = re.findall(r"bulkforce (resume .+)$", talk, re.MULTILINE)
        assert first == line
        assert "Traceback" not in talk
        assert sum(path.endswith("/batch") for path in changes(org)) < 100
        with command(org, *line.split(), "--quiet") as process:
            shown, talk = process.communicate(timeout=600)
        assert (process.returncode, talk) == (3, "")
        load.check(load.resume())


def test_ctrl_c_twice_leaves_at_once_and_the_run_goes_on_later(tmp_path: Path) -> None:
    with Holding() as org:
        load = Load(org, tmp_path)
        with command(org, *words(load)) as process:
            org.wait()
            process.send_signal(signal.SIGINT)
            with pytest.raises(subprocess.TimeoutExpired):  # it waits for an answer that never comes
                process.communicate(timeout=0.5)
            while process.poll() is None:
                # Two that come before the first was heard are one.
                process.send_signal(signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.5)
            _, talk = process.communicate(timeout=600)
        assert not org.go.is_set()
        org.go.set()
        assert "Traceback" not in talk
        assert process.returncode == 4
        (job,) = {path.split("/job/")[1].split("/")[0] for path in changes(org) if "/job/" in path}
        assert f"stopped at once. Job {job} goes on in the org;" in talk
        assert f"bulkforce job abort {job}. Go on with: bulkforce resume {load.run_dir}" in talk
        load.check(load.resume())


def test_ctrl_c_twice_tells_the_job_of_an_extract(tmp_path: Path) -> None:
    with Holding(nth=1, kind=lambda _method, path: "/result/" in path) as org:
        org.insert("Row__c", [{"Code__c": f"row {number}"} for number in range(5)])
        words = [
            "extract",
            "SELECT Id FROM Row__c",
            "-o",
            str(tmp_path / "out.csv"),
            "--run-dir",
            str(tmp_path / "run"),
        ]
        with command(org, *words, "--quiet", "--poll", "0.1", "--pk-chunking", "off") as process:
            org.wait()
            while process.poll() is None:
                process.send_signal(signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.5)
            _, talk = process.communicate(timeout=600)
        org.go.set()
        (job,) = {path.split("/job/")[1].split("/")[0] for path in changes(org) if "/job/" in path}
        assert process.returncode == 4
        assert f"Job {job} goes on in the org" in talk
        assert f"Go on with: bulkforce resume {tmp_path / 'run'}" in talk
        assert "Traceback" not in talk


def test_ctrl_c_begins_nothing_more(tmp_path: Path) -> None:
    with Emulator(SCHEMA) as org:
        load = Load(org, tmp_path, options={"workers": 1})
        sent = 0

        def interrupt(effect: str) -> None:
            nonlocal sent
            sent += effect == "send"
            if (effect, sent) == ("send", 3):
                ctrl_c()

        load.trace = interrupt
        with pytest.raises(Interrupted, match="stopped by Ctrl-C") as stop:
            load.begin()
        assert isinstance(stop.value.report, LoadReport)
        (job,) = stop.value.report.jobs
        assert f"Job {job} goes on in the org with the batches sent; to abort: bulkforce job abort {job}." in str(
            stop.value
        )
        assert sum(path.endswith("/batch") for path in changes(org)) == 3
        load.trace = lambda _effect: None
        load.check(load.resume())


STOPPED = (Interrupted, KeyboardInterrupt)
"""What ends a call on Ctrl-C. Only the first has anything to say; the second, if it came through, would end pytest."""


def press() -> None:
    """Press Ctrl-C where Python itself hears it, at once."""
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def org() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        yield org


def test_ctrl_c_while_the_source_is_read_leaves_a_run_to_go_on_with(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path, options={"on_progress": lambda _progress: press()})
    with pytest.raises(
        STOPPED, match=r"source was being read: stopped by Ctrl-C\. Nothing was sent\. Go on with: bulkforce resume"
    ) as caught:
        load.begin()
    assert str(load.run_dir) in str(caught.value)
    assert changes(org) == []
    load.check(load.resume())


def test_ctrl_c_while_records_are_read_that_come_but_once_leaves_nothing(org: Emulator, tmp_path: Path) -> None:
    def records() -> Iterator[dict[str, str]]:
        yield {"Code__c": "x"}
        press()
        yield {"Code__c": "y"}

    load = Load(org, tmp_path, options={"source": records()})
    with pytest.raises(STOPPED, match=r"stopped by Ctrl-C\. Nothing was sent$"):
        load.begin()
    assert changes(org) == []
    assert not load.run_dir.exists()


def test_ctrl_c_in_a_dry_run_leaves_nothing(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path, options={"dry_run": True, "on_progress": lambda _progress: press()})
    with pytest.raises(STOPPED, match=r"stopped by Ctrl-C\. Nothing was sent$"):
        load.begin()
    assert {path.name for path in tmp_path.iterdir()} == {"source.csv"}


def test_ctrl_c_while_the_source_is_read_once_more_leaves_the_run_as_it_was(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path)
    # Not at the end: there it would not make a file of its own necessary.
    load.path.write_bytes(load.path.read_bytes().replace(b"\n", b"\nover the limit,x,y\n", 1))
    org.faults.add(Fault("session expired", "POST", "*/job/*/batch", nth=4, after_bytes=10))
    with pytest.raises(Interrupted):
        load.begin()
    load.auth = BearerToken(org.state.sessions.open())
    (load.run_dir / "feed.csv").unlink()
    with pytest.raises(STOPPED, match=r"being read: stopped by Ctrl-C\. Go on with: bulkforce resume"):
        load.resume(on_progress=lambda _progress: press())
    report = load.resume()
    assert (report.state, report.rejected, report.pending) == ("finished", 1, 0)


def test_ctrl_c_at_the_end_of_a_load_leaves_a_run_to_go_on_with(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path)

    def at_the_end(effect: str) -> None:
        if effect == "publish":
            press()

    load.trace = at_the_end
    for verb in (load.begin, load.resume):
        with pytest.raises(STOPPED, match=r"with 0 of 34 records open: stopped by Ctrl-C\. Go on with") as caught:
            verb()
        assert isinstance(caught.value, Interrupted)
        assert caught.value.report == LoadReport.from_json((load.run_dir / "report.json").read_text("utf-8"))
    load.trace = lambda _effect: None
    load.check(load.resume())


def test_ctrl_c_after_the_end_of_a_load_leaves_its_report_as_it_is(
    org: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = LoadJournal.finish

    def press_behind(*arguments: Any, **options: Any) -> None:
        finish(*arguments, **options)
        press()

    monkeypatch.setattr(LoadJournal, "finish", press_behind)
    load = Load(org, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        load.begin()
    report = LoadReport.from_json((load.run_dir / "report.json").read_text("utf-8"))
    assert report.state == "finished"
    before = len(org.requests)
    assert load.resume() == report
    assert len(org.requests) == before
    load.check(report)
    assert not (load.run_dir / "feed.csv").exists()


@pytest.mark.parametrize("moment", ["count", "publish"])
def test_ctrl_c_at_the_end_of_an_extract_leaves_a_run_to_go_on_with(tmp_path: Path, moment: str) -> None:
    """While records are counted of an org that does not tell with its batches, and when the file was put in its
    place."""

    class Untold(Meddler):
        def __init__(self, *, pressed: bool) -> None:
            super().__init__(lambda _path, content: re.sub(rb"(<numberRecordsProcessed>)\d+", rb"\g<1>0", content))
            self.pressed = pressed

        def send(self, request: Request, url: str, headers: dict[str, str], *, streamed: bool) -> Answer:
            if "/query" in request.path and self.pressed:
                press()
            return super().send(request, url, headers, streamed=streamed)

    def at_the_end(effect: str) -> None:
        if effect == moment:
            press()

    with seeded() as org:
        with (
            client_of(org, transport=Untold(pressed=moment == "count")) as client,
            pytest.raises(STOPPED, match="stopped by Ctrl-C") as caught,
        ):
            bring(org, tmp_path, client=client, trace=at_the_end)
        assert "Go on with: bulkforce resume" in str(caught.value)
        assert [run.state for run in extract.runs(tmp_path)] == ["interrupted"]
        assert (tmp_path / "out.csv").exists() == (moment == "publish")
        before = len(org.requests)
        with client_of(org, transport=Untold(pressed=False)) as client:
            assert extract.resume_extract(sitting_of(client), tmp_path / "run").rows == 40
        assert [path for request in org.requests[before:] if "/result/" in (path := request.path)] == []
    assert len(read(tmp_path / "out.csv")) == 40


LIMITED = """
import resource, sys
# Python would put bytecode that was cut at the limit in place, for all who come after.
sys.dont_write_bytecode = True
from bulkforce.cli.main import main
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
main()
"""


def test_disk_that_is_full_stops_the_run_and_it_goes_on_where_there_is_room(tmp_path: Path) -> None:
    """However early the room ends: the limit is on the size of a file, which every file meets sooner or later."""
    codes = []
    with Emulator(SCHEMA) as org:
        for number, limit in enumerate([100, 1_000, 10_000, 30_000, 60_000, 80_000, 100_000, 120_000, 1_000_000]):
            folder = tmp_path / str(number)
            folder.mkdir()
            load = Load(org, folder)
            environment = {
                **SURROUNDINGS,
                "BULKFORCE_INSTANCE_URL": org.base_url,
                "BULKFORCE_ACCESS_TOKEN": org.session_id,
            }
            ended = subprocess.run(
                [sys.executable, "-c", LIMITED, str(limit), *words(load, "--quiet")],
                capture_output=True, text=True, env=environment, timeout=600, check=False,
            )  # fmt: skip
            codes.append(ended.returncode)
            assert "Traceback" not in ended.stderr, (limit, ended.stderr)
            if ended.returncode == 1:
                assert "cannot be written" in ended.stderr
                assert load.books.jobs == []
                load.check(load.begin())
            else:
                assert ended.returncode == (4 if "bulkforce resume" in ended.stderr else 3)
                load.check(load.resume())
    print(codes)
    assert set(codes) == {1, 3, 4}
