"""Query batches: results in three formats, several files, failures, PK chunking."""

import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest
from tests.emulator.wire import NAMESPACE, Wire, rows

from bulkforce_emulator import Emulator, Limits, Settings

XSI = "{http://www.w3.org/2001/XMLSchema-instance}"


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Emulator() as org:
        yield Wire(org)


@pytest.fixture
def people(wire: Wire) -> Wire:
    (account,) = wire.org.insert("Account", [{"Name": 'A "&" <B>', "AnnualRevenue": 23456}])
    wire.org.insert(
        "Contact",
        [
            {"LastName": 'Ä, \n"x"', "AccountId": account, "Birthdate": "1970-01-02", "DoNotCall": True},
            {"LastName": "B\\t", "Email": "b@x.org"},
        ],
    )
    return wire


def test_csv_result_quotes_everything_and_shows_null_as_empty(people: Wire) -> None:
    answer = people.query(
        "SELECT LastName, Email, DoNotCall, Birthdate, Account.Name, Account.AnnualRevenue FROM Contact"
    )
    assert answer.type == "text/csv"
    assert answer.text == (
        '"LastName","Email","DoNotCall","Birthdate","Account.Name","Account.AnnualRevenue"\n'
        '"Ä, \n""x""","","true","1970-01-02","A ""&"" <B>","23456.0"\n'
        '"B\\t","b@x.org","false","","",""\n'
    )


