"""Batches on the wire: uploads, states, echoes, results, compression."""

import gzip
import http.client
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from tests.emulator.wire import Wire, rows

from bulkforce_emulator import Emulator, Mishap, Pace


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Emulator() as org:
        yield Wire(org)


def test_batch_is_queued_then_in_progress_then_completed() -> None:
    with Emulator(pace=Pace.manual()) as org:
        wire = Wire(org)
        job = wire.create("insert", "Contact")
        batch = wire.add(job, "LastName\nA\n\nB\n")
        seen = [batch.element("state")]
        for _ in range(2):
            org.advance()
            seen.append(wire.ask("GET", f"job/{job}/batch/{batch.id}").element("state"))
        assert seen == ["Queued", "InProgress", "Completed"]


def test_counters_include_failed_rows(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    batch = wire.run(job, "LastName,FirstName\nA,B\n,C\n")
    assert (batch.element("numberRecordsProcessed"), batch.element("numberRecordsFailed")) == ("2", "1")
    told = wire.ask("GET", f"job/{job}")
    assert (told.element("numberRecordsProcessed"), told.element("numberRecordsFailed")) == ("2", "1")
    assert told.element("numberBatchesCompleted") == told.element("numberBatchesTotal") == "1"


def test_csv_results_are_quoted_in_upload_order(wire: Wire) -> None:
    answer = wire.load("insert", "Contact", 'LastName,FirstName\nA,B\n,"C ""x"""\n')
    assert answer.type == "text/csv"
    header, first, second, end = answer.text.split("\n")
    assert header == '"Id","Success","Created","Error"'
    assert first.endswith('","true","true",""')
    assert second == '"","false","false","REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --"'
    assert end == ""


def test_json_results_have_errors_as_lists(wire: Wire) -> None:
    job = wire.create("insert", "Contact", "JSON")
    batch = wire.run(job, '[{"LastName":"A"},{"FirstName":"B"}]', "application/json")
    good, bad = wire.ask("GET", f"job/{job}/batch/{batch.id}/result").json
    assert good == {"success": True, "created": True, "id": good["id"], "errors": []}
    assert bad["id"] is None
    assert bad["errors"] == [
        {
            "message": "Required fields are missing: [LastName]",
            "fields": ["LastName"],
            "statusCode": "REQUIRED_FIELD_MISSING",
            "extendedErrorDetails": None,
        }
    ]


def test_xml_results_have_errors_before_the_rest(wire: Wire) -> None:
    job = wire.create("insert", "Contact", "XML")
    body = (
        '<sObjects xmlns="http://www.force.com/2009/06/asyncapi/dataload"><sObject><lastname>A &amp; '
        "B</lastname></sObject>"
        "<sObject><FirstName>C</FirstName></sObject></sObjects>"
    )
    batch = wire.run(job, body, "application/xml")
    text = wire.ask("GET", f"job/{job}/batch/{batch.id}/result").text
    made = wire.org.records("Contact")[0]["Id"]
    assert text == (
        '<?xml version="1.0" encoding="UTF-8"?><results\n   xmlns="http://www.force.com/2009/06/asyncapi/dataload">\n'
        f" <result>\n  <id>{made}</id>\n  <success>true</success>\n  <created>true</created>\n </result>\n"
        " <result>\n  <errors>\n   <fields>LastName</fields>\n   <message>Required fields are missing: "
        "[LastName]</message>\n"
        "   <statusCode>REQUIRED_FIELD_MISSING</statusCode>\n  </errors>\n"
        "  <success>false</success>\n  <created>false</created>\n </result>\n</results>"
    )
    assert wire.org.records("Contact")[0]["LastName"] == "A & B"


def test_request_is_echoed_byte_for_byte(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    body = 'LastName\r\n"Zoë\r\n""x"""\r\n'.encode()
    batch = wire.add(job, body)
    answer = wire.ask("GET", f"job/{job}/batch/{batch.id}/request")
    assert (answer.body, answer.type) == (body, "text/csv")


@pytest.mark.parametrize("coding", ["gzip", "deflate, gzip;q=0.5"])
def test_answers_are_packed_on_demand(wire: Wire, coding: str) -> None:
    job = wire.create("insert", "Contact")
    answer = wire.ask("GET", f"job/{job}", headers={"Accept-Encoding": coding})
    assert answer.headers["content-encoding"] == "gzip"
    assert b"<id>" in gzip.decompress(answer.body)
    assert "content-encoding" not in wire.ask("GET", f"job/{job}", headers={"Accept-Encoding": "br"}).headers


def test_packed_uploads_are_unpacked(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    packed = gzip.compress(b"LastName\nPacked\n")
    answer = wire.ask("POST", f"job/{job}/batch", packed, {"Content-Type": "text/csv", "Content-Encoding": "gzip"})
    assert wire.ask("GET", f"job/{job}/batch/{answer.id}/request").body == b"LastName\nPacked\n"


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b"LastName\nx\n", mtime=0)[:-9]], ids=["no gzip", "cut"])
def test_broken_gzip_is_refused(wire: Wire, body: bytes) -> None:
    job = wire.create("insert", "Contact")
    answer = wire.ask("POST", f"job/{job}/batch", body, {"Content-Type": "text/csv", "Content-Encoding": "gzip"})
    assert answer.error[:2] == (400, "ClientInputError")


