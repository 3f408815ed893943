"""The calls of Bulk API 2.0 against the emulator, with both clients."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import bulkforce as bf
from bulkforce_emulator import Emulator, Limits, Settings
from bulkforce_emulator.faults import Fault

QUICK = bf.Pace(first_seconds=0.01, growth=1.1, longest_seconds=0.05)
RECORDS = [{"LastName": "Ott", "FirstName": 'A|"d,a"'}, {"LastName": "Roe", "Description": "two\nlines"}]


@pytest.fixture
def org() -> Iterator[Emulator]:
    """One of its own for each test, since what is in it is counted."""
    with Emulator() as org:
        yield org


def loaded(client: Any, content: Any, **settings: Any) -> bf.IngestJobInfo:
    """Load content with a job of its own."""
    job = client.create_ingest_job("insert", "Contact", **settings)
    client.upload(job, content)
    client.complete_upload(job)
    ended: bf.IngestJobInfo = client.wait_for_ingest_job(job, pace=QUICK)
    return ended


def rows(client: Any, stream: Any) -> list[dict[str, str]]:
    with stream:
        return list(stream.rows())


@pytest.mark.parametrize("delimiter", list(bf.ColumnDelimiter))
@pytest.mark.parametrize("line_ending", list(bf.LineEnding))
def test_records_are_written_in_the_form_of_the_job(
    org: Emulator, client: Any, delimiter: bf.ColumnDelimiter, line_ending: bf.LineEnding
) -> None:
    job = loaded(client, RECORDS, column_delimiter=delimiter, line_ending=line_ending)
    assert (job.state, job.number_records_processed, job.number_records_failed) == ("JobComplete", 2, 0)
    written = rows(client, client.get_successful_results(job))
    assert {row["LastName"]: row["FirstName"] for row in written} == {"Ott": 'A|"d,a"', "Roe": ""}
    assert {row["sf__Created"] for row in written} == {"true"}
    end = "\r\n" if line_ending is bf.LineEnding.CRLF else "\n"
    stored = {record["LastName"]: record["Description"] for record in org.records("Contact")}
    assert stored == {"Ott": None, "Roe": f"two{end}lines"} or stored == {"Ott": None, "Roe": "two\nlines"}
    assert rows(client, client.get_failed_results(job)) == []
    assert rows(client, client.get_unprocessed_records(job.id)) == []


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[BinaryIO]:
    path = tmp_path / "opened.csv"
    path.write_text("LastName\nZoë\n", encoding="utf-8")
    with path.open("rb") as file:
        yield file


def test_every_kind_of_content_arrives(org: Emulator, client: Any, tmp_path: Path, opened: BinaryIO) -> None:
    path = tmp_path / "contacts.csv"
    path.write_bytes("\ufeffLastName\nZoë\n".encode())

    class Pipe(io.BytesIO):
        """What can be read only once, and gives less than is asked for."""

        def seekable(self) -> bool:
            return False

        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size, 3) if size and size > 0 else 3)

    contents: list[Any] = [
        "LastName\nZoë\n",
        "LastName\nZoë\n".encode(),
        path,
        opened,
        Pipe("LastName\nZoë".encode()),
        [{"LastName": "Zoë"}],
        iter([{"LastName": "Zoë"}]),
        pa.table({"LastName": ["Zoë"]}),
        pl.DataFrame({"LastName": ["Zoë"]}),
        pd.DataFrame({"LastName": ["Zoë"]}),
        pa.record_batch({"LastName": ["Zoë"]}),
        [pa.record_batch({"LastName": ["Zoë"]})],
    ]
    for content in contents:
        job = loaded(client, content)
        assert [row["LastName"] for row in rows(client, client.get_successful_results(job.id))] == ["Zoë"]
    assert [record["LastName"] for record in org.records("Contact")] == ["Zoë"] * len(contents)


@pytest.mark.parametrize(
    ("content", "line_ending"),
    [
        (b"LastName\r\nOtt\r\n", "LF"),
        (b"LastName\nOtt\r\n", "CRLF"),
        (b'LastName,FirstName\r\n"a\nb",c\rd,e\r\n', "CRLF"),
        (b"LastName\r", "LF"),
        (b"LastName\xff\n", "LF"),
        (b"LastName\n\xc3", "LF"),
        ({"LastName": "Ott"}, "LF"),
        (7, "LF"),
        (io.StringIO("LastName\n"), "LF"),
        (bytes(100_000_001), "LF"),
        (Path("no such file.csv"), "LF"),
    ],
    ids=[
        "crlf",
        "mixed",
        "cr",
        "cr at the end",
        "latin",
        "cut",
        "mapping",
        "number",
        "text file",
        "too long",
        "no file",
    ],
)
def test_content_that_the_org_would_fail_is_not_sent(
    org: Emulator, client: Any, content: Any, line_ending: str
) -> None:
    job = client.create_ingest_job("insert", "Contact", line_ending=line_ending)
    with pytest.raises((bf.FormatError, bf.UsageError)) as caught:
        client.upload(job, content)
    assert len(str(caught.value)) < 400
    assert not [one for one in org.requests if one.method == "PUT"]


def test_line_ends_inside_values_are_of_no_concern_to_the_check(client: Any) -> None:
    assert loaded(client, b'LastName\r\n"a\nb"\r\n', line_ending="CRLF").number_records_failed == 0


def test_job_can_be_created_with_its_data(org: Emulator, client: Any) -> None:
    job = client.create_ingest_job("insert", "Contact", content=RECORDS, column_delimiter="TAB")
    assert job.state == "UploadComplete"
    assert client.wait_for_ingest_job(job, pace=QUICK).number_records_failed == 0
    assert len(org.records("Contact")) == 2
    with pytest.raises(bf.FormatError, match="100,000 characters"):
        client.create_ingest_job("insert", "Contact", content="LastName\n" + "x" * 100_000)


def test_rows_that_fail_say_why_and_empty_files_are_empty(client: Any) -> None:
    job = loaded(client, "LastName,FirstName\nOtt,Ada\n,Bo\n")
    assert (job.number_records_processed, job.number_records_failed) == (2, 1)
    (failed,) = rows(client, client.get_failed_results(job.id))
    assert failed["sf__Error"].startswith("REQUIRED_FIELD_MISSING:")
    assert failed["FirstName"] == "Bo"
    empty = loaded(client, b"")
    assert empty.state == "JobComplete"
    assert [rows(client, client.get_successful_results(empty)), rows(client, client.get_failed_results(empty))] == [
        [],
        [],
    ]


def test_job_that_fails_says_why(client: Any) -> None:
    job = loaded(client, "LastName,Nope__c\nOtt,1\n")
    assert (job.state, job.error_message) == ("Failed", "InvalidBatch : Field name not found : Nope__c")
    with pytest.raises(bf.JobFailed, match=r"Nope__c.*\[job 750") as caught:
        job.raise_for_state()
    assert caught.value.job_id == job.id


def test_results_are_saved_whole(client: Any, tmp_path: Path) -> None:
    job = loaded(client, RECORDS)
    with_results = client.get_successful_results(job)
    size = with_results.save(tmp_path / "written.csv")
    content = (tmp_path / "written.csv").read_bytes()
    assert len(content) == size
    assert [row["LastName"] for row in csv.DictReader(io.StringIO(content.decode(), newline=""))] == ["Ott", "Roe"]


def test_open_job_is_not_waited_for_and_can_be_aborted_and_deleted(client: Any) -> None:
    job = client.create_ingest_job("insert", "Contact")
    with pytest.raises(bf.JobNotDone, match="complete_upload"):
        client.wait_for_ingest_job(job)
    with pytest.raises(bf.InvalidRequest, match="not terminated"):
        client.delete_ingest_job(job)
    aborted = client.abort_ingest_job(job)
    with pytest.raises(bf.JobAborted):
        replace(aborted).raise_for_state()
    client.delete_ingest_job(job)
    with pytest.raises(bf.NotFound):
        client.get_ingest_job(job)


def test_second_upload_is_told(client: Any) -> None:
    job = client.create_ingest_job("insert", "Contact")
    client.upload(job, RECORDS)
    client.upload(job, RECORDS)
    with pytest.raises(bf.InvalidRequest, match="Found multipe contents"):
        client.complete_upload(job)


def test_query_is_read_part_by_part_and_page_by_page(org: Emulator, client: Any) -> None:
    org.insert("Contact", [{"LastName": f"n{number}"} for number in range(7)])
    job = client.create_query_job("SELECT LastName FROM Contact ORDER BY LastName", column_delimiter="SEMICOLON")
    ended = client.wait_for_query_job(job, pace=QUICK).raise_for_state()
    assert ended.number_records_processed == 7
    names, counts, locator = [], [], None
    while True:
        stream = client.get_query_results(job.id, locator, 3)
        counts.append(stream.number_of_records)
        locator = stream.locator
        names += [row["LastName"] for row in rows(client, stream)]
        if locator is None:
            break
    assert (names, counts) == ([f"n{number}" for number in range(7)], [3, 3, 1])
    pages = client.get_query_result_pages(job)
    (link,) = pages.links
    assert pages.locator is None
    assert len(rows(client, client.get_query_results(job, link.locator))) == 7
    client.delete_query_job(job)
    with pytest.raises(bf.NotFound):
        client.get_query_results(job)


def test_results_are_read_with_the_version_of_the_job(org: Emulator, colour: str, client: Any, client_of: Any) -> None:
    older = client_of(org.base_url, bf.BearerToken(org.session_id), version="60.0")
    job = older.create_query_job("SELECT Id FROM Contact")
    older.wait_for_query_job(job, pace=QUICK)
    assert rows(client, client.get_query_results(job)) == []
    assert rows(client, client.get_query_results(job.id)) == []


def test_lists_are_fetched_page_by_page(org: Emulator, client: Any) -> None:
    made = {client.create_ingest_job("insert", "Contact").id for _ in range(3)}
    queries = {client.create_query_job("SELECT Id FROM Contact").id for _ in range(2)}
    before = len(org.requests)
    listed = client.list_ingest_jobs(job_type="V2Ingest")
    assert len(org.requests) == before
    assert made <= {job.id for job in listed}
    assert queries <= {job.id for job in client.list_query_jobs(job_type="V2Query")}
    assert queries.isdisjoint(job.id for job in client.list_ingest_jobs(job_type="V2Ingest"))
    with pytest.raises(bf.UsageError):
        client.list_query_jobs(concurrency_mode="serial")


@pytest.mark.parametrize("kind", ["ingest", "query"])
def test_list_that_is_shown_is_a_table_of_its_first_page_and_loses_no_job(
    kind: str, colour: str, client_of: Any
) -> None:
    with Emulator(settings=Settings(limits=Limits(listed_jobs=2))) as org:
        client = client_of(org.base_url, bf.BearerToken(org.session_id))
        make, fetch = (
            (partial(client.create_ingest_job, "insert", "Contact"), client.list_ingest_jobs)
            if kind == "ingest"
            else (partial(client.create_query_job, "SELECT Id FROM Contact"), client.list_query_jobs)
        )
        made = {make().id for _ in range(5)}
        before = len(org.requests)
        listed = fetch()
        assert "not fetched yet" in repr(listed)
        assert len(org.requests) == before
        text, html = str(listed), listed._repr_html_()
        assert len(org.requests) == before + 1
        shown = [line.split() for line in text.splitlines()]
        assert text.splitlines()[0] == "The first 2 jobs of the org; iterate for all"
        assert shown[1] == ["id", "state", "operation", "object", "type", "created"]
        assert {line[0] for line in shown[2:]} < made
        assert all(line[0] in html for line in shown[2:])
        assert sorted(job.id for job in listed) == sorted(made)
        assert (str(listed), list(listed)) == (text, [])
        assert str(fetch(job_type="BigObjectIngest")) == "0 jobs"


def test_session_that_expired_is_renewed_and_the_data_sent_again(org: Emulator, client: Any) -> None:
    job = client.create_ingest_job("insert", "Contact")
    org.expire_sessions()
    client.upload(job, RECORDS)
    org.expire_sessions()
    client.complete_upload(job)
    assert client.wait_for_ingest_job(job, pace=QUICK).number_records_processed == 2
    org.expire_sessions()
    assert len(rows(client, client.get_successful_results(job))) == 2


def test_records_that_failed_but_are_not_told_are_not_none(org: Emulator, client: Any) -> None:
    """A fault of the org's that was seen: 204 for a file that has rows."""
    job = loaded(client, "LastName,FirstName\n,Bo\n")
    org.faults.add(Fault("status", method="GET", path="*/failedResults", status=204, times=1))
    with pytest.raises(bf.ProtocolError, match="has 1 of these records"):
        client.get_failed_results(job)
    assert len(rows(client, client.get_failed_results(job))) == 1