def test_csv_shows_moments_in_utc(wire: Wire) -> None:
    wire.org.insert("Account", [{"Name": "A"}])
    ((created,),) = rows(wire.query("SELECT CreatedDate FROM Account"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", created)


def test_json_result_nests_parents_and_tells_time_in_milliseconds(people: Wire) -> None:
    first, second = people.query("SELECT Id, LastName, Birthdate, DoNotCall, Account.Name FROM Contact", "JSON").json
    assert first["attributes"] == {"type": "Contact", "url": f"/services/data/v66.0/sobjects/Contact/{first['Id']}"}
    assert (first["LastName"], first["Birthdate"], first["DoNotCall"]) == ('Ä, \n"x"', 86_400_000, True)
    assert first["Account"]["attributes"]["type"] == "Account"
    assert first["Account"]["Name"] == 'A "&" <B>'
    assert second["Account"] is None
    assert second["LastName"] == "B\\t"


def test_xml_result_begins_with_type_and_id(people: Wire) -> None:
    root = ET.fromstring(people.query("SELECT Id, LastName, Email FROM Contact", "XML").body)
    assert root.tag == f"{{{NAMESPACE}}}queryResult"
    first = root[0]
    assert first.get(f"{XSI}type") == "sObject"
    assert [child.tag.rpartition("}")[2] for child in first] == ["type", "Id", "Id", "LastName", "Email"]
    assert first[3].text == 'Ä, \n"x"'
    assert first[4].get(f"{XSI}nil") == "true"
    without = ET.fromstring(people.query("SELECT LastName FROM Contact", "XML").body)
    assert [child.tag.rpartition("}")[2] for child in without[0]] == ["type", "Id", "LastName"]
    assert without[0][1].get(f"{XSI}nil") == "true"


def test_result_list_is_one_line_or_an_array(people: Wire) -> None:
    for content_type, pattern in (
        ("CSV", rf'<result-list xmlns="{NAMESPACE}"><result>752\w{{12}}</result></result-list>'),
        ("JSON", r'\["752\w{12}"\]'),
    ):
        job = people.create("query", "Contact", content_type)
        batch = people.run(job, "SELECT Id FROM Contact")
        assert re.fullmatch(pattern, people.ask("GET", f"job/{job}/batch/{batch.id}/result").text)


def test_empty_results_say_so(wire: Wire) -> None:
    assert wire.query("SELECT Id FROM Lead").text == "Records not found for this query"
    assert wire.query("SELECT Id FROM Lead", "JSON").json == []
    assert len(ET.fromstring(wire.query("SELECT Id FROM Lead", "XML").body)) == 0


def test_large_results_come_in_several_files() -> None:
    with Emulator(settings=Settings(limits=Limits(query_result_bytes=2_000))) as org:
        wire = Wire(org)
        org.insert("Contact", [{"LastName": f"Name {number:04}"} for number in range(200)])
        job = wire.create("query", "Contact")
        batch = wire.run(job, "SELECT LastName FROM Contact ORDER BY LastName")
        ids = re.findall(r"752\w{12}", wire.ask("GET", f"job/{job}/batch/{batch.id}/result").text)
        files = [wire.ask("GET", f"job/{job}/batch/{batch.id}/result/{result}") for result in ids]
        assert len(files) > 1
        assert [row[0] for file in files for row in rows(file)] == [f"Name {number:04}" for number in range(200)]


def test_bad_queries_fail_their_batch_with_the_place(wire: Wire) -> None:
    message = wire.failure("query", "Account", "SELECT Id, BadField FROM Account")
    assert message.startswith("InvalidBatch : Failed to process query: INVALID_FIELD: ")
    assert "ERROR at Row:1:Column:12\nNo such column 'BadField' on entity 'Account'" in message
    other = wire.failure("query", "Account", "SELECT Id FROM Contact")
    assert "(Contact) does not match the entity of the requested Bulk API Job (Account)." in other


def test_failed_query_has_no_results(wire: Wire) -> None:
    job = wire.create("query", "Account")
    batch = wire.run(job, "SELECT")
    assert wire.ask("GET", f"job/{job}/batch/{batch.id}/result").error == (400, "InvalidBatch", "Records not processed")


@pytest.mark.parametrize("header", ["TRUE; chunkSize=10", "chunkSize=10;", "true; chunkSize=10; parent=Contact"])
def test_chunks_cover_every_record_once(wire: Wire, header: str) -> None:
    ids = wire.org.insert("Contact", [{"LastName": f"N{number}"} for number in range(35)])
    job = wire.create("query", "Contact", headers={"Sforce-Enable-PKChunking": header})
    original = wire.run(job, "SELECT Id FROM Contact WHERE LastName LIKE 'N%'")
    assert original.element("state") == "NotProcessed"
    listed = re.findall(r"<id>(\w+)</id>", wire.ask("GET", f"job/{job}/batch").text)
    assert listed[0] == original.id
    assert len(listed) == 5
    told = wire.ask("GET", f"job/{job}")
    assert told.element("numberBatchesTotal") == told.element("numberBatchesCompleted") == "4"
    found = []
    for batch in listed[1:]:
        request = wire.ask("GET", f"job/{job}/batch/{batch}/request").text
        assert re.fullmatch(
            r"SELECT Id FROM Contact WHERE LastName LIKE 'N%' AND Id >= '003\w{12}' AND Id < '003\w{12}'", request
        )
        results = wire.ask("GET", f"job/{job}/batch/{batch}/result").text
        for result in re.findall(r"752\w{12}", results):
            found += [row[0] for row in rows(wire.ask("GET", f"job/{job}/batch/{batch}/result/{result}"))]
    assert found == ids


def test_chunking_is_off_where_it_cannot_be(wire: Wire) -> None:
    wire.org.insert("Contact", [{"LastName": "x"}])
    job = wire.create("query", "Contact", headers={"Sforce-Enable-PKChunking": "TRUE"})
    assert wire.run(job, "SELECT Id FROM Contact ORDER BY Id").element("state") == "Completed"
    refused = wire.ask(
        "POST",
        "job",
        '{"operation":"query","object":"Attachment"}',
        {"Content-Type": "application/json", "Sforce-Enable-PKChunking": "TRUE"},
    )
    assert refused.error[:2] == (400, "InvalidJob")


def test_chunked_query_of_nothing_has_one_empty_chunk(wire: Wire) -> None:
    job = wire.create("query", "Contact", headers={"Sforce-Enable-PKChunking": "TRUE"})
    assert wire.run(job, "SELECT Id FROM Contact").element("state") == "NotProcessed"
    assert wire.ask("GET", f"job/{job}/batch").text.count("<state>Completed</state>") == 1


def test_bad_chunked_query_fails_the_original(wire: Wire) -> None:
    job = wire.create("query", "Contact", headers={"Sforce-Enable-PKChunking": "TRUE"})
    assert wire.run(job, "SELECT Nope FROM Contact").element("state") == "Failed"
