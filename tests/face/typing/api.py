"""What a type checker says of a user's code; run by mypy, never by Python."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import assert_type
from xml.etree.ElementTree import Element

import bulkforce as bf
from bulkforce import events
from bulkforce.tracing import trace
from bulkforce.transport.stream import AsyncResultStream


def stored(token: str) -> None: ...


rotated: Callable[[str], None] = stored
auths: list[bf.Auth] = [
    bf.BearerToken("t"),
    bf.RefreshToken("id", "s", "r", "https://login.salesforce.com/services/oauth2/token", rotated),
    bf.RefreshToken(client_id="id", client_secret="s", refresh_token="r"),
    bf.ClientCredentials("id", "s"),
    bf.JWTBearer("id", "u", b"key"),
    bf.UsernamePassword("u", "p", "t"),
]
client = bf.Client(
    "https://acme.my.salesforce.com",
    auths[0],
    version="66.0",
    tls=bf.TLS(ca_bundle=Path("ca.pem")),
    proxy="http://proxy:3128",
    timeouts=bf.Timeouts(connect_seconds=1),
    retry=bf.RetryPolicy(attempts=2),
    gzip_requests=True,
)

job = client.create_job("upsert", "Contact", "JSON", external_id_field="Ext__c")
assert_type(job, bf.JobInfo)
assert_type(client.create_job(bf.Operation.QUERY, "Contact", bf.ContentType.CSV, pk_chunking=True), bf.JobInfo)
assert_type(client.create_job("query", "Contact", "CSV", pk_chunking=100_000), bf.JobInfo)
assert_type(client.create_job("query", "Contact", "CSV", pk_chunking=bf.PKChunking(parent="Account")), bf.JobInfo)
assert_type(job.created_date, datetime | None)
assert_type(job.state, bf.JobState)
assert_type(job.number_batches_total, int | None)

for content in ("Id\n1\n", b"Id\n1\n", Path("contacts.csv"), io.BytesIO(b"Id\n1\n")):
    assert_type(client.add_batch(job, content), bf.BatchInfo)
assert_type(
    client.add_batch(job.id, [{"LastName": "M", "Birthdate": date(1989, 1, 1), "Account": {"Ext__c": "A"}}]),
    bf.BatchInfo,
)
assert_type(client.add_batch(job, ({"LastName": name} for name in "AB")), bf.BatchInfo)
assert_type(client.add_batch(job, Element("sObjects")), bf.BatchInfo)
assert_type(client.add_batch(job, bf.Attachments([{"Body": "#a"}], {"a": b"", "b": Path("b")})), bf.BatchInfo)

batch = client.get_batch_info(job, "751")
assert_type(batch.raise_for_state(), bf.BatchInfo)
assert_type(client.get_all_batches(job), list[bf.BatchInfo])
assert_type(client.get_batch_request(job, "751"), bytes)
assert_type(client.get_query_result_ids(job, "751"), list[str])
assert_type(client.wait_for_batch(job, "751", timeout_seconds=1, pace=bf.Pace(1)), bf.BatchInfo)
assert_type(client.wait_for_job(job, timeout_seconds=1), bf.JobInfo)
assert_type(client.close_job(job), bf.JobInfo)
assert_type(client.abort_job("750"), bf.JobInfo)

with client, client.get_query_result(job, "751", "752") as stream:
    assert_type(stream, bf.ResultStream)
    assert_type(stream.read(1), bytes)
    for block in stream:
        assert_type(block, bytes)

ingest = client.create_ingest_job("upsert", "Contact", external_id_field="Ext__c", column_delimiter="TAB")
assert_type(ingest, bf.IngestJobInfo)
client.upload(ingest, [{"LastName": name} for name in "AB"])
client.upload("750", Path("a.csv"))
client.upload("750", io.BytesIO(b"Id"))
assert_type(client.complete_upload(ingest), bf.IngestJobInfo)
assert_type(client.wait_for_ingest_job("750", timeout_seconds=1).raise_for_state(), bf.IngestJobInfo)
assert_type(client.list_ingest_jobs(job_type="V2Ingest"), Iterator[bf.IngestJobInfo])
with client.get_failed_results(ingest) as failed:
    assert_type(failed.rows(), Iterator[dict[str, str]])
    assert_type(failed.save("failed.csv"), int)
asked = client.create_query_job("SELECT Id FROM Contact", operation=bf.Operation.QUERY_ALL)
assert_type(asked, bf.QueryJobInfo)
with client.get_query_results(asked, "x", 5) as part:
    assert_type(part.locator, str | None)
assert_type(client.get_query_result_pages(asked).links, tuple[bf.ResultLink, ...])
stage = client.stage("Contact", "insert")
assert_type(client.resume_stage(stage.state()).write([{"LastName": "A"}]), list[str])
assert_type(stage.commit(), list[bf.IngestJobInfo])

results: list[bf.Result] = client.get_batch_result(job, "751")
assert_type(results[0].errors[0].fields, tuple[str, ...])

try:
    client.close_job(job)
except bf.LimitReached as error:
    assert_type(error.retry_after_seconds, float | None)
    assert_type(error.status, int | None)


def on_event(event: events.Event) -> None:
    match event:
        case events.BatchDone(failed=failed):
            assert_type(failed, int)
        case events.Waiting(since=since):
            assert_type(since, datetime)


assert_type(
    client.load("contacts.csv", "Contact", "insert", poll=5, max_api_calls=100, on_event=on_event), bf.LoadReport
)
assert_type(client.resume("run", on_event=on_event, progress=True), bf.LoadReport | bf.ExtractReport)
assert_type(trace(client), bf.Client)


async def main() -> None:
    async with bf.AsyncClient("https://acme.my.salesforce.com", auths[0]) as aclient:
        assert_type(await aclient.create_job("insert", "Contact", "CSV"), bf.JobInfo)
        assert_type(await aclient.get_all_batches("750"), list[bf.BatchInfo])
        assert_type(await aclient.create_ingest_job("insert", "Contact"), bf.IngestJobInfo)
        async for one in aclient.list_query_jobs():
            assert_type(one, bf.QueryJobInfo)
        async with await aclient.get_failed_results("750") as failed:
            assert_type(failed, bf.AsyncCsvStream)
        assert_type(await (await aclient.stage("Contact", "insert")).write([{"LastName": "A"}]), list[str])
        async with await aclient.get_query_result("750", "751", "752") as stream:
            assert_type(stream, AsyncResultStream)
            async for block in stream:
                assert_type(block, bytes)
