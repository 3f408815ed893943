"""Results show themselves: readable as text, and as escaped HTML that needs nothing from elsewhere."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

import bulkforce as bf
from bulkforce.catalog import runs
from bulkforce.display import MOST_ROWS
from bulkforce.protocol.info import BatchList
from bulkforce.run.report import RunInfo, RunList, RunState
from bulkforce_emulator import Emulator

HOSTILE = '<script>alert("x")</script>\x1b[31m'
CAUSE = bf.ErrorGroup(
    "INVALID_EMAIL_ADDRESS",
    f"Email: invalid email address: ... {HOSTILE}",
    2_000,
    7,
    f"Edge,{HOSTILE}," + "wide," * 30,
    remedy="Correct the address.",
)
LOAD = bf.LoadReport(
    run="1",
    run_dir=Path("run"),
    state=RunState.FINISHED,
    operation="insert",
    object="Contact",
    read=4_000,
    succeeded=2_000,
    failed=2_000,
    batches=1,
    errors=(CAUSE,),
)
EXTRACT = bf.ExtractReport(
    run="1", run_dir=Path("run"), state=RunState.FINISHED, object="Contact", soql="SELECT Id FROM Contact", to=HOSTILE
)
CHECK = bf.CheckReport(
    object="Contact", operation="insert", read=4_000, rejected=2_000, described=True, rejections=(CAUSE,)
)
BATCH = bf.BatchInfo(id="751000000000001AAA", job_id="750000000000001AAA", state=bf.BatchState.FAILED)
JOB = bf.JobInfo(
    id="750000000000001AAA", operation=bf.Operation.INSERT, object=f"Contact{HOSTILE}", state=bf.JobState.OPEN
)
RUN = RunInfo("20261201-100149-insert-Contact-25bb", Path("run"), f"insert Contact from {HOSTILE}", "finished", 0.0)
ALL = [LOAD, EXTRACT, CHECK, JOB, replace(BATCH, state_message=HOSTILE), BatchList([BATCH, BATCH]), RunList([RUN, RUN])]


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert {name for name, _ in attrs} <= {"style"}
        self.open.append(tag)
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("shown", ALL, ids=lambda one: type(one).__name__)
def test_html_is_escaped_and_self_contained_and_has_no_colours_of_its_own(shown: object) -> None:
    html = shown._repr_html_()  # type: ignore[attr-defined]
    tags = _Tags()
    tags.feed(html)
    assert tags.open == []
    assert tags.seen <= {"div", "strong", "table", "tr", "th", "td"}
    assert "://" not in html
    assert set(re.findall(r"(?:color|background):(\w+)", html)) <= {"inherit", "transparent"}


@pytest.mark.parametrize("shown", ALL, ids=lambda one: type(one).__name__)
def test_text_does_not_control_a_terminal(shown: object) -> None:
    assert "\x1b" not in str(shown) + repr(shown)


def test_load_shows_counts_files_and_causes() -> None:
    assert str(LOAD).splitlines()[0] == "insert Contact: finished; 4,000 rows in 1 batch, 0.0 s, 0 API calls"
    assert f"  succeeded    2,000  {Path('run/success.csv')}" in str(LOAD).splitlines()
    assert "INVALID_EMAIL_ADDRESS" in str(LOAD)
    assert repr(LOAD) == "<LoadReport insert Contact: finished, read=4000, succeeded=2000, failed=2000>"


def test_unfinished_load_says_what_is_open_and_why_it_stopped() -> None:
    stopped = str(replace(LOAD, state=RunState.INTERRUPTED, succeeded=500, failed=0, errors=(), stopped_by="Ctrl-C"))
    assert re.search(r"(?m)^  open +3,500$", stopped)
    assert re.search(r"(?m)^  stopped by  Ctrl-C$", stopped)


def test_job_shows_only_what_the_org_said() -> None:
    job = replace(JOB, object="Contact", number_batches_total=3)
    assert repr(job) == (
        "JobInfo(id='750000000000001AAA', operation='insert', object='Contact', state='Open', content_type='XML', "
        "number_batches_total=3)"
    )
    assert re.search(r"(?m)^  number batches total +3$", str(job))


def test_long_list_is_cut_and_counted() -> None:
    batches = BatchList([BATCH] * (MOST_ROWS + 1_000))
    assert str(batches).startswith("1,050 batches\n")
    assert str(batches).endswith("... and 1,000 more")
    assert batches._repr_html_().count("<tr>") == MOST_ROWS + 1
    assert batches == [BATCH] * (MOST_ROWS + 1_000)


def test_lists_are_one_line_at_the_prompt_and_stay_lists() -> None:
    batches = BatchList([BATCH, replace(BATCH, state=bf.BatchState.COMPLETED), BATCH])
    assert repr(batches) == "<BatchList: 3 batches: 2 Failed, 1 Completed>"
    assert repr(BatchList()) == "<BatchList: 0 batches>"
    assert isinstance(batches, list)
    assert batches[1:] == [replace(BATCH, state=bf.BatchState.COMPLETED), BATCH]
    assert str(BatchList()) == "0 batches"


def test_runs_of_a_folder_are_such_a_list(tmp_path: Path) -> None:
    with Emulator() as org, bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client:
        org.insert("Contact", [{"LastName": "Lovelace"}])
        load = client.load([{"LastName": "Lovelace"}], "Contact", "insert", run_dir=tmp_path / "a")
        client.extract("SELECT Id FROM Contact", to=tmp_path / "x.csv", run_dir=tmp_path / "b")
    found = runs(tmp_path)
    assert repr(found) == "<RunList: 2 runs: 2 finished>"
    assert re.search(rf"(?m)^  {load.run} +finished  insert Contact from \S.+ UTC$", str(found))
    assert load.run in found._repr_html_()  # type: ignore[attr-defined]
    assert repr(runs(tmp_path / "none")) == "<RunList: 0 runs>"


def test_batches_of_a_job_are_such_a_list() -> None:
    with Emulator() as org, bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client:
        job = client.create_job("insert", "Contact", "CSV")
        batch = client.add_batch(job, "LastName\nLovelace\n")
        batches = client.get_all_batches(job)
    assert str(batches).splitlines()[0] == "1 batch"
    assert batch.id in batches._repr_html_()  # type: ignore[attr-defined]


def test_query_shows_itself_without_being_sent() -> None:
    with Emulator() as org, bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client:
        org.insert("Contact", [{"LastName": "Lovelace"}])
        result = client.query("SELECT Id, LastName FROM Contact WHERE LastName = 'Lovelace'")
        assert repr(result) == "<QueryResult: not sent yet>"
        assert "not sent yet" in result._repr_html_()
        assert org.requests == []
        assert result.schema.names == ["Id", "LastName"]
        assert "LastName" in result._repr_html_()
        assert [row["LastName"] for row in result.rows()] == ["Lovelace"]
        assert "were read" in str(result)
        assert "Lovelace" not in str(result) + result._repr_html_()
