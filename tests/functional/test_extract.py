"""Extracts of an emulated org: every row once, in one file, and what is in the way told clearly."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyarrow import feather
from tests.support.extraction import QUERY, TEXTS, bring, client_of, fetched, read, seeded, stored
from tests.support.rehearsal import settle

from bulkforce import PKChunking, errors
from bulkforce.errors import UsageError
from bulkforce.extract import asking
from bulkforce.extract import verb as extract
from bulkforce.extract.report import ExtractProgress, ExtractReport
from bulkforce.run.sitting import Sitting
from bulkforce_emulator import Emulator

ROWS = 40
TOO_LARGE = [
    "InvalidBatch : Failed to process query: QUERY_TIMEOUT: too long",
    "Retried more than thirty times",
    "InvalidBatch : Failed to write query result",
]


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    with seeded(ROWS) as org:
        yield org


@pytest.fixture
def org(running: Emulator) -> Iterator[Emulator]:
    yield running
    settle(running)
    assert {job.state for job in running.state.jobs.all()} <= {"closed", "aborted"}


@pytest.mark.parametrize("pk_chunking", [False, True, 7, PKChunking(size=40), "auto"], ids=str)
def test_extract_brings_every_record_byte_for_byte(org: Emulator, tmp_path: Path, pk_chunking: object) -> None:
    report = bring(org, tmp_path, pk_chunking=pk_chunking)
    assert read(tmp_path / "out.csv") == stored(org)
    assert (report.rows, report.state, report.object) == (ROWS, "finished", "Row__c")
    assert (tmp_path / "out.csv").read_bytes().count(b'"Id"') == 1
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "extract.sqlite",
        "report.html",
        "report.json",
    ]
    assert ExtractReport.from_json((tmp_path / "run" / "report.json").read_text("utf-8")) == report


def test_extract_keeps_each_text_of_the_worst_kind(org: Emulator, tmp_path: Path) -> None:
    bring(org, tmp_path)
    assert [row[2] for row in read(tmp_path / "out.csv")][: len(TEXTS)] == TEXTS


def test_chunks_are_asked_for_side_by_side_and_delivered_in_order(org: Emulator, tmp_path: Path) -> None:
    whole, split = tmp_path / "whole", tmp_path / "split"
    whole.mkdir()
    split.mkdir()
    bring(org, whole)
    report = bring(org, split, pk_chunking=4)
    assert report.batches == report.parts == ROWS // 4
    assert (split / "out.csv").read_bytes() == (whole / "out.csv").read_bytes()


def test_chunks_without_records_are_normal(org: Emulator, tmp_path: Path) -> None:
    report = bring(org, tmp_path, soql=f"{QUERY} WHERE Code__c = 'row 21'", pk_chunking=10)
    assert (report.rows, report.batches) == (1, 4)
    assert [row[1] for row in read(tmp_path / "out.csv")] == ["row 21"]


def test_chunks_begin_at_a_record(org: Emulator, tmp_path: Path) -> None:
    start = stored(org)[25][0]
    bring(org, tmp_path, pk_chunking=PKChunking(size=10, start_row=start))
    assert read(tmp_path / "out.csv") == stored(org)[25:]


def test_share_table_is_split_by_the_ids_of_its_parent(tmp_path: Path) -> None:
    with Emulator() as org:
        (user,) = (record["Id"] for record in org.records("User"))
        accounts = org.insert("Account", [{"Name": f"account {number}"} for number in range(30)])
        org.insert(
            "AccountShare", [{"AccountId": account, "UserOrGroupId": user} for account in accounts for _ in range(2)]
        )
        soql = "SELECT Id, AccountId, RowCause FROM AccountShare"
        report = bring(org, tmp_path, soql=soql, pk_chunking=PKChunking(size=10, parent="Account"))
        assert read(tmp_path / "out.csv") == stored(org, "Id", "AccountId", "RowCause", sobject="AccountShare")
        assert (report.rows, report.batches) == (60, 3)
        with pytest.raises(errors.UsageError, match="only for a share or history table"):
            bring(
                org,
                tmp_path,
                soql="SELECT Id FROM Account",
                pk_chunking=PKChunking(parent="Account"),
                run_dir=tmp_path / "again",
            )


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_longest_values_arrive_whole_in_each_format(tmp_path: Path, coding: str) -> None:
    texts = ["x" * 131_072, "\U0001f600" * 65_536, '"\n' * 65_536, "a\r\nb\rc\0" * 16_384, *TEXTS]
    with Emulator({"Row__c": {"fields": {"Text__c": "textarea(131072)"}}}) as org, client_of(org) as client:
        client.driver.headers["Accept-Encoding"] = coding
        org.insert("Row__c", [{"Text__c": text} for text in texts])
        kept = [(record["Id"], record["Text__c"] or "") for record in org.records("Row__c")]
        assert [text for _, text in kept] == texts
        for number, name in enumerate(("csv", "jsonl", "parquet", "arrow")):
            bring(
                org,
                tmp_path,
                client=client,
                soql="SELECT Id, Text__c FROM Row__c",
                to=tmp_path / f"out.{name}",
                run_dir=tmp_path / str(number),
            )
        found = [tuple(record.values()) for record in client.query("SELECT Id, Text__c FROM Row__c").rows()]
    assert [(record, text or "") for record, text in found] == kept
    csv.field_size_limit(200_000)
    assert read(tmp_path / "out.csv") == kept
    lines = (tmp_path / "out.jsonl").read_text("utf-8").split("\n")[:-1]
    assert [(record["Id"], record["Text__c"] or "") for record in map(json.loads, lines)] == kept
    for table in (pq.read_table(tmp_path / "out.parquet"), feather.read_table(tmp_path / "out.arrow")):
        assert [(record["Id"], record["Text__c"] or "") for record in table.to_pylist()] == kept


@pytest.mark.parametrize("pk_chunking", [False, 10])
def test_extract_that_finds_nothing_has_a_header(org: Emulator, tmp_path: Path, pk_chunking: int) -> None:
    report = bring(org, tmp_path, soql=f"{QUERY} WHERE Code__c = 'nowhere'", pk_chunking=pk_chunking)
    assert report.rows == 0
    assert (tmp_path / "out.csv").read_bytes() == b'"Id","Code__c","Text__c"\n'


def test_all_fields_of_an_object_are_extracted(org: Emulator, tmp_path: Path) -> None:
    report = bring(org, tmp_path, object="Row__c")
    header = (tmp_path / "out.csv").read_text("utf-8").partition("\n")[0]
    assert {"Id", "Code__c", "Text__c", "Key__c", "SystemModstamp"} <= set(header.replace('"', "").split(","))
    assert report.rows == ROWS


@pytest.mark.parametrize("name", ["Account", "Contact", "Attachment", "ContentVersion", "Lead", "User"])
def test_fields_that_bulk_cannot_return_are_left_out(org: Emulator, tmp_path: Path, name: str) -> None:
    bring(org, tmp_path, object=name)
    header = (tmp_path / "out.csv").read_text("utf-8").partition("\n")[0].replace('"', "").split(",")
    assert not {"BillingAddress", "MailingAddress", "Body", "VersionData", "Address"} & set(header)
    assert len(header) > 10


def test_extract_to_gzip_holds_the_same_bytes(org: Emulator, tmp_path: Path) -> None:
    bring(org, tmp_path)
    bring(org, tmp_path, to=tmp_path / "out.csv.gz", run_dir=tmp_path / "again")
    assert gzip.decompress((tmp_path / "out.csv.gz").read_bytes()) == (tmp_path / "out.csv").read_bytes()


def test_extract_to_standard_output_is_data_alone(
    org: Emulator, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    bring(org, tmp_path)
    bring(org, tmp_path, to="-", run_dir=tmp_path / "again")
    captured = capfdbinary.readouterr()
    assert captured.out == (tmp_path / "out.csv").read_bytes()
    assert captured.err == b""


def test_extract_without_gzip_on_the_wire_brings_the_same(org: Emulator, tmp_path: Path) -> None:
    with client_of(org) as client:
        client.driver.headers["Accept-Encoding"] = "identity"
        bring(org, tmp_path, client=client)
    assert read(tmp_path / "out.csv") == stored(org)


def test_progress_ends_with_every_row(org: Emulator, tmp_path: Path) -> None:
    told: list[ExtractProgress] = []
    bring(org, tmp_path, on_progress=told.append, pk_chunking=10)
    assert (told[-1].rows, told[-1].total, told[-1].batches["done"]) == (ROWS, ROWS, 4)


def test_a_failed_chunk_is_asked_again_alone(org: Emulator, tmp_path: Path) -> None:
    from bulkforce_emulator.mishaps import Mishap

    org.mishaps.plan(Mishap(message="InternalServerError : try later"), nth=3)
    before = len(org.state.jobs.all())
    report = bring(org, tmp_path, pk_chunking=10)
    assert read(tmp_path / "out.csv") == stored(org)
    assert report.batches == 4
    first, again = org.state.jobs.all()[before:]
    assert (len(first.batches), len(again.batches)) == (5, 1)


def test_a_chunk_that_always_fails_stops_the_extract(org: Emulator, tmp_path: Path) -> None:
    from bulkforce_emulator.mishaps import Mishap

    org.mishaps.plan(Mishap(message="InternalServerError : never"), nth=2, times=50)
    with pytest.raises(
        errors.BatchFailed, match=r"3 times to answer the same chunk.*InternalServerError : never"
    ) as caught:
        bring(org, tmp_path, pk_chunking=10)
    assert caught.value.job_id
    assert caught.value.batch_id
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("message", TOO_LARGE)
def test_a_query_too_large_for_one_batch_is_chunked(org: Emulator, tmp_path: Path, message: str) -> None:
    from bulkforce_emulator.mishaps import Mishap

    org.mishaps.plan(Mishap(message=message))
    report = bring(org, tmp_path, pk_chunking="auto")
    assert read(tmp_path / "out.csv") == stored(org)
    assert len(report.jobs) == 2
    assert org.state.jobs.get(report.jobs[1]).chunking is not None


def test_file_that_exists_is_replaced_once_all_records_are_there(org: Emulator, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("old")
    with pytest.raises(errors.BatchFailed):
        bring(org, tmp_path, soql="SELECT Nope__c FROM Row__c", run_dir=tmp_path / "refused")
    assert (tmp_path / "out.csv").read_text() == "old"
    assert bring(org, tmp_path).rows == ROWS
    assert len(read(tmp_path / "out.csv")) == ROWS


def test_large_objects_are_chunked_without_being_told(
    org: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "AUTO_RECORDS", ROWS)
    report = bring(org, tmp_path, pk_chunking="auto")
    chunking = org.state.jobs.get(report.jobs[0]).chunking
    assert chunking is not None
    assert chunking.chunk_size == 250_000
    report = bring(org, tmp_path, pk_chunking="auto", soql=f"{QUERY} LIMIT 5", run_dir=tmp_path / "limited")
    assert org.state.jobs.get(report.jobs[0]).chunking is None
    assert report.rows == 5


@pytest.mark.parametrize(
    ("soql", "kind", "says"),
    [
        ("SELECT Id, Bad FROM Row__c", errors.BatchFailed, "No such column 'Bad' on entity 'Row__c'"),
        ("SELECT Id, BillingAddress FROM Account", errors.BatchFailed, "compound data not supported.*select its parts"),
        ("SELECT Id, Body FROM Attachment", errors.BatchFailed, "Binary field not supported"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", errors.UsageError, "query the child object by itself"),
        ("SELECT Id FROM Nowhere__c", errors.NotFound, "find object: Nowhere__c .*`bulkforce objects`"),
        ("SELECT Id FROM Organization", errors.InvalidRequest, "not supported by the Bulk Query API"),
        ("SELECT Id FROM", errors.UsageError, "names no object"),
        ("hello", errors.UsageError, "begin with SELECT"),
        ("", errors.UsageError, "begin with SELECT"),
    ],
)
def test_query_that_cannot_be_answered_says_why_and_leaves_nothing(
    org: Emulator, tmp_path: Path, soql: str, kind: type[errors.Error], says: str
) -> None:
    with pytest.raises(kind, match=says):
        bring(org, tmp_path, soql=soql)
    assert list(tmp_path.iterdir()) == []


def test_soql_error_shows_the_line_and_a_caret(org: Emulator, tmp_path: Path) -> None:
    with pytest.raises(errors.BatchFailed) as caught:
        bring(org, tmp_path, soql="SELECT Id,\n       Bad\nFROM Row__c")
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("The org refuses the query: INVALID_FIELD: No such column 'Bad'")
    assert lines[0].endswith("(line 2, column 8)")
    assert lines[1] == "         Bad"
    assert lines[2].startswith("         ^ [job 750")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"to": "nowhere/out.csv"}, "There is no folder nowhere"),
        ({"to": "out.xlsx"}, "does not show the format"),
        ({"format": "xlsx"}, "There is no format 'xlsx'; choose from: csv"),
        ({"workers": 0}, "workers must be 1 or more, not 0"),
        ({"pk_chunking": 300_000}, "1 to 250,000"),
        ({"soql": f"{QUERY} LIMIT 5", "pk_chunking": 100}, "LIMIT"),
        ({"pk_chunking": PKChunking(parent="Account")}, "only for a share or history table"),
        ({"soql": None}, "either a query, or the name of an object"),
    ],
)
def test_wrong_call_is_refused_before_anything_is_sent(
    org: Emulator, tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    before = len(org.requests)
    with pytest.raises(errors.UsageError, match=says):
        bring(org, tmp_path, **options)
    assert len(org.requests) == before
    assert list(tmp_path.iterdir()) == []


def test_a_run_folder_is_not_used_twice(org: Emulator, tmp_path: Path) -> None:
    bring(org, tmp_path)
    with pytest.raises(errors.UsageError, match="already holds a run; resume it with `bulkforce resume"):
        bring(org, tmp_path)


def test_a_run_folder_of_a_load_is_not_used_and_the_reverse(org: Emulator, tmp_path: Path) -> None:
    bring(org, tmp_path)
    with client_of(org) as client:
        with pytest.raises(errors.UsageError, match="already holds a run"):
            client.load([{"Code__c": "x"}], "Row__c", "insert", run_dir=tmp_path / "run")
        client.load([{"Code__c": "", "Text__c": "refused"}], "Row__c", "insert", run_dir=tmp_path / "load")
        with pytest.raises(errors.UsageError, match="already holds a run"):
            client.extract(QUERY, to=tmp_path / "other.csv", run_dir=tmp_path / "load")
    assert not (tmp_path / "other.csv").exists()


def test_deleted_rows_come_with_all_rows(tmp_path: Path) -> None:
    with seeded(5) as org, client_of(org) as client:
        gone = stored(org)[1][0]
        job = client.create_job("delete", "Row__c", "CSV")
        client.wait_for_batch(job, client.add_batch(job, f"Id\n{gone}\n").id)
        bring(org, tmp_path, soql="SELECT Id, IsDeleted FROM Row__c", all_rows=True)
        bring(
            org, tmp_path, soql="SELECT Id, IsDeleted FROM Row__c", to=tmp_path / "live.csv", run_dir=tmp_path / "live"
        )
        assert [row[0] for row in read(tmp_path / "out.csv") if row[1] == "true"] == [gone]
        assert len(read(tmp_path / "live.csv")) == 4


def test_extracts_are_listed(org: Emulator, tmp_path: Path) -> None:
    bring(org, tmp_path)
    (listed,) = extract.runs(tmp_path)
    assert (listed.run, listed.state, listed.what) == ("run", "finished", f"extract Row__c to {tmp_path / 'out.csv'}")


def test_resuming_a_finished_extract_gives_its_report(org: Emulator, tmp_path: Path) -> None:
    report = bring(org, tmp_path)
    before = len(fetched(org))
    with client_of(org) as client:
        assert extract.resume_extract(Sitting.of(client.driver), tmp_path / "run") == report
        assert client.resume(tmp_path / "run") == report
    assert len(fetched(org)) == before


def test_word_on_rows_in_doubt_is_refused_for_an_extract(org: Emulator, tmp_path: Path) -> None:
    bring(org, tmp_path)
    with client_of(org) as client, pytest.raises(UsageError, match="An extract changes nothing in the org"):
        client.resume(tmp_path / "run", accept_as="sent")
