"""salesforce-bulk at work: CSV and XML jobs, PK chunking, a spec."""

from __future__ import annotations

from typing import Any

import unicodecsv
from cases import ORG, VALUES, run
from salesforce_bulk import BulkApiError, CsvDictsAdapter, SalesforceBulk

bulk = SalesforceBulk(sessionId=ORG["session_id"], host=ORG["base_url"], API_version="60.0")


def send(job: str, rows: list[dict[str, str | None]]) -> list[Any]:
    batch = bulk.post_batch(job, CsvDictsAdapter(iter(rows)))
    bulk.wait_for_batch(job, batch, sleep_interval=0.05)
    bulk.close_job(job)
    return [list(one) for one in bulk.get_batch_results(batch, job)]


def ask(soql: str, *, everything: bool = False, **options: Any) -> list[dict[str, str]]:
    make = bulk.create_queryall_job if everything else bulk.create_query_job
    job = make("Contact", contentType="CSV", **options)
    first = bulk.query(job, soql)
    rows: list[dict[str, str]] = []
    if options:
        batches = [batch["id"] for batch in bulk.get_batch_list(job) if batch["state"] != "NotProcessed"]
    else:
        batches = [first]
    for batch in batches:
        bulk.wait_for_batch(job, batch, sleep_interval=0.05)
        for result in bulk.get_all_results_for_query_batch(batch, job):
            rows += unicodecsv.DictReader(result, encoding="utf-8")
    bulk.close_job(job)
    return rows


def contacts(department: str, count: int) -> list[str]:
    job = bulk.create_insert_job("Contact", contentType="CSV")
    return [
        one[0]
        for one in send(
            job, [{"LastName": f"{department} {number}", "Department": department} for number in range(count)]
        )
    ]


def nasty_values_arrive() -> Any:
    job = bulk.create_insert_job("Contact", contentType="CSV")
    return send(
        job,
        [{"LastName": str(place), "Department": "nasty", "Description": value} for place, value in enumerate(VALUES)],
    )


def nasty_values_come_out() -> Any:
    return {
        row["LastName"]: row["Description"]
        for row in ask("SELECT LastName, Description FROM Contact WHERE Department = 'nasty'")
    }


def update() -> Any:
    ids = contacts("update", 3)
    return [
        ids,
        send(bulk.create_update_job("Contact", contentType="CSV"), [{"Id": one, "FirstName": "Ada"} for one in ids]),
    ]


def upsert() -> Any:
    rows: list[dict[str, str | None]] = [{"Badge__c": f"B{number}", "LastName": f"L{number}"} for number in range(3)]
    first = send(bulk.create_upsert_job("Contact", "Badge__c", contentType="CSV"), rows[:2])
    second = send(bulk.create_upsert_job("Contact", "Badge__c", contentType="CSV"), rows)
    return [first, second]


def delete() -> Any:
    ids = contacts("delete", 2)
    results = send(bulk.create_delete_job("Contact", contentType="CSV"), [{"Id": one} for one in ids])
    soql = "SELECT Id, IsDeleted FROM Contact WHERE Department = 'delete'"
    return [results, ask(soql), ask(soql, everything=True)]


def hard_delete() -> Any:
    ids = contacts("hard", 2)
    results = send(bulk.create_job("Contact", "hardDelete", contentType="CSV"), [{"Id": one} for one in ids])
    return [results, ask("SELECT Id FROM Contact WHERE Department = 'hard'", everything=True)]


def failing_rows() -> Any:
    job = bulk.create_insert_job("Contact", contentType="CSV", concurrency="Serial")
    return send(
        job,
        [
            {"LastName": "good", "Email": ""},
            {"LastName": "", "Email": "a@example.com"},
            {"LastName": "mail", "Email": "no"},
        ],
    )


def failing_rows_in_xml() -> Any:
    job = bulk.create_insert_job("Contact", contentType="XML")
    body = (
        '<?xml version="1.0" encoding="UTF-8"?><sObjects xmlns="http://www.force.com/2009/06/asyncapi/dataload">'
        "<sObject><LastName>good</LastName></sObject><sObject><FirstName>nobody</FirstName></sObject></sObjects>"
    )
    batch = bulk.post_batch(job, body)
    bulk.wait_for_batch(job, batch, sleep_interval=0.05)
    return [list(one) for one in bulk.get_batch_results(batch, job)]


def failing_rows_in_json() -> Any:
    job = bulk.create_insert_job("Contact", contentType="JSON")
    batch = bulk.post_batch(job, '[{"LastName": "good"}, {"FirstName": "nobody"}]')
    bulk.wait_for_batch(job, batch, sleep_interval=0.05)
    return [list(one) for one in bulk.get_batch_results(batch, job)]


def pk_chunking() -> Any:
    contacts("chunks", 250)
    rows = ask("SELECT Id FROM Contact WHERE Department = 'chunks'", pk_chunking=100)
    return [len(rows), len({row["Id"] for row in rows})]


def mapping_file() -> Any:
    job = bulk.create_insert_job("Contact", contentType="CSV")
    bulk.post_mapping_file(job, b"Salesforce Field,Csv Header,Value,Hint\nLastName,Surname,,\nDepartment,,mapped,\n")
    return send(job, [{"Surname": "Lovelace"}])


def aborted_job() -> Any:
    job = bulk.create_insert_job("Contact", contentType="CSV")
    bulk.abort_job(job)
    state = bulk.job_state(job)
    try:
        bulk.post_batch(job, b"LastName\nx\n")
    except BulkApiError as error:
        return [state, str(error)]
    return [state]


def job_status() -> Any:
    job = bulk.create_insert_job("Contact", contentType="CSV", concurrency="Parallel")
    status = bulk.job_status(job)
    return {
        name: status[name]
        for name in ("state", "operation", "object", "contentType", "concurrencyMode", "numberBatchesTotal")
    }


def bad_soql() -> Any:
    return ask("SELECT Nonsense FROM Contact")


def bad_session() -> Any:
    return SalesforceBulk(sessionId="00Dnonsense", host=ORG["base_url"], API_version="60.0").create_insert_job(
        "Contact", contentType="CSV"
    )


run({
    case.__name__: case
    for case in (
        nasty_values_arrive, nasty_values_come_out, update, upsert, delete, hard_delete, failing_rows, failing_rows_in_xml, failing_rows_in_json,
        pk_chunking, mapping_file, aborted_job, job_status, bad_soql, bad_session,
    )
})  # fmt: skip