def test_gzip_bomb_is_refused(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    bomb = gzip.compress(b"LastName\n" + b"x" * 50_000_000)
    answer = wire.ask("POST", f"job/{job}/batch", bomb, {"Content-Type": "text/csv", "Content-Encoding": "gzip"})
    assert answer.error == (400, "ClientInputError", "Failed to read request. Exceeded max size limit of 10000000")


def test_unknown_coding_of_a_batch_fails_it_later(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    answer = wire.ask("POST", f"job/{job}/batch", b"x", {"Content-Type": "text/csv", "Content-Encoding": "br"})
    assert answer.status == 201
    wire.org.wait_until_idle()
    assert wire.ask("GET", f"job/{job}/batch/{answer.id}").element("state") == "Failed"


def test_chunked_uploads_are_taken(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    address = urlsplit(wire.org.base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    parts = iter([b"Last", b"Name\nA", b"\nB\n"])
    headers = {"X-SFDC-Session": wire.org.session_id, "Content-Type": "text/csv", "Transfer-Encoding": "chunked"}
    connection.request("POST", f"/services/async/66.0/job/{job}/batch", parts, headers, encode_chunked=True)
    assert connection.getresponse().status == 201
    connection.close()
    wire.org.wait_until_idle()
    assert wire.org.count("Contact") == 2


def test_empty_and_oversized_batches_are_refused_at_once(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    assert wire.add(job, "").error == (400, "ClientInputError", "Unable to find any data to create batch")
    too_large = wire.add(job, b"LastName\n" + b"x" * 10_000_000)
    assert too_large.error == (400, "ClientInputError", "Failed to read request. Exceeded max size limit of 10000000")


def test_unsupported_content_type_is_named_as_sent(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    answer = wire.add(job, "LastName\nx", "text/cs; charset=UTF-8")
    assert answer.error == (400, "UnsupportedContentType", "Unsupported content type: text/cs; charset=UTF-8")
    assert wire.add(job, "[]", "application/json").error[1] == "UnsupportedContentType"


def test_results_are_not_there_before_the_end() -> None:
    with Emulator(pace=Pace.manual()) as org:
        wire = Wire(org)
        job = wire.create("insert", "Contact")
        batch = wire.add(job, "LastName\nx")
        assert wire.ask("GET", f"job/{job}/batch/{batch.id}/result").error == (
            400,
            "InvalidBatch",
            "Batch not completed",
        )


def test_failed_batch_has_no_results(wire: Wire) -> None:
    job = wire.create("insert", "Contact", "JSON")
    batch = wire.run(job, "{}", "application/json")
    assert batch.json["state"] == "Failed"
    answer = wire.ask("GET", f"job/{job}/batch/{batch.id}/result")
    assert answer.error == (400, "InvalidBatch", "Records not processed")
    assert answer.type == "application/json"


def test_abort_leaves_queued_batches_unprocessed_and_lets_running_ones_end() -> None:
    with Emulator(pace=Pace.manual()) as org:
        wire = Wire(org)
        job = wire.create("insert", "Contact")
        running = wire.add(job, "LastName\nA")
        org.advance()
        queued = wire.add(job, "LastName\nB")
        wire.state(job, "Aborted")
        org.advance(2)
        states = [wire.ask("GET", f"job/{job}/batch/{batch.id}").element("state") for batch in (running, queued)]
        assert states == ["Completed", "NotProcessed"]
        assert [record["LastName"] for record in org.records("Contact")] == ["A"]


def test_batch_runs_while_its_job_is_open_and_after_it_is_closed(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    assert wire.run(job, "LastName\nA").element("state") == "Completed"
    last = wire.add(job, "LastName\nB")
    wire.state(job, "Closed")
    wire.org.wait_until_idle()
    assert wire.ask("GET", f"job/{job}/batch/{last.id}").element("state") == "Completed"


def test_batches_are_listed_in_the_order_of_their_posts(wire: Wire) -> None:
    job = wire.create("insert", "Contact", "JSON")
    assert wire.ask("GET", f"job/{job}/batch").json == {"batchInfo": []}
    ids = [wire.add(job, '[{"LastName":"x"}]', "application/json").id for _ in range(3)]
    assert [batch["id"] for batch in wire.ask("GET", f"job/{job}/batch").json["batchInfo"]] == ids


def test_empty_list_in_xml_is_one_element(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    expected = (
        '<?xml version="1.0" encoding="UTF-8"?><batchInfoList\n   '
        'xmlns="http://www.force.com/2009/06/asyncapi/dataload" />'
    )
    assert wire.ask("GET", f"job/{job}/batch").text == expected


def test_serial_jobs_run_one_batch_at_a_time() -> None:
    with Emulator(pace=Pace.timed(0.0, batch_seconds=0.02, parallel=4)) as org:
        wire = Wire(org)
        jobs = [wire.create("insert", "Contact", concurrencyMode="Serial") for _ in range(3)]
        for job in jobs:
            wire.add(job, "LastName\nx")
        most = 0
        while not org.wait_until_idle(0.002):
            with org.state.jobs.lock:
                batches = [batch for job in org.state.jobs.all() for batch in job.batches.values()]
                most = max(most, sum(batch.state == "in_progress" for batch in batches))
        assert most == 1


def test_many_threads_at_once_lose_nothing(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    failures: list[object] = []

    def post(number: int) -> None:
        for turn in range(5):
            answer = wire.add(job, "LastName\n" + "".join(f"N{number}-{turn}-{row}\n" for row in range(20)))
            if answer.status != 201:
                failures.append(answer)
            wire.ask("GET", f"job/{job}/batch")

    threads = [threading.Thread(target=post, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wire.org.wait_until_idle()
    assert failures == []
    names = {record["LastName"] for record in wire.org.records("Contact")}
    assert len(names) == wire.org.count("Contact") == 12 * 5 * 20


def test_mishaps_fail_batches_whole_and_half_way(wire: Wire) -> None:
    wire.org.mishaps.plan(Mishap(message="TooManyLockFailure : Too many lock failure 200 Trying again later."))
    job = wire.create("insert", "Contact")
    whole = wire.run(job, "LastName\nA\nB\nC")
    assert whole.element("stateMessage") == "TooManyLockFailure : Too many lock failure 200 Trying again later."
    wire.org.mishaps.plan(Mishap(message="InternalServerError : gone", after_rows=2))
    half = wire.run(job, "LastName\nA\nB\nC")
    assert (half.element("state"), half.element("numberRecordsProcessed")) == ("Failed", "2")
    assert len(rows(wire.ask("GET", f"job/{job}/batch/{half.id}/result"))) == 2
    assert sum(wire.org.ledger_counts().values()) == 2


def test_locked_rows_fail_and_the_others_do_not(wire: Wire) -> None:
    wire.org.mishaps.plan(Mishap(rows=(1,)))
    outcome = rows(wire.load("insert", "Contact", "LastName\nA\nB\nC"))
    assert [row[1] for row in outcome] == ["true", "false", "true"]
    assert outcome[1][3] == "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record or 1 records:--"


def test_ledger_knows_every_accepted_row(wire: Wire) -> None:
    results = rows(wire.load("insert", "Contact", "LastName\nA\n\nB\n"))
    ledger = wire.org.ledger()
    assert [(entry.row, entry.record_id) for entry in ledger] == [(0, results[0][0]), (1, results[1][0])]
    assert {entry.operation for entry in ledger} == {"insert"}


def test_ledger_names_operations_as_jobs_do(wire: Wire) -> None:
    ids = wire.org.insert("Contact", [{"LastName": "A"}])
    wire.load("hardDelete", "Contact", f"Id\n{ids[0]}")
    assert [entry.operation for entry in wire.org.ledger()] == ["hardDelete"]
    assert [row["operation"] for row in wire.ask("GET", "/_emulator/ledger").json] == ["hardDelete"]
