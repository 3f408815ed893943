"""aiosalesforce at work, over Bulk API 2.0 and REST.

It wants https and hosts below salesforce.com: a transport sends those to the emulated org.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx
from aiosalesforce import Salesforce
from aiosalesforce.auth import ClientCredentialsFlow, SoapLogin
from cases import ORG, VALUES, run

HOME = httpx.URL(ORG["base_url"])


class Detour(httpx.AsyncHTTPTransport):
    """Takes every request to the emulated org."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(scheme=HOME.scheme, host=HOME.host, port=HOME.port)
        return await super().handle_async_request(request)


Case = Callable[[Salesforce], Awaitable[Any]]


async def _with_client(case: Case, *, soap: bool = False) -> Any:
    async with httpx.AsyncClient(transport=Detour()) as http:
        auth = (
            SoapLogin(ORG["username"], ORG["password"], ORG["security_token"])
            if soap
            else ClientCredentialsFlow(ORG["client_id"], ORG["client_secret"])
        )
        return await case(Salesforce(http, "https://emulated.my.salesforce.com", auth, version="66.0"))


async def who(client: Salesforce) -> Any:
    return [record["Username"] async for record in client.query("SELECT Username FROM User")]


async def load(client: Salesforce, operation: str, rows: list[dict[str, Any]], **how: Any) -> Any:
    """One operation over 2.0; its own method would wait for five seconds before it looks at the job."""
    done = client.bulk_v2.ingest.perform_operation(operation, "Contact", rows, polling_interval=0.01, **how)
    return [one async for one in done]


async def made(client: Salesforce, department: str, count: int) -> list[str]:
    rows = [{"LastName": f"{department} {number}", "Department": department} for number in range(count)]
    (job,) = await load(client, "insert", rows)
    return [row["sf__Id"] for row in job.successful_results]


async def found(client: Salesforce, what: str, department: str, *, deleted: bool = False) -> list[dict[str, Any]]:
    soql = f"SELECT {what} FROM Contact WHERE Department = '{department}' ORDER BY LastName"
    return [record async for record in client.query(soql, include_all_records=deleted)]


async def nasty_values(client: Salesforce) -> Any:
    # Whether a carriage return alone is put into quotes depends on the version of Python; without, the job fails.
    values = [value and value.replace("one\rtwo", "one\ntwo") for value in VALUES]
    rows = [{"LastName": str(place), "Department": "nasty", "Description": value} for place, value in enumerate(values)]
    (job,) = await load(client, "insert", rows)
    return {
        "found": {row["LastName"]: row["Description"] for row in await found(client, "LastName, Description", "nasty")},
        "echoed": {row["LastName"]: row["Description"] or None for row in job.successful_results},
    }


async def several_jobs(client: Salesforce) -> Any:
    rows = [{"LastName": str(number), "Department": "jobs"} for number in range(5)]
    jobs = await load(client, "insert", rows, max_records=2)
    return sorted(len(job.successful_results) for job in jobs)


async def last_row_over_the_limit(client: Salesforce) -> Any:
    rows = [{"LastName": "short", "Department": "limit"}, {"LastName": "long" * 10, "Department": "limit"}]
    jobs = await load(client, "insert", rows, max_size_bytes=60)
    return [len(job.successful_results) for job in jobs]


async def update(client: Salesforce) -> Any:
    ids = await made(client, "update", 2)
    (job,) = await load(client, "update", [{"Id": one, "FirstName": "Ada"} for one in ids])
    return [row["sf__Created"] for row in job.successful_results]


async def upsert(client: Salesforce) -> Any:
    rows = [{"Badge__c": f"A{number}", "LastName": f"L{number}", "Department": "upsert"} for number in range(3)]
    await load(client, "upsert", rows[:2], external_id_field="Badge__c")
    (job,) = await load(client, "upsert", rows, external_id_field="Badge__c")
    return {row["Badge__c"]: row["sf__Created"] for row in job.successful_results}


async def delete(client: Salesforce) -> Any:
    first, second = await made(client, "delete", 2)
    await load(client, "delete", [{"Id": first}])
    await load(client, "hardDelete", [{"Id": second}])
    return [len(await found(client, "Id", "delete", deleted=deleted)) for deleted in (False, True)]


