"""Ingest jobs of Bulk API 2.0 on the wire: their shapes, stages and result files."""

from __future__ import annotations

import gzip
import json
import re
import socket
from collections.abc import Iterator
from http.client import HTTPException
from urllib.parse import urlsplit

import pytest
from tests.emulator.wire2 import FILES, SHORT_A, SHORT_B, Wire2, error, rows

from bulkforce_emulator import Emulator, Fault, Limits, Mishap, Pace, Settings

LONG = [*SHORT_B, "jobType"]
COUNTERS = ["numberRecordsProcessed", "numberRecordsFailed"]
TIMES = ["retries", "totalProcessingTime", "apiActiveProcessingTime", "apexProcessingTime", "isPkChunkingSupported"]
DELIMITERS = {"BACKQUOTE": "`", "CARET": "^", "COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "TAB": "\t"}
SCHEMA = {"Account": {"fields": {"Key__c": "string(20) unique external_id", "Amount__c": "double", "Day__c": "date"}}}


@pytest.fixture
def wire() -> Iterator[Wire2]:
    with Emulator(schema=SCHEMA) as org:
        yield Wire2(org)


def held(**more: object) -> Emulator:
    return Emulator(schema=SCHEMA, pace=Pace.manual(), **more)  # type: ignore[arg-type]


def test_one_job_in_its_three_shapes() -> None:
    with held() as org:
        wire = Wire2(org)
        made = wire.ask("POST", "ingest", {"operation": "insert", "object": "aCCount"})
        assert (made.status, made.type) == (200, "application/json;charset=UTF-8")
        assert list(made.json) == SHORT_A
        job = made.json["id"]
        assert made.json["object"] == "Account"
        assert made.json["contentUrl"] == f"services/data/v66.0/jobs/ingest/{job}/batches"
        assert '"apiVersion":66.0,' in made.text
        assert "\n" not in made.text
        assert made.json["createdDate"].endswith(".000+0000")
        assert list(wire.job(job)) == [*LONG, *SHORT_A[10:], *TIMES]
        put = wire.put(job, "Name\nAcme\n")
        assert (put.status, put.body) == (201, b"")
        assert "content-type" not in put.headers
        seen = wire.job(job)
        assert list(seen) == [*LONG, *SHORT_A[10:], *COUNTERS, *TIMES]
        assert (seen["state"], seen["numberRecordsProcessed"], seen["jobType"]) == ("Open", 0, "V2Ingest")
        patched = wire.change(job, "UploadComplete")
        assert (patched.status, list(patched.json), patched.json["state"]) == (200, SHORT_B, "UploadComplete")
        stages = [wire.job(job)]
        for _ in range(2):
            org.advance()
            stages.append(wire.job(job))
        assert [seen["state"] for seen in stages] == ["UploadComplete", "InProgress", "JobComplete"]
        assert {tuple(seen) for seen in stages} == {(*LONG, *SHORT_A[11:], *COUNTERS, *TIMES)}
        assert stages[-1]["numberRecordsProcessed"] == 1


@pytest.mark.parametrize(("version", "shown"), [("41.0", False), ("60.0", False), ("61.0", True)])
def test_pk_chunking_is_told_from_61_on(wire: Wire2, version: str, shown: bool) -> None:
    wire.version = version
    job = wire.job(wire.create())
    assert ("isPkChunkingSupported" in job) is shown
    assert job["apiVersion"] == float(version)


def test_upsert_names_its_key_as_sent(wire: Wire2) -> None:
    made = wire.ask(
        "POST", "ingest", {"operation": "upsert", "object": "Account", "externalIdFieldName": "key__C"}
    ).json
    assert list(made)[6:9] == ["state", "externalIdFieldName", "concurrencyMode"]
    assert made["externalIdFieldName"] == "key__C"


def test_assignment_rule_is_told(wire: Wire2) -> None:
    job = wire.create("insert", "Lead", assignmentRuleId="01Q000000000001AAA")
    assert wire.job(job)["assignmentRuleId"] == "01Q000000000001AAA"


WRONG = "INVALID_FIELD:Failed to deserialize field at col {}. Due to, '{}' is not a valid value for the type xsd:{} --"


def test_rows_are_written_and_each_is_told(wire: Wire2) -> None:
    job = wire.load('"Name",amount__c,Day__c\n"A ""b""",912260031,\nB,1.5,2024-01-02\n,2,\nD,x,\n"E, e",0.0001,no\n')
    good, bad, untried = wire.files(job)
    assert good.splitlines()[0] == '"sf__Id","sf__Created","Name",amount__c,Day__c'
    assert [row[1:] for row in rows(good)[1:]] == [
        ["true", 'A "b"', "9.12260031E8", ""],
        ["true", "B", "1.5", "2024-01-02"],
    ]
    assert '"true","A ""b""","9.12260031E8",""\n' in good
    assert bad.splitlines()[0] == '"sf__Id","sf__Error","Name",amount__c,Day__c'
    assert [row[:3] for row in rows(bad)[1:]] == [
        ["", "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --", ""],
        [
            "",
            WRONG.format(1, "x", "double:Amount__c"),
            "D",
        ],
        [
            "",
            WRONG.format(2, "no", "date:Day__c"),
            "E, e",
        ],
    ]
    assert untried == '"Name",amount__c,Day__c\n'
    seen = wire.job(job)
    assert (seen["state"], seen["numberRecordsProcessed"], seen["numberRecordsFailed"]) == ("JobComplete", 5, 3)
    ids = [row[0] for row in rows(good)[1:]]
    assert sorted(record["Id"] for record in wire.org.records("Account")) == sorted(ids)


def test_ragged_rows_fail_alone_and_nothing_of_them_is_echoed(wire: Wire2) -> None:
    job = wire.load("Name,Site\nA,x\nB\nC,x,y\n")
    assert wire.job(job)["state"] == "JobComplete"
    _, bad, _ = wire.files(job)
    words = "INVALID_FIELD:Number of fields in header is different from the row. header = 2 row = {}:--"
    assert rows(bad)[1:] == [["", words.format(1), "", ""], ["", words.format(3), "", ""]]
    assert len(wire.org.records("Account")) == 1


@pytest.mark.parametrize("line_ending", ["LF", "CRLF"])
@pytest.mark.parametrize("name", DELIMITERS)
def test_every_delimiter_and_line_end(wire: Wire2, name: str, line_ending: str) -> None:
    between, end = DELIMITERS[name], {"LF": "\n", "CRLF": "\r\n"}[line_ending]
    file = end.join([f"Name{between}Site", f'"a{between}b"{between}x', f'"c ""d"""{between}"e{end}f"', ""])
    job = wire.load(file, columnDelimiter=name, lineEnding=line_ending)
    seen = wire.job(job)
    assert (seen["state"], seen["columnDelimiter"], seen["lineEnding"]) == ("JobComplete", name, line_ending)
    good, _, untried = wire.files(job)
    assert good.startswith(f'"sf__Id"{between}"sf__Created"{between}Name{between}Site{end}')
    assert untried == f"Name{between}Site{end}"
    told = rows(good.replace("\r\n", "\n"), between)
    assert [row[2:] for row in told[1:]] == [[f"a{between}b", "x"], ['c "d"', "e\nf"]]
    found = sorted((record["Name"], record["Site"]) for record in wire.org.records("Account"))
    assert found == [(f"a{between}b", "x"), ('c "d"', f"e{end}f")]


LINE_ENDS = "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is "
FAULTS = {
    "CRLF in an LF job": ("LF", "Name,Site\r\nA,x\r\n", LINE_ENDS + "LF"),
    "LF in a CRLF job": ("CRLF", "Name,Site\nA,x\n", LINE_ENDS + "CRLF"),
    "one LF in a CRLF job": ("CRLF", "Name,Site\r\nA,x\nB,x\r\n", LINE_ENDS + "CRLF"),
    "one CRLF in an LF job": ("LF", "Name,Site\nA,x\r\nB,x\n", LINE_ENDS + "LF"),
    "CR alone": ("LF", "Name,Site\rA,x\r", LINE_ENDS + "LF"),
    "a column that is no field": ("LF", "Name,Nmae\nA,x\n", "InvalidBatch : Field name not found : Nmae"),
    "another delimiter": ("LF", "Name;Site\nA;x\n", "InvalidBatch : Field name not found : Name;Site"),
    "a quote within a value": (
        "LF",
        'Name,Site\nA "b",x\n',
        "InvalidBatch : Failed to parse CSV. Found unescaped quote. A value with quote should be within a quote",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_file_fails_the_job_and_writes_nothing(wire: Wire2, fault: str) -> None:
    line_ending, file, message = FAULTS[fault]
    job = wire.load(file, lineEnding=line_ending)
    seen = wire.job(job)
    assert (seen["state"], seen["errorMessage"]) == ("Failed", message)
    assert list(seen)[-1] == "errorMessage"
    assert (seen["numberRecordsProcessed"], seen["numberRecordsFailed"]) == (0, 0)
    assert wire.org.records("Account") == []
    good, bad, untried = wire.files(job)
    assert len(good.splitlines()) == len(bad.splitlines()) == 1
    assert "A" in untried.partition("\n")[2] or fault == "CR alone"


def test_line_ends_in_quotes_are_the_values_own(wire: Wire2) -> None:
    assert wire.job(wire.load('Name,Site\nA,"x\r\ny"\n'))["state"] == "JobComplete"
    with Emulator(settings=Settings(line_ends_checked="everywhere")) as org:
        strict = Wire2(org)
        assert strict.job(strict.load('Name,Site\nA,"x\r\ny"\n'))["state"] == "Failed"


@pytest.mark.parametrize("body", ["", "\n", "Name,Site", "Name,Site\n"])
def test_no_rows_make_a_complete_job_with_empty_files(wire: Wire2, body: str) -> None:
    job = wire.load(body)
    seen = wire.job(job)
    assert (seen["state"], seen["numberRecordsProcessed"]) == ("JobComplete", 0)
    assert all(len(text.splitlines()) <= 1 for text in wire.files(job))


def test_header_without_rows_can_fail() -> None:
    with Emulator(settings=Settings(header_only="fail")) as org:
        wire = Wire2(org)
        seen = wire.job(wire.load("Name\n"))
        assert (seen["state"], seen["errorMessage"]) == ("Failed", "InvalidBatch : Records not found")


def test_operations_and_what_they_say_is_created(wire: Wire2) -> None:
    first = rows(wire.files(wire.load("Name,Key__c\nA,1\nB,2\n"))[0])
    ids = [row[0] for row in first[1:]]
    upsert = wire.load("Name,Key__c\nAA,1\nC,3\n", "upsert", externalIdFieldName="Key__c")
    assert {tuple(row[1:3]) for row in rows(wire.files(upsert)[0])[1:]} == {("false", "AA"), ("true", "C")}
    update = wire.load(f"Id,Name\n{ids[1]},BB\n001000000000000AAA,x\nbad,x\n", "update")
    good, bad, _ = wire.files(update)
    assert rows(good)[1:] == [[ids[1], "false", ids[1], "BB"]]
    assert [row[1].partition(":")[0] for row in rows(bad)[1:]] == ["INVALID_CROSS_REFERENCE_KEY", "MALFORMED_ID"]
    assert rows(bad)[2][1].startswith("MALFORMED_ID:malformed id bad")
    deleted = wire.load(f"Id\n{ids[0]}\n", "delete")
    assert rows(wire.files(deleted)[0])[1:] == [[ids[0], "false", ids[0]]]
    gone = wire.load(f"Id\n{ids[1]}\n", "hardDelete")
    assert rows(wire.files(gone)[0])[1:] == [[ids[1], "false", ids[1]]]
    assert [record["Name"] for record in wire.org.records("Account")] == ["C"]


def test_upsert_by_id_without_ids_inserts(wire: Wire2) -> None:
    job = wire.load("Name\nA\n", "upsert", externalIdFieldName="Id")
    assert rows(wire.files(job)[0])[1][1:] == ["true", "A"]


@pytest.mark.parametrize(("within", "refused"), [("transaction", [1, 1, 0]), ("batch", [1, 1, 1])])
def test_a_key_that_comes_twice(within: str, refused: list[int]) -> None:
    with Emulator(schema=SCHEMA, settings=Settings(duplicate_keys_within=within)) as org:  # type: ignore[arg-type]
        wire = Wire2(org)
        found = []
        for gap in (1, 199, 200):
            between = "".join(f"N,{gap}-{number}\n" for number in range(gap - 1))
            job = wire.load(f"Name,Key__c\nA,k{gap}\n{between}B,K{gap}\n", "upsert", externalIdFieldName="Key__c")
            found.append(wire.job(job)["numberRecordsFailed"])
            if not found[-1]:
                names = [record["Name"] for record in org.records("Account") if record["Key__c"].lower() == f"k{gap}"]
                assert names == ["B"]
        assert found == refused


def test_delete_with_further_columns_fails(wire: Wire2) -> None:
    seen = wire.job(wire.load("Id,Name\n001000000000000AAA,x\n", "delete"))
    assert seen["errorMessage"] == "InvalidBatch : The 'delete' batch must contain only ids"


def test_null_and_empty_on_update(wire: Wire2) -> None:
    (record,) = wire.org.insert("Account", [{"Name": "A", "Site": "x", "Phone": "1"}])
    job = wire.load(f"Id,Site,Phone\n{record},#N/A,\n", "update")
    assert rows(wire.files(job)[0])[1][2:] == [record, "", ""]
    (kept,) = wire.org.records("Account")
    assert (kept["Site"], kept["Phone"]) == (None, "1")


def test_values_can_come_back_as_sent() -> None:
    with Emulator(schema=SCHEMA, settings=Settings(number_echo="as sent", null_echo="as sent")) as org:
        wire = Wire2(org)
        job = wire.load("Name,Amount__c,Site\nA,1000000000,#N/A\n")
        assert rows(wire.files(job)[0])[1][2:] == ["A", "1000000000", "#N/A"]


def test_a_file_is_cut_into_batches_of_10_000_rows(wire: Wire2) -> None:
    file = "Name,Site\n" + "".join(f'{number},"a\nb"\n\n' for number in range(25_001))
    job = wire.load(file)
    seen = wire.job(job)
    assert (seen["state"], seen["numberRecordsProcessed"]) == ("JobComplete", 25_001)
    assert max(row.row for row in wire.org.state.ledger.rows()) == 9_999
    counts = wire.org.state.ledger.counts()
    assert sorted(counts.values()) == [5_001, 10_000, 10_000]
    assert {row.job_id for row in wire.org.state.ledger.rows()} == {job}
    assert len({row[2] for row in rows(wire.files(job)[0])[1:]}) == 25_001
    assert wire.org.state.batches_used() == 3


def test_rows_beyond_the_days_batches_are_in_no_file() -> None:
    with Emulator(settings=Settings(limits=Limits(daily_batches=1, batch_records=2))) as org:
        wire = Wire2(org)
        job = wire.load("Name\nA\nB\nC\n")
        seen = wire.job(job)
        assert (seen["state"], seen["errorMessage"]) == ("Failed", "ExceededQuota : ApiBatchItems Limit exceeded")
        assert [len(rows(text)) for text in wire.files(job)] == [3, 1, 1]


def test_rows_beyond_the_days_records_are_in_no_file() -> None:
    with Emulator(settings=Settings(limits=Limits(daily_records=5, batch_records=2))) as org:
        wire = Wire2(org)
        assert wire.job(wire.load("Name\nA\n"))["state"] == "JobComplete"
        job = wire.load("Name\nB\nC\nD\nE\nF\n")
        seen = wire.job(job)
        assert (seen["state"], seen["errorMessage"]) == ("Failed", "ExceededQuota : Records Limit exceeded")
        assert [len(rows(text)) for text in wire.files(job)] == [5, 1, 1]
        wire.later(hours=25)
        assert wire.job(wire.load("Name\nE\nF\n"))["state"] == "JobComplete"


def test_a_failing_batch_fails_the_job_and_leaves_the_rest_untried() -> None:
    with Emulator(settings=Settings(limits=Limits(batch_records=2)), pace=Pace.instant()) as org:
        wire = Wire2(org)
        org.mishaps.plan(Mishap(message="TooManyLockFailure : too many locks", after_rows=1), nth=2)
        job = wire.load("Name\nA\nB\nC\nD\nE\n")
        seen = wire.job(job)
        assert (seen["state"], seen["errorMessage"]) == ("Failed", "TooManyLockFailure : too many locks")
        assert seen["numberRecordsProcessed"] == 3
        good, bad, untried = (rows(text) for text in wire.files(job))
        assert [row[2] for row in good[1:]] == ["A", "B", "C"]
        assert bad[1:] == []
        assert untried == [["Name"], ["D"], ["E"]]


def test_mishaps_strike_rows_and_put_batches_back() -> None:
    with Emulator(settings=Settings(limits=Limits(ingest_retries=2)), pace=Pace.instant()) as org:
        wire = Wire2(org)
        org.mishaps.plan(Mishap(rows=[1], put_back=2))
        job = wire.load("Name\nA\nB\n")
        seen = wire.job(job)
        assert (seen["state"], seen["retries"], seen["numberRecordsFailed"]) == ("JobComplete", 2, 1)
        assert rows(wire.files(job)[1])[1][1].startswith("UNABLE_TO_LOCK_ROW:")
        org.mishaps.plan(Mishap(put_back=3))
        seen = wire.job(wire.load("Name\nA\n"))
        assert (seen["state"], seen["errorMessage"]) == ("Failed", "TooManyLockFailure : Retried more than 2 times")


def test_two_uploads_spoil_a_job_when_it_is_completed(wire: Wire2) -> None:
    job = wire.create()
    assert [wire.put(job, "Name\nA\n").status for _ in range(2)] == [201, 201]
    status, code, message = error(wire.change(job, "UploadComplete"))
    assert (status, code) == (400, "INVALIDJOB")
    assert message == (
        f"Found multipe contents for job: <{job[:15]}>, please 'Close' / 'Abort' / 'Delete' the current Job then "
        "create a new Job and make sure you only do 'PUT' once on a given Job."
    )
    assert wire.change(job, "Aborted").json["state"] == "Aborted"
    assert wire.org.records("Account") == []


def test_a_second_upload_can_be_refused_at_once() -> None:
    with Emulator(settings=Settings(second_upload="at once")) as org:
        wire = Wire2(org)
        job = wire.create()
        wire.put(job, "Name\nA\n")
        assert error(wire.put(job, "Name\nB\n"))[:2] == (400, "INVALIDJOB")


def test_abort_while_open_keeps_the_rows_untried(wire: Wire2) -> None:
    job = wire.create()
    wire.put(job, "Name\nA\n")
    aborted = wire.change(job, "Aborted")
    assert (aborted.status, list(aborted.json), aborted.json["state"]) == (200, SHORT_B, "Aborted")
    assert rows(wire.files(job)[2]) == [["Name"], ["A"]]
    assert "contentUrl" not in wire.job(job)


def test_abort_while_running_finishes_what_runs_and_leaves_the_rest() -> None:
    with held(settings=Settings(limits=Limits(batch_records=1))) as org:
        wire = Wire2(org)
        job = wire.create()
        wire.put(job, "Name\nA\nB\nC\n")
        wire.change(job, "UploadComplete")
        org.advance()
        assert error(wire.ask("DELETE", f"ingest/{job}")) == (
            400,
            "API_ERROR",
            "Error encountered when deleting the job because the job is not terminated",
        )
        assert wire.change(job, "Aborted").json["state"] == "Aborted"
        org.advance()
        good, _, untried = (rows(text) for text in wire.files(job))
        assert [row[2] for row in good[1:]] == ["A"]
        assert untried[1:] == [["B"], ["C"]]
        assert wire.job(job)["state"] == "Aborted"


DONE = "Completed"
MOVES = [
    ("JobComplete", "Aborted", f"Aborting already {DONE} Job not allowed"),
    ("JobComplete", "UploadComplete", f"Closing already {DONE} Job not allowed"),
    ("Failed", "Aborted", "Aborting already Failed Job not allowed"),
    ("Aborted", "Aborted", "Aborting already Aborted Job not allowed"),
    ("Aborted", "UploadComplete", "Closing already Aborted Job not allowed"),
]


@pytest.mark.parametrize(("state", "wanted", "message"), MOVES)
def test_ended_jobs_cannot_be_moved(wire: Wire2, state: str, wanted: str, message: str) -> None:
    job = wire.load("Name\nA\n" if state != "Failed" else "No\nA\n") if state != "Aborted" else wire.create()
    if state == "Aborted":
        wire.change(job, "Aborted")
    assert wire.job(job)["state"] == state
    assert error(wire.change(job, wanted)) == (400, "INVALIDJOBSTATE", message)
    assert error(wire.put(job, "Name\nB\n"))[:2] == (400, "INVALIDJOBSTATE")


def test_completing_twice_runs_once() -> None:
    with held() as org:
        wire = Wire2(org)
        job = wire.create()
        wire.put(job, "Name\nA\n")
        assert wire.change(job, "UploadComplete").status == 200
        assert error(wire.change(job, "UploadComplete"))[:2] == (400, "INVALIDJOBSTATE")
        org.advance()
        org.advance()
        assert len(org.records("Account")) == 1


@pytest.mark.parametrize("name", FILES)
def test_results_before_the_end_are_refused_or_empty(name: str) -> None:
    for early, status in (("refuse", 400), ("no content", 204)):
        with held(settings=Settings(early_results=early)) as org:  # type: ignore[arg-type]
            wire = Wire2(org)
            assert wire.ask("GET", f"ingest/{wire.create()}/{name}").status == status


def test_failed_results_without_rows_can_be_204() -> None:
    with Emulator(settings=Settings(empty_failed_results="no content")) as org:
        wire = Wire2(org)
        answer = wire.ask("GET", f"ingest/{wire.load('Name' + chr(10) + 'A')}/failedResults")
        assert (answer.status, answer.body) == (204, b"")


def test_failed_rows_in_alphabetical_order_up_to_49(wire: Wire2) -> None:
    for version, header in (("49.0", '"sf__Id","sf__Error",Name,Site'), ("50.0", '"sf__Id","sf__Error",Site,Name')):
        wire.version = version
        job = wire.load("Site,Name\ns,\n")
        assert wire.files(job)[1].splitlines()[0] == header
        assert rows(wire.files(job)[1])[1][2:] == (["", "s"] if version == "49.0" else ["s", ""])


def test_delete_is_final(wire: Wire2) -> None:
    job = wire.load("Name\nA\n")
    assert (wire.ask("DELETE", f"ingest/{job}").status, wire.ask("DELETE", f"ingest/{job}").status) == (204, 404)
    assert error(wire.ask("GET", f"ingest/{job}")) == (404, "NOT_FOUND", "The requested resource does not exist")
    assert len(wire.org.records("Account")) == 1
    assert error(wire.ask("DELETE", f"ingest/{wire.create()}"))[:2] == (400, "API_ERROR")


def test_jobs_go_with_time(wire: Wire2) -> None:
    idle, done = wire.create(), wire.load("Name\nA\n")
    wire.later(hours=25)
    assert wire.ask("GET", f"ingest/{idle}").status == 404
    assert wire.put(idle, "Name\nA\n").status == 404
    assert wire.ask("GET", f"ingest/{done}/successfulResults").status == 200
    wire.later(days=7)
    assert wire.ask("GET", f"ingest/{done}").status == 404
    assert wire.ask("GET", "ingest").json["records"] == []


def test_paths_in_any_case_with_slashes_and_short_ids(wire: Wire2) -> None:
    job = wire.load("Name\nA\n")
    for path in ("unprocessedRecords", "UNPROCESSEDRECORDS/", "failedresults", "successfulResults/"):
        assert wire.ask("GET", f"ingest//{job[:15]}/{path}").status == 200, path
    assert wire.ask("POST", "ingest/", {"operation": "insert", "object": "Account"}).status == 200


BOUNDARY = {"Content-Type": "multipart/form-data; boundary=XX"}


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("blank", ["", "\n"])
def test_a_job_is_created_with_its_data(wire: Wire2, end: str, blank: str) -> None:
    lines = [
        "--XX", "Content-Type: application/json", 'Content-Disposition: form-data; name="job"', "",
        '{"object":"Account","contentType":"CSV","operation":"insert"}', "", "--XX", "Content-Type: text/csv",
        'Content-Disposition: form-data; name="content"; filename="content"', "", "Name,Site\nÄ,--XX y\n" + blank,
        "--XX--", "",
    ]  # fmt: skip
    answer = wire.ask("POST", "ingest", end.join(lines).encode(), BOUNDARY)
    assert answer.status == 200, answer.text
    assert list(answer.json) == [name for name in SHORT_A if name != "contentUrl"]
    assert answer.json["state"] == "UploadComplete"
    wire.org.wait_until_idle()
    seen = wire.job(answer.json["id"])
    assert (seen["state"], seen["numberRecordsProcessed"]) == ("JobComplete", 1)
    assert [record["Site"] for record in wire.org.records("Account")] == ["--XX y"]


@pytest.mark.parametrize(
    "body", ["", "nonsense", '--XX\r\nContent-Disposition: form-data; name="job"\r\n\r\n{}\r\n--XX--', "--XX\r\n\r\n"]
)
def test_broken_multipart_is_refused(wire: Wire2, body: str) -> None:
    assert error(wire.ask("POST", "ingest", body, BOUNDARY))[:2] == (400, "API_ERROR")


def test_bodies_may_be_packed_and_so_may_answers(wire: Wire2) -> None:
    packed = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    document = gzip.compress(json.dumps({"operation": "insert", "object": "Account"}).encode())
    job = wire.ask("POST", "ingest", document, packed).json["id"]
    assert wire.ask("PUT", f"ingest/{job}/batches", gzip.compress(b"Name\nA\n"), packed).status == 201
    assert wire.ask("PATCH", f"ingest/{job}", gzip.compress(b'{"state":"UploadComplete"}'), packed).status == 200
    wire.org.wait_until_idle()
    answer = wire.ask("GET", f"ingest/{job}/successfulResults", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert b'"A"' in gzip.decompress(answer.body)


def test_pretty_print(wire: Wire2) -> None:
    answer = wire.ask("GET", f"ingest/{wire.create()}", headers={"X-PrettyPrint": "1"})
    assert '\n  "state" : "Open",\n' in answer.text


def test_faults_strike_here_too(wire: Wire2) -> None:
    wire.org.faults.add(Fault("status", method="PUT", path="*/batches", status=503))
    job = wire.create()
    assert wire.put(job, "Name\nA\n").status == 503
    assert "numberRecordsProcessed" not in wire.job(job)
    wire.org.faults.add(Fault("status", method="PATCH", path=f"*/{job}", status=500, acted=True))
    wire.put(job, "Name\nA\n")
    assert wire.change(job, "UploadComplete").status == 500
    wire.org.wait_until_idle()
    assert wire.job(job)["state"] == "JobComplete"


def test_an_upload_that_is_cut_off_is_not_stored(wire: Wire2) -> None:
    job = wire.create()
    wire.org.faults.add(Fault("upload reset", method="PUT", after_bytes=1000))
    with pytest.raises((ConnectionError, HTTPException)):
        wire.put(job, "Name\n" + "x\n" * 4_000_000)
    assert "numberRecordsProcessed" not in wire.job(job)
    assert wire.put(job, "Name\nA\n").status == 201
    assert wire.change(job, "UploadComplete").status == 200


def test_a_commit_can_arrive_after_the_job_was_seen_open(wire: Wire2) -> None:
    job = wire.create()
    wire.put(job, "Name\nA\n")
    wire.org.faults.add(Fault("late twin", method="PATCH", after_requests=1))
    with pytest.raises((ConnectionError, HTTPException)):
        wire.change(job, "UploadComplete")
    assert wire.job(job)["state"] == "Open"
    assert error(wire.change(job, "UploadComplete"))[:2] == (400, "INVALIDJOBSTATE")
    assert wire.org.wait_until_idle()
    assert len(wire.org.records("Account")) == 1


def test_an_upload_may_ask_first_whether_it_is_wanted(wire: Wire2) -> None:
    address = urlsplit(wire.org.base_url)
    head = (
        f"PUT /services/data/v66.0/jobs/ingest/{wire.create()}/batches HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Bearer {wire.org.session_id}\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=60) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"Name\nA\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 201 ")


def test_rows_of_a_refused_file_can_be_in_no_file() -> None:
    with Emulator(settings=Settings(refused_rows_unprocessed=False)) as org:
        wire = Wire2(org)
        assert wire.files(wire.load("No\nA\n"))[2] == "No\n"


def test_an_administrator_aborts_what_has_not_ended() -> None:
    with held() as org:
        wire = Wire2(org)
        job = wire.create()
        wire.put(job, "Name\nA\n")
        wire.change(job, "UploadComplete")
        org.abort_job(job)
        assert wire.job(job)["state"] == "Aborted"
        assert org.advance() == 0
        done = wire.create()
        wire.change(done, "UploadComplete")
        org.advance()
        org.advance()
        aborted = wire.ask("POST", "/_emulator/abort", {"job_id": done})
        assert aborted.status >= 400
        assert wire.job(done)["state"] == "JobComplete"


def test_a_queued_job_that_is_deleted_never_runs() -> None:
    with held() as org:
        wire = Wire2(org)
        job = wire.create()
        wire.put(job, "Name\nA\n")
        wire.change(job, "UploadComplete")
        assert wire.ask("DELETE", f"ingest/{job}").status == 204
        assert org.advance() == 0
        assert org.records("Account") == []


def test_v1_does_not_know_these_jobs(wire: Wire2) -> None:
    job = wire.load("Name\nA\n")
    session = {"X-SFDC-Session": wire.org.session_id}
    assert wire.ask("GET", f"/services/async/66.0/job/{job}", headers=session).status == 400


def test_page_shows_them(wire: Wire2) -> None:
    job = wire.load("Name\tSite\nA\tx\n\ty\nB\n", columnDelimiter="TAB")
    failed = wire.load("Nonsense\nA\nB\n")
    text = wire.ask("GET", "/").text
    assert job in text
    assert "JobComplete" in text
    assert "CSV 2.0" in text
    (batch,) = wire.org.state.jobs.get(job).batches
    for path in (f"jobs/{job}", *(f"jobs/{job}/batches/{batch}{end}" for end in ("", "/request", "/result"))):
        assert wire.ask("GET", f"/_emulator/page/{path}").status == 200, path
    shown = wire.ask("GET", f"/_emulator/page/jobs/{job}").text
    assert "Number of fields in header" in shown
    assert ("TAB" in shown, "LF" in shown) == (True, True)
    assert re.findall(r'"Rows" class="count">(\d+)<', shown) == ["1", "2", "0"]
    shown = wire.ask("GET", f"/_emulator/page/jobs/{failed}").text
    assert "Field name not found : Nonsense" in shown
    assert re.findall(r'"Rows" class="count">(\d+)<', shown) == ["0", "0", "2"]


@pytest.mark.parametrize("name", FILES)
def test_page_gives_the_three_files(wire: Wire2, name: str) -> None:
    job = wire.load("Name,Site\nA,x\n,y\n")
    assert wire.ask("GET", f"/_emulator/page/jobs/{job}/files/{name}").text == wire.files(job)[FILES.index(name)]
    assert wire.ask("GET", f"/_emulator/page/jobs/{job}/files/nonsense").status == 404
    query = wire.query("SELECT Id FROM Account")
    assert wire.ask("GET", f"/_emulator/page/jobs/{query}/files/{name}").status == 404
    assert wire.ask("GET", f"/_emulator/page/jobs/{query}").status == 200
