"""Every operation in every content type, against an emulated org, by both clients."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

import pytest

import bulkforce
from bulkforce import Attachments, BatchState, JobState, Pace, Result
from bulkforce_emulator import Emulator

FORMATS = ["CSV", "JSON", "XML"]
QUICK = Pace(0.002, 1.5, 0.05)
_numbers = itertools.count(1)


def unique(stem: str) -> str:
    """The org is shared, so each test has names of its own."""
    return f"{stem}{next(_numbers)}"


def run(client: Any, job: Any, content: Any) -> Any:
    """Add one batch, wait, fetch what it came to."""
    batch = client.add_batch(job, content)
    assert batch.state is BatchState.QUEUED
    done = client.wait_for_batch(job, batch.id, timeout_seconds=600, pace=QUICK)
    done.raise_for_state()
    return client.get_batch_result(job, batch.id)


def texts(found: Any, *names: str) -> list[tuple[str | None, ...]]:
    """Records of a query in any form, as texts."""
    if isinstance(found, str):
        return [tuple(row[name] for name in names) for row in csv.DictReader(io.StringIO(found))]
    if isinstance(found, Element):
        return [
            tuple(next((f.text for f in record if f.tag.rpartition("}")[2] == name), None) for name in names)
            for record in found
        ]
    return [tuple(record.get(name) for name in names) for record in found]


@pytest.mark.parametrize("content_type", FORMATS)
def test_a_record_lives_its_whole_life(client: Any, org: Emulator, content_type: str) -> None:
    last = unique("Morkel")
    job = client.create_job("insert", "Contact", content_type)
    assert (job.state, job.content_type) == (JobState.OPEN, content_type)
    inserted = run(client, job, [{"LastName": last, "FirstName": 'Ü & <é>\n"x"'}, {"FirstName": "nobody"}])
    assert [(result.success, result.created) for result in inserted] == [(True, True), (False, False)]
    (error,) = inserted[1].errors
    assert (inserted[1].id, error.status_code, error.fields) == (None, "REQUIRED_FIELD_MISSING", ("LastName",))
    assert client.close_job(job).state is JobState.CLOSED
    record_id = inserted[0].id

    updated = run(
        client,
        client.create_job("update", "Contact", content_type),
        [{"Id": record_id, "FirstName": None, "Phone": "1"}],
    )
    assert updated == [Result(record_id, success=True, created=False)]

    job = client.create_job("query", "Contact", content_type)
    found = run(client, job, f"SELECT Id, LastName, FirstName, Phone FROM Contact WHERE LastName = '{last}'")
    assert texts(found, "Id", "LastName", "Phone") == [(record_id, last, "1")]
    assert texts(found, "FirstName")[0][0] in (None, "")

    deleted = run(client, client.create_job("delete", "Contact", content_type), [{"Id": record_id}])
    assert deleted == [Result(record_id, success=True, created=False)]
    soql = f"SELECT Id FROM Contact WHERE LastName = '{last}'"
    assert len(run(client, client.create_job("query", "Contact", content_type), soql)) == 0
    assert len(texts(run(client, client.create_job("queryAll", "Contact", content_type), soql), "Id")) == 1
    assert org.count("Contact", include_deleted=True) > 0


@pytest.mark.parametrize("content_type", FORMATS)
def test_upsert_tells_what_it_created(client: Any, content_type: str) -> None:
    key = unique("E")
    for expected in (True, False):
        job = client.create_job("upsert", "Contact", content_type, external_id_field="Ext__c")
        (result,) = run(client, job, [{"Ext__c": key, "LastName": "Morkel"}])
        assert (result.success, result.created) == (True, expected)


@pytest.mark.parametrize("content_type", FORMATS)
def test_a_parent_is_found_by_its_external_id(client: Any, org: Emulator, content_type: str) -> None:
    key = unique("A")
    (account,) = org.insert("Account", [{"Name": "Acme", "Ext__c": key}])
    (result,) = run(
        client, client.create_job("insert", "Contact", content_type), [{"LastName": "M", "Account": {"Ext__c": key}}]
    )
    assert next(record["AccountId"] for record in org.records("Contact") if record["Id"] == result.id) == account


@pytest.mark.parametrize("content_type", FORMATS)
def test_hard_delete_leaves_nothing(client: Any, org: Emulator, content_type: str) -> None:
    (record_id,) = org.insert("Contact", [{"LastName": "Gone"}])
    (result,) = run(client, client.create_job("hardDelete", "Contact", content_type), [{"Id": record_id}])
    assert result.success
    assert record_id not in {record["Id"] for record in org.records("Contact", include_deleted=True)}


@pytest.mark.parametrize("content_type", ["ZIP_CSV", "ZIP_JSON", "ZIP_XML"])
def test_attachments_go_in_by_zip(client: Any, org: Emulator, content_type: str) -> None:
    (parent,) = org.insert("Account", [{"Name": "With files"}])
    name = unique("a")
    content = Attachments([{"Name": name, "ParentId": parent, "Body": f"#dir/{name}"}], {f"dir/{name}": b"\x00\xff"})
    job = client.create_job("insert", "Attachment", content_type)
    (result,) = run(client, job, content)
    assert result.success, result.errors
    assert client.get_batch_request(job, client.get_all_batches(job)[0].id)[:2] == b"PK"


def test_query_that_is_split_is_waited_for_chunk_by_chunk(client: Any, org: Emulator) -> None:
    name = unique("Chunked")
    org.insert("Account", [{"Name": f"{name}-{number}"} for number in range(25)])
    job = client.create_job("query", "Account", "CSV", pk_chunking=10)
    batch = client.add_batch(job, "SELECT Id, Name FROM Account")
    done = client.wait_for_batch(job, batch.id, timeout_seconds=10, pace=QUICK).raise_for_state()
    assert done.state is BatchState.NOT_PROCESSED
    assert len(done.chunks) > 1
    found = [
        row
        for chunk in done.chunks
        for row in texts(client.get_batch_result(job, chunk.id), "Name")
        if str(row[0]).startswith(name)
    ]
    assert len(set(found)) == 25


def test_batch_of_an_aborted_job_never_ran_and_says_so(client: Any, org: Emulator) -> None:
    from bulkforce_emulator import Pace as OrgPace

    org.set_pace(OrgPace.manual())
    try:
        job = client.create_job("query", "Account", "CSV")
        batch = client.add_batch(job, "SELECT Id FROM Account")
        client.abort_job(job)
        with pytest.raises(bulkforce.BatchFailed, match="its job was aborted"):
            client.wait_for_batch(job, batch.id, timeout_seconds=10, pace=QUICK).raise_for_state()
    finally:
        org.set_pace(OrgPace.timed())


@pytest.mark.parametrize("gzip_requests", [False, True])
def test_a_file_goes_in_and_is_read_back(
    org: Emulator, client_of: Callable[..., Any], tmp_path: Any, *, gzip_requests: bool
) -> None:
    client = client_of(org.base_url, bulkforce.BearerToken(org.state.sessions.open()), gzip_requests=gzip_requests)
    file = tmp_path / "contacts.csv"
    file.write_bytes(b"\xef\xbb\xbfLastName,Description\r\n" + b'M,"a\r\nb"\r\n' * 2_000)
    job = client.create_job("insert", "Contact", "CSV", line_ending="CRLF")
    batch = client.add_batch(job, file)
    assert client.wait_for_batch(job, batch.id, timeout_seconds=600, pace=QUICK).number_records_processed == 2_000
    assert client.get_batch_request(job, batch.id) == file.read_bytes().removeprefix(b"\xef\xbb\xbf")
    assert all(result.success for result in client.get_batch_result(job, batch.id))


def test_a_job_is_told_by_its_id_as_well(client: Any) -> None:
    job = client.create_job("insert", "Contact", "JSON", concurrency_mode="Serial").id
    batch = client.add_batch(job, [{"LastName": "M"}])
    assert client.get_batch_info(job, batch.id).job_id == job
    info = client.wait_for_job(job, timeout_seconds=600, pace=QUICK)
    assert (info.number_batches_total, info.number_batches_completed, info.concurrency_mode) == (1, 1, "Serial")
    assert [each.id for each in client.get_all_batches(job)] == [batch.id]
    assert client.get_job_info(job).id == job
    assert client.close_job(job).state is JobState.CLOSED


def test_an_aborted_job_is_aborted(client: Any) -> None:
    job = client.create_job("insert", "Contact", "CSV")
    assert client.abort_job(job).state is JobState.ABORTED
    assert client.get_job_info(job).state is JobState.ABORTED


@pytest.mark.parametrize("content_type", FORMATS)
def test_several_result_files_are_merged(client_of: Callable[..., Any], content_type: str) -> None:
    from bulkforce_emulator import Limits, Settings

    with Emulator(settings=Settings(limits=Limits(query_result_bytes=2_000))) as org:
        org.insert("Contact", [{"LastName": f"M{number:03}"} for number in range(100)])
        client = client_of(org.base_url, bulkforce.BearerToken(org.session_id))
        job = client.create_job("query", "Contact", content_type)
        batch = client.add_batch(job, "SELECT Id, LastName FROM Contact ORDER BY LastName")
        client.wait_for_batch(job, batch.id, timeout_seconds=600, pace=QUICK).raise_for_state()
        ids = client.get_query_result_ids(job, batch.id)
        assert len(ids) > 1
        expected = [(f"M{number:03}",) for number in range(100)]
        assert texts(client.get_batch_result(job, batch.id), "LastName") == expected
        parts = []
        for result_id in ids:
            with client.get_query_result(job, batch.id, result_id) as stream:
                parts.append(b"".join(stream))
        assert sum(part.count(b"M0") for part in parts) == 100


def test_a_result_is_read_like_a_file(client: Any, org: Emulator) -> None:
    last = unique("Streamed")
    org.insert("Contact", [{"LastName": last}])
    job = client.create_job("query", "Contact", "CSV")
    batch = client.add_batch(job, f"SELECT LastName FROM Contact WHERE LastName = '{last}'")
    client.wait_for_batch(job, batch.id, timeout_seconds=600, pace=QUICK)
    (result_id,) = client.get_query_result_ids(job, batch.id)
    with client.get_query_result(job, batch.id, result_id) as stream:
        assert stream.read(11) == b'"LastName"\n'
        assert stream.read().strip() == f'"{last}"'.encode()


def test_pk_chunking_finds_every_record_once(client: Any, org: Emulator) -> None:
    ids = set(org.insert("Lead", [{"LastName": f"L{number}", "Company": "C"} for number in range(50)]))
    job = client.create_job("query", "Lead", "CSV", pk_chunking=10)
    client.add_batch(job, "SELECT Id FROM Lead")
    client.wait_for_job(job, timeout_seconds=600, pace=QUICK)
    batches = client.get_all_batches(job)
    assert sum(batch.state is BatchState.NOT_PROCESSED for batch in batches) == 1
    found = [
        row[0]
        for batch in batches
        if batch.state is BatchState.COMPLETED
        for row in texts(client.get_batch_result(job, batch.id), "Id")
    ]
    assert len(found) == len(set(found))
    assert ids <= set(found)


def test_a_spec_maps_foreign_columns(client: Any, org: Emulator) -> None:
    last = unique("Mapped")
    job = client.create_job("insert", "Lead", "CSV")
    client.create_spec(job, "Salesforce Field,Csv Header,Value,Hint\nLastName,Nachname,,\nCompany,,Acme,\n")
    (result,) = run(client, job, f"Nachname\n{last}\n")
    assert result.success, result.errors
    assert next(record["Company"] for record in org.records("Lead") if record["LastName"] == last) == "Acme"


def test_infos_have_aware_times_and_numbers(client: Any) -> None:
    job = client.create_job("insert", "Contact", "CSV")
    assert job.created_date.tzinfo is not None
    assert (job.number_batches_total, job.api_version) == (0, 66.0)
    assert client.get_job_info(job.id) == job
