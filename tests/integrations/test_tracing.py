"""Spans of what a client does, as OpenTelemetry's own exporter gets them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import bulkforce as bf
from bulkforce.tracing import trace
from bulkforce_emulator import Emulator, Fault

SECRET = "Lovelace-of-nobody"
QUERY = f"SELECT Id, LastName FROM Contact WHERE LastName = '{SECRET}'"
ROWS = [{"LastName": SECRET, "Email": "no address" if number == 1 else f"a{number}@b.cd"} for number in range(5)]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Spans:
    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def all(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def work(self) -> ReadableSpan:
        """The only span of a verb."""
        (found,) = (one for one in self.all() if one.name.startswith("bulkforce "))
        return found

    def requests(self) -> list[ReadableSpan]:
        return [one for one in self.all() if one.kind is SpanKind.CLIENT]


@pytest.fixture
def spans() -> Spans:
    return Spans()


@pytest.fixture(scope="module")
def org() -> Iterator[Emulator]:
    with Emulator() as org:
        yield org


@pytest.fixture
def client(org: Emulator, spans: Spans) -> Iterator[bf.Client]:
    with bf.Client(org.base_url, auth=bf.RefreshToken(org.client_id, org.client_secret, org.refresh_token)) as client:
        yield trace(client, spans.provider)


def of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def is_child(span: ReadableSpan, parent: ReadableSpan) -> bool:
    return span.parent is not None and parent.context is not None and span.parent.span_id == parent.context.span_id


def test_load_is_a_span_with_one_within_it_for_each_request(org: Emulator, client: bf.Client, spans: Spans) -> None:
    asked = len(org.requests)
    report = client.load(ROWS, "Contact", "insert", batch_records=2, run_dir="run")
    work, requests = spans.work(), spans.requests()
    assert work.name == "bulkforce load"
    assert of(work) == {
        "bulkforce.run.id": report.run,
        "bulkforce.operation": "insert",
        "bulkforce.object": "Contact",
        "bulkforce.resumed": False,
        "bulkforce.job.ids": report.jobs,
        "bulkforce.run.state": "finished",
        "bulkforce.rows": 5,
        "bulkforce.rows.succeeded": 4,
        "bulkforce.rows.failed": 1,
        "bulkforce.rows.unprocessed": 0,
        "bulkforce.rows.rejected": 0,
        "bulkforce.rows.in_doubt": 0,
    }
    assert len(requests) == len(org.requests) - asked
    assert all(is_child(one, work) for one in requests)
    batches = [one for one in requests if one.name == "POST /services/async/{version}/job/{job}/batch"]
    assert len(batches) == 3
    assert {of(one)["bulkforce.job.id"] for one in batches} == set(report.jobs)
    assert {of(one)["http.response.status_code"] for one in batches} == {201}
    assert {of(one)["server.address"] for one in batches} == {"127.0.0.1"}
    assert sum(of(one)["http.request.body.size"] for one in batches) == report.bytes
    results = [one for one in requests if one.name.endswith("/batch/{batch}/result")]
    assert all(of(one)["http.response.body.size"] > 0 for one in results)
    assert len({of(one)["bulkforce.batch.id"] for one in results}) == 3


def test_spans_of_bulk_api_2_are_named_by_templates_as_well(client: bf.Client, spans: Spans) -> None:
    report = client.load(ROWS, "Contact", "insert", run_dir="run", api="bulk2")
    assert of(spans.work())["bulkforce.job.ids"] == report.jobs
    names = {one.name for one in spans.requests()}
    assert {
        "POST /services/data/{version}/jobs/ingest",
        "PUT /services/data/{version}/jobs/ingest/{job}/batches",
    } <= names
    assert not any("750" in name for name in names)


def test_neither_token_nor_value_is_in_a_span(org: Emulator, client: bf.Client, spans: Spans) -> None:
    client.load(ROWS, "Contact", "insert", run_dir="run")
    client.extract(QUERY, to="a.csv", run_dir="run2")
    client.count(QUERY)
    told = "".join(one.to_json() for one in spans.all())
    for secret in (SECRET, "no address", org.session_id, org.refresh_token, org.client_secret):
        assert secret not in told


def test_query_s_thread_and_the_pool_s_belong_to_the_caller_s_span(client: bf.Client, spans: Spans) -> None:
    with spans.provider.get_tracer("mine").start_as_current_span("mine"):
        list(client.query(QUERY))
    (mine,) = (one for one in spans.all() if one.name == "mine")
    assert spans.work().name == "bulkforce query"
    assert is_child(spans.work(), mine)
    assert all(is_child(one, spans.work()) for one in spans.requests())


def test_asynchronous_client_is_traced_alike(org: Emulator, spans: Spans) -> None:
    async def main() -> None:
        async with trace(bf.AsyncClient(org.base_url, bf.BearerToken(org.session_id)), spans.provider) as client:
            with spans.provider.get_tracer("mine").start_as_current_span("mine"):
                await client.load(ROWS, "Contact", "insert", run_dir="run")
                await client.create_job("insert", "Contact", "CSV")

    asyncio.run(main())
    (mine,) = (one for one in spans.all() if one.name == "mine")
    assert is_child(spans.work(), mine)
    *of_load, last = spans.requests()
    assert all(is_child(one, spans.work()) for one in of_load)
    assert (last.name, is_child(last, mine)) == ("POST /services/async/{version}/job", True)


def test_span_of_a_streamed_answer_ends_with_it(org: Emulator, client: bf.Client, spans: Spans) -> None:
    org.insert("Contact", ROWS[2:])
    job = client.create_job("query", "Contact", "CSV")
    batch = client.add_batch(job, QUERY)
    client.wait_for_batch(job, batch.id)
    (result,) = client.get_query_result_ids(job, batch.id)
    before = len(spans.requests())
    with client.get_query_result(job, batch.id, result) as stream:
        assert len(spans.requests()) == before
        size = len(stream.read())
    last = spans.requests()[-1]
    assert last.name.endswith("/result/{result}")
    assert of(last)["http.response.body.size"] == size


def test_requests_and_calls_that_fail_say_so(org: Emulator, client: bf.Client, spans: Spans) -> None:
    org.faults.add(Fault("status", "GET", "*/result", status=503))
    client.load(ROWS[:1], "Contact", "insert", run_dir="run")
    failed = [one for one in spans.requests() if one.status.status_code is StatusCode.ERROR]
    assert [of(one)["error.type"] for one in failed] == ["503"]
    assert spans.work().status.status_code is StatusCode.UNSET


def test_call_that_stops_says_why(client: bf.Client, spans: Spans) -> None:
    with pytest.raises(bf.Interrupted) as stopped:
        client.load(ROWS, "Contact", "insert", run_dir="run", max_api_calls=5)
    work = spans.work()
    assert (work.status.status_code, work.status.description) == (StatusCode.ERROR, str(stopped.value))
    assert of(work)["error.type"] == "Interrupted"
    assert of(work)["bulkforce.run.state"] == "interrupted"


def test_exception_of_the_caller_s_is_named_and_not_quoted(client: bf.Client, spans: Spans) -> None:
    def raises(_event: object) -> None:
        raise KeyError(SECRET)

    with pytest.raises(KeyError):
        client.load(ROWS, "Contact", "insert", run_dir="run", on_event=raises)
    assert of(spans.work())["error.type"] == "KeyError"
    assert SECRET not in "".join(one.to_json() for one in spans.all())


def test_nothing_is_imported_and_no_span_made_unless_asked_for(org: Emulator) -> None:
    code = f"""
import sys
import bulkforce as bf
with bf.Client({org.base_url!r}, bf.BearerToken({org.session_id!r})) as client:
    client.load([{{"LastName": "x"}}], "Contact", "insert")
print(any(name.startswith("opentelemetry") for name in sys.modules))
import bulkforce.tracing
print(any(name.startswith("opentelemetry") for name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_missing_extra_is_named(org: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    with (
        bf.Client(org.base_url, bf.BearerToken("x")) as client,
        pytest.raises(bf.MissingExtra, match=r"bulkforce\[otel\]"),
    ):
        trace(client)
