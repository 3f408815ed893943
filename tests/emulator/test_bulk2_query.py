"""Query jobs of Bulk API 2.0 on the wire: shapes, sets of results and links to them, lists."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.emulator.wire import Wire
from tests.emulator.wire2 import SHORT_A, SHORT_B, Wire2, error, rows

from bulkforce_emulator import Emulator, Limits, Pace, Settings

SHORT_Q = [name for name in SHORT_A if name != "contentUrl"]
LONG_Q = [*SHORT_B, "jobType", *SHORT_A[11:], "numberRecordsProcessed", "retries", "totalProcessingTime"]
SCHEMA = {"Account": {"fields": {"Amount__c": "double(18,2)", "Count__c": "int"}}}
SOQL = "SELECT Id, Name FROM Account ORDER BY Name"


@pytest.fixture
def wire() -> Iterator[Wire2]:
    with Emulator(schema=SCHEMA) as org:
        org.insert("Account", [{"Name": f"A{number}"} for number in range(7)])
        yield Wire2(org)


def test_one_job_in_its_three_shapes() -> None:
    with Emulator(pace=Pace.manual()) as org:
        wire = Wire2(org, "60.0")
        org.insert("Account", [{"Name": "A"}])
        made = wire.ask("POST", "query", {"operation": "query", "query": "select\n  id\nfrom account"})
        assert (made.status, list(made.json)) == (200, SHORT_Q)
        assert (made.json["state"], made.json["object"]) == ("UploadComplete", "Account")
        job = made.json["id"]
        stages = [wire.job(job, "query")]
        for _ in range(2):
            org.advance()
            stages.append(wire.job(job, "query"))
        assert [seen["state"] for seen in stages] == ["UploadComplete", "InProgress", "JobComplete"]
        assert {tuple(seen) for seen in stages} == {tuple(LONG_Q)}
        assert [seen["numberRecordsProcessed"] for seen in stages] == [0, 0, 1]
        assert stages[0]["jobType"] == "V2Query"
        assert list(Wire2(org).job(job, "query")) == [*LONG_Q, "isPkChunkingSupported"]


def test_values_and_names_as_the_server_writes_them(wire: Wire2) -> None:
    wire.org.insert(
        "Account",
        [{"Name": 'Z "q", r\ns', "Amount__c": "12345678.5", "Count__c": "7", "Description": None, "Site": ""}],
    )
    soql = "SELECT name, amount__c, count__c, Description, IsDeleted, Parent.Name FROM Account WHERE Count__c = 7"
    answer = wire.results(wire.query(soql))
    assert (answer.status, answer.type) == (200, "text/csv")
    assert answer.text == (
        '"Name","Amount__c","Count__c","Description","IsDeleted","Parent.Name"\n'
        '"Z ""q"", r\ns","1.23456785E7","7","","false",""\n'
    )


@pytest.mark.parametrize(("version", "header"), [("49.0", '"Id","Name"'), ("50.0", '"Name","Id"')])
def test_columns_are_in_alphabetical_order_up_to_49(wire: Wire2, version: str, header: str) -> None:
    wire.version = version
    answer = wire.results(wire.query("SELECT Name, Id FROM Account WHERE Name = 'A0'"))
    first, second, _ = answer.text.split("\n")
    assert first == header
    assert second.split(",")[first.split(",").index('"Name"')] == '"A0"'


@pytest.mark.parametrize(("name", "between"), [("TAB", "\t"), ("PIPE", "|"), ("BACKQUOTE", "`")])
def test_delimiter_and_line_end_are_the_jobs(wire: Wire2, name: str, between: str) -> None:
    job = wire.query(SOQL, columnDelimiter=name, lineEnding="CRLF")
    text = wire.results(job).text
    assert text.startswith(f'"Id"{between}"Name"\r\n')
    assert text.count("\r\n") == 8


def test_no_rows_are_a_header_and_the_end(wire: Wire2) -> None:
    job = wire.query("SELECT Id FROM Account WHERE Name = 'nobody'")
    answer = wire.results(job)
    assert (answer.status, answer.text) == (200, '"Id"\n')
    assert (answer.headers["sforce-locator"], answer.headers["sforce-numberofrecords"]) == ("null", "0")
    assert len(wire.ask("GET", f"query/{job}/resultPages").json["resultPages"]) == 1


@pytest.mark.parametrize(("version", "locator"), [("48.0", "5"), ("49.0", "NQ"), ("66.0", "NQ")])
def test_sets_are_read_one_after_the_other_and_again(wire: Wire2, version: str, locator: str) -> None:
    wire.version = version
    job = wire.query(SOQL)
    first = wire.results(job, "?maxRecords=5")
    assert (first.headers["sforce-locator"], first.headers["sforce-numberofrecords"]) == (locator, "5")
    for asked in (f"?locator={locator}", f"/?maxRecords=5&locator={locator}"):
        last = wire.results(job, asked)
        assert (last.headers["sforce-locator"], last.headers["sforce-numberofrecords"]) == ("null", "2")
        assert rows(first.text)[0] == rows(last.text)[0] == ["Id", "Name"]
        assert [row[1] for row in rows(first.text)[1:] + rows(last.text)[1:]] == [f"A{n}" for n in range(7)]
    whole = wire.results(job, "?maxRecords=1000000")
    assert (whole.headers["sforce-locator"], whole.headers["sforce-numberofrecords"]) == ("null", "7")


def test_links_to_pages_five_at_a_time() -> None:
    with Emulator(settings=Settings(result_set_records=1)) as org:
        org.insert("Account", [{"Name": f"A{number}"} for number in range(7)])
        wire = Wire2(org)
        job = wire.query(SOQL)
        pages = wire.ask("GET", f"query/{job}/resultPages").json
        assert (len(pages["resultPages"]), pages["done"]) == (5, False)
        assert pages["nextRecordsUrl"].startswith(f"/services/data/v66.0/jobs/query/{job}/resultpages?locator=")
        last = wire.ask("GET", pages["nextRecordsUrl"]).json
        assert (len(last["resultPages"]), last["done"], last["nextRecordsUrl"]) == (2, True, None)
        links = [page["resultUrl"] for page in pages["resultPages"] + last["resultPages"]]
        answers = [wire.ask("GET", link) for link in links]
        assert [rows(answer.text)[1][1] for answer in answers] == [f"A{number}" for number in range(7)]
        assert {answer.headers["sforce-numberofrecords"] for answer in answers} == {"1"}
        assert wire.ask("GET", f"query/{job}/resultPages", version="57.0").status == 404


def test_a_result_of_many_rows(wire: Wire2) -> None:
    wire.org.insert("Account", [{"Name": f"B{number:06}", "Site": "x\ny"} for number in range(60_000)])
    job = wire.query("SELECT Name, Site FROM Account WHERE Name LIKE 'B%' ORDER BY Name")
    first = wire.results(job)
    assert first.headers["sforce-numberofrecords"] == "50000"
    last = wire.results(job, f"?locator={first.headers['sforce-locator']}")
    assert (last.headers["sforce-numberofrecords"], last.headers["sforce-locator"]) == ("10000", "null")
    assert [row[0] for row in rows(first.text)[1:] + rows(last.text)[1:]] == [f"B{n:06}" for n in range(60_000)]


def test_query_all_finds_deleted_records(wire: Wire2) -> None:
    (record,) = wire.org.insert("Account", [{"Name": "gone"}])
    wire.org.state.delete("Account", [record])
    soql = "SELECT Id FROM Account WHERE Name = 'gone'"
    assert len(rows(wire.results(wire.query(soql)).text)) == 1
    assert len(rows(wire.results(wire.query(soql, "queryAll")).text)) == 2


def test_fields_standard_works(wire: Wire2) -> None:
    header = rows(wire.results(wire.query("SELECT FIELDS(STANDARD) FROM Account")).text)[0]
    assert {"Id", "Name", "BillingCity"} <= set(header)
    assert "BillingAddress" not in header


REFUSED = {
    "SELECT Nonsense FROM Account": (400, "INVALID_FIELD", "Nonsense"),
    "SELECT Id FROM Nothing__c": (400, "INVALID_TYPE", "Nothing__c"),
    "SELECT Id FROM AggregateResult": (
        400,
        "INVALID_TYPE_FOR_OPERATION",
        "entity type AggregateResult does not support query",
    ),
    "SELECT Id FROM Account WHERE": (400, "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
    "": (400, "MALFORMED_QUERY", ""),
    "SELECT BillingAddress FROM Account": (400, "API_ERROR", "Selecting compound data not supported in Bulk Query"),
    "SELECT Id, (SELECT Id FROM Contacts) FROM Account": (
        400,
        "API_ERROR",
        "Aggregate Relationships not supported in Bulk V2 Query with CSV content type.",
    ),
    "SELECT COUNT() FROM Account": (400, "API_ERROR", "Aggregate Relationships not supported in Bulk V2 Query"),
    "SELECT Name FROM Account GROUP BY Name": (400, "API_ERROR", "GROUP BY"),
    "SELECT Id FROM Account OFFSET 5": (400, "API_ERROR", "OFFSET"),
    "SELECT TYPEOF Who WHEN Contact THEN LastName END FROM Task": (400, "API_ERROR", "TYPEOF"),
    "SELECT Body FROM Attachment": (400, "API_ERROR", "Binary"),
}


@pytest.mark.parametrize("soql", REFUSED)
def test_bad_queries_are_refused_when_the_job_is_created(wire: Wire2, soql: str) -> None:
    status, code, part = REFUSED[soql]
    told = error(wire.ask("POST", "query", {"operation": "query", "query": soql}))
    assert told[:2] == (status, code)
    assert part in told[2]
    assert wire.ask("GET", "query").json["records"] == []


@pytest.mark.parametrize("asked", ["?maxRecords=0", "?maxRecords=x", "?maxRecords=", "?locator=!", "?locator=OTk5"])
def test_senseless_sets_are_refused(wire: Wire2, asked: str) -> None:
    assert error(wire.results(wire.query(SOQL), asked))[:2] == (400, "API_ERROR")


def test_another_version_is_refused_for_results_alone(wire: Wire2) -> None:
    job = wire.query(SOQL)
    assert error(wire.ask("GET", f"query/{job}/results", version="65.0"))[0] == 409
    assert wire.ask("GET", f"query/{job}", version="65.0").status == 200


def test_results_of_jobs_that_have_none() -> None:
    with Emulator(pace=Pace.manual()) as org:
        wire = Wire2(org)
        job = wire.ask("POST", "query", {"operation": "query", "query": SOQL}).json["id"]
        assert error(wire.results(job))[:2] == (400, "INVALIDJOBSTATE")
        told = "Error encountered when deleting the job because the job is not terminated"
        assert error(wire.ask("DELETE", f"query/{job}")) == (400, "API_ERROR", told)
        aborted = wire.change(job, "Aborted", "query")
        assert (aborted.status, list(aborted.json), aborted.json["state"]) == (200, SHORT_B, "Aborted")
        assert error(wire.results(job))[:2] == (400, "INVALIDJOBSTATE")
        assert wire.ask("DELETE", f"query/{job}").status == 204


def test_ended_jobs_cannot_be_aborted_and_go_when_deleted(wire: Wire2) -> None:
    job = wire.query(SOQL)
    told = (400, "INVALIDJOBSTATE", "Aborting already Completed Job not allowed")
    assert error(wire.change(job, "Aborted", "query")) == told
    assert wire.ask("DELETE", f"query/{job}/").status == 204
    for path in ("", "/results", "/resultPages"):
        assert wire.ask("GET", f"query/{job}{path}").status == 404


def test_a_query_job_that_fails() -> None:
    from bulkforce_emulator import Mishap

    for message_told in (True, False):
        with Emulator(settings=Settings(failed_query_message=message_told)) as org:
            org.mishaps.plan(Mishap(message="InternalServerError : Unexpected"))
            wire = Wire2(org)
            job = wire.query(SOQL)
            seen = wire.job(job, "query")
            assert seen["state"] == "Failed"
            assert seen.get("errorMessage") == ("InternalServerError : Unexpected" if message_told else None)


def test_query_jobs_of_a_day_are_counted(wire: Wire2) -> None:
    with Emulator(settings=Settings(limits=Limits(daily_query_jobs=1))) as org:
        wire = Wire2(org)
        wire.query(SOQL)
        left = wire.ask("GET", "/services/data/v66.0/limits").json["DailyBulkV2QueryJobs"]
        assert left == {"Max": 1, "Remaining": 0}
        refused = wire.ask("POST", "query", {"operation": "query", "query": SOQL})
        told = "Max bulk v2 query jobs (1) per 24 hrs has been reached (2)"
        assert error(refused) == (400, "LIMIT_EXCEEDED", told)


def test_results_of_a_day_are_counted(wire: Wire2) -> None:
    with Emulator(settings=Settings(limits=Limits(daily_result_kilobytes=1))) as org:
        org.insert("Account", [{"Name": "x" * 100} for _ in range(11)])
        wire = Wire2(org)
        wire.query("SELECT Name FROM Account")
        refused = wire.ask("POST", "query", {"operation": "query", "query": SOQL})
        told = "Max bulk v2 query result size stored (1) kb per 24 hrs has been exceeded"
        assert error(refused) == (400, "LIMIT_EXCEEDED", told)
        wire.later(hours=25)
        wire.query(SOQL)


def test_results_go_with_the_job_after_seven_days(wire: Wire2) -> None:
    job = wire.query(SOQL)
    locator = wire.results(job, "?maxRecords=2").headers["sforce-locator"]
    for later, status in ({"days": 6}, 200), ({"days": 2}, 404):
        wire.later(**later)
        assert wire.ask("GET", f"query/{job}/results?locator={locator}").status == status


# Lists


def test_lists_have_the_jobs_of_their_kind_and_those_of_v1(wire: Wire2) -> None:
    ingest, query = wire.create(), wire.query(SOQL)
    classic = Wire(wire.org).create("insert", "Contact")
    serial = Wire(wire.org).create("query", "Contact", concurrencyMode="Serial")

    def ids(path: str) -> set[str]:
        return {record["id"] for record in wire.ask("GET", path).json["records"]}

    assert ids("ingest") == {ingest, classic}
    assert ids("ingest?jobType=V2Ingest") == {ingest}
    assert ids("ingest/?jobType=Classic") == {classic}
    assert ids("query") == {query, serial}
    assert ids("query?concurrencyMode=serial") == {serial}
    assert ids("query?jobType=V2Query&isPkChunkingEnabled=false") == {query}
    split = wire.query("SELECT Id FROM Account")
    assert ids("query?isPkChunkingEnabled=true") == {split}
    assert wire.job(split, "query")["isPkChunkingSupported"] is True
    assert wire.job(query, "query")["isPkChunkingSupported"] is False
    wire.ask("DELETE", f"query/{split}")
    assert ids("query?jobType=V2Ingest") == {ingest}
    assert ids("ingest?isPkChunkingEnabled=true") == set()
    told = {record["id"]: record for record in wire.ask("GET", "ingest").json["records"]}
    assert list(told[ingest]) == [*SHORT_B, "jobType", *SHORT_A[10:]]
    assert (told[classic]["jobType"], told[classic]["state"]) == ("Classic", "Open")
    assert error(wire.ask("GET", "ingest?jobType=Nonsense"))[:2] == (400, "API_ERROR")
    assert error(wire.ask("GET", "ingest?queryLocator=x"))[:2] == (400, "API_ERROR")


def test_long_lists_come_in_pages() -> None:
    with Emulator(settings=Settings(limits=Limits(listed_jobs=2))) as org:
        wire = Wire2(org)
        made = [wire.create() for _ in range(5)]
        found, path, sizes = [], "ingest", []
        while path:
            page = wire.ask("GET", path).json
            assert page["done"] is (page["nextRecordsUrl"] is None)
            sizes.append(len(page["records"]))
            found += [record["id"] for record in page["records"]]
            path = page["nextRecordsUrl"]
        assert (sorted(found), sizes) == (sorted(made), [2, 2, 1])


def test_ids_of_the_other_kind_are_unknown(wire: Wire2) -> None:
    ingest, query = wire.create(), wire.query(SOQL)
    for path in (f"query/{ingest}", f"query/{ingest}/results", f"ingest/{query}", f"ingest/{query}/successfulResults"):
        assert wire.ask("GET", path).status == 404


def test_failed_rows_of_a_query_are_a_header() -> None:
    with Emulator(pace=Pace.manual()) as org:
        wire = Wire2(org)
        job = wire.ask("POST", "query", {"operation": "query", "query": SOQL, "columnDelimiter": "PIPE"}).json["id"]
        path = f"ingest/{job}/failedResults"
        assert error(wire.ask("GET", path))[:2] == (400, "INVALIDJOBSTATE")
        org.advance(2)
        answer = wire.ask("GET", path)
        assert (answer.status, answer.type, answer.text) == (200, "text/csv", '"sf__Id"|"sf__Error"|"Id"|"Name"\n')


@pytest.mark.parametrize("version", ["48.0", "66.0"])
def test_locators_may_tell_nothing(version: str) -> None:
    limits = Limits(result_links=2)
    settings = Settings(locators="opaque", result_set_records=2, alphabetical_until=0, limits=limits)
    with Emulator(settings=settings) as org:
        wire = Wire2(org, version)
        org.insert("Account", [{"Name": f"A{number}"} for number in range(5)])
        job, other = wire.query(SOQL), wire.query(SOQL)
        names, locators, asked = [], [], ""
        while asked != "?locator=null":
            answer = wire.results(job, asked)
            names += [row[1] for row in rows(answer.text)[1:]]
            locators.append(answer.headers["sforce-locator"])
            asked = f"?locator={locators[-1]}"
        assert names == [f"A{number}" for number in range(5)]
        assert not {"Mg", "NA", "2", "4"} & set(locators)
        for guessed in ("Mg", "2", "NA", "x" * 40):
            assert error(wire.results(job, f"?locator={guessed}"))[0] == 400
        assert error(wire.results(other, f"?locator={locators[0]}"))[0] == 400