async def failing_rows(client: Salesforce) -> Any:
    rows = [{"LastName": "good", "Email": ""}, {"LastName": "", "Email": ""}, {"LastName": "mail", "Email": "no"}]
    (job,) = await load(client, "insert", rows)
    return {
        "state": job.job_info.state,
        "good": len(job.successful_results),
        "errors": [row["sf__Error"].partition(":")[0] for row in job.failed_results],
        "untried": job.unprocessed_records,
    }


async def calls(client: Salesforce) -> Any:
    ingest = client.bulk_v2.ingest
    job = await ingest.create_job("insert", "Contact")
    states = [job.state, (await ingest.get_job(job.id)).state, (await ingest.abort_job(job.id)).state]
    listed = [one.id async for one in ingest.list_jobs(is_pk_chunking_enabled=False)]
    await ingest.delete_job(job.id)
    return [*states, job.id in listed, job.id in [one.id async for one in ingest.list_jobs()]]


async def lost_commit(client: Salesforce) -> Any:
    await strike({"kind": "answer lost", "method": "PATCH"})
    return len(await load(client, "insert", [{"LastName": "once", "Department": "lost"}]))


async def strike(fault: dict[str, Any]) -> None:
    async with httpx.AsyncClient(base_url=HOME) as http:
        (await http.post("/_emulator/faults", json=fault)).raise_for_status()


async def one_record(client: Salesforce) -> Any:
    record = await client.sobject.create("Contact", {"LastName": "One", "Badge__c": "one"})
    await client.sobject.update("Contact", record, {"FirstName": "Ada"})
    read = await client.sobject.get("Contact", record, fields=["FirstName"])
    again = await client.sobject.upsert("Contact", "one", "Badge__c", {"LastName": "Two"})
    await client.sobject.delete("Contact", record)
    return [read["FirstName"], again.id == record, again.created]


async def batch(client: Salesforce) -> Any:
    async with client.composite.batch() as asked:
        created = asked.sobject.create("Contact", {"LastName": "Batch"})
        refused = asked.sobject.create("Contact", {})
        query = asked.query("SELECT Id FROM Contact WHERE LastName = 'Batch'")
    return [created.id == query.records[0]["Id"], refused.status_code, refused.result[0]["errorCode"]]


async def composite(client: Salesforce) -> Any:
    async with client.composite(all_or_none=True) as asked:
        account = asked.sobject.create("Account", {"Name": "Composite"})
        reference = str(account.reference.id)
        contact = asked.sobject.create("Contact", {"LastName": "C", "AccountId": reference})
    async with client.composite(all_or_none=True) as undone:
        undone.sobject.create("Account", {"Name": "Undone"})
        bad = undone.sobject.create("Contact", {})
    soql = f"SELECT Account.Name FROM Contact WHERE Id = '{contact.id}'"
    names = [one["Account"]["Name"] async for one in client.query(soql)]
    accounts = [one["Name"] async for one in client.query("SELECT Name FROM Account")]
    return [names, bad.status_code, accounts]


async def reference(client: Salesforce) -> Any:
    """As its documentation has it."""
    async with client.composite() as asked:
        account = asked.sobject.create("Account", {"Name": "Referred"})
        contact = asked.sobject.create("Contact", {"LastName": "C", "AccountId": account.reference.id})
    return [account.status_code, contact.status_code, contact.response_body[0]["message"]]


async def limits(client: Salesforce) -> Any:
    return {name: sorted(told) for name, told in (await client.get_limits()).items() if "Bulk" in name}


CASES = (
    nasty_values, several_jobs, last_row_over_the_limit, update, upsert, delete, failing_rows, calls, lost_commit,
    one_record, batch, composite, reference, limits,
)  # fmt: skip


def ask(case: Case, *, soap: bool = False) -> Any:
    return asyncio.run(_with_client(case, soap=soap))


run(
    {case.__name__: partial(ask, case) for case in CASES}
    | {"login_by_client_credentials": partial(ask, who), "login_by_soap": partial(ask, who, soap=True)}
)
