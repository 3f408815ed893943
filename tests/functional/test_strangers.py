"""Something between answers in the org's place, over real sockets: nothing it says is taken for the org's word, and
nothing is sent twice for it."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.extraction import QUERY, QUICK, bring, read, seeded, sitting_of, stored
from tests.support.rehearsal import BRISK, SCHEMA, Load, Rows, changes, read_csv, settle
from tests.wire.gateway import Gateway, Passing, Reply

import bulkforce as bf
from bulkforce.extract import verb as extract
from bulkforce.extract.asking import ExtractOptions
from bulkforce_emulator import Emulator
from bulkforce_emulator.mishaps import Mishap

PAGE = b"<!DOCTYPE html><html><head><title>Blocked</title></head><body>InvalidSessionId</body></html>"
XML_WORD = b'<error xmlns="http://www.force.com/2009/06/asyncapi/dataload"><exceptionCode>InvalidSessionId</exceptionCode></error>'
REPLIES = {
    "400 page": Reply(400, PAGE),
    "400 JSON": Reply(400, b'{"message":"Bad Request","error":"Bad Request","status":400}', "application/json"),
    "400 error document as a page": Reply(400, XML_WORD),
    "400 error document of another vocabulary": Reply(
        400, XML_WORD.replace(b"force.com", b"gateway.example"), "application/xml"
    ),
    "401 page": Reply(401, PAGE),
    "401 of another API": Reply(
        401, b'[{"errorCode":"INVALID_SESSION_ID","message":"Session expired"}]', "application/json"
    ),
    "403 page": Reply(403, PAGE),
    "404 JSON": Reply(404, b'{"message":"no Route matched with those values"}', "application/json"),
    "404 nothing": Reply(404, b"", ""),
    "408 page": Reply(408, PAGE),
    "413 page": Reply(413, PAGE),
    "429 page": Reply(429, PAGE),
    "429 page, later": Reply(429, PAGE, headers={"Retry-After": "0"}),
    "429 page, at a date": Reply(429, PAGE, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    "302": Reply(302, b"", "", {"Location": "https://login.example/?sid=1"}),
    "202": Reply(202, b"", ""),
    "200 login page": Reply(200, PAGE),
    "200 JSON": Reply(200, b'{"message":"ok"}', "application/json"),
    "204": Reply(204, b"", ""),
    "502 page": Reply(502, PAGE),
}
DISTINCT = Rows(("Code__c",), [(f"row {number}",) for number in range(34)])
BATCH, RESULT, JOB, LIST = r"/job/\w+/batch$", r"/result$", r"/job/\w+$", r"/job/\w+/batch$"


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        yield org


@pytest.fixture
def lasting_org(running: Emulator) -> Iterator[Emulator]:
    yield running
    settle(running)


@pytest.fixture
def org() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        yield org


@pytest.fixture
def gateway(lasting_org: Emulator) -> Iterator[Gateway]:
    with Gateway(lasting_org.base_url) as gateway:
        yield gateway


def instead(reply: Reply, *, acted: bool) -> Callable[[Passing], Reply]:
    def rule(passing: Passing) -> Reply:
        if acted:
            passing.forward()
        return reply

    return rule


def posted(gateway: Gateway) -> Counter[tuple[str, bytes]]:
    """Count what reached the org, by job and content."""
    return Counter(
        (path, body) for method, path, body in gateway.passed if method == "POST" and path.endswith("/batch")
    )


@pytest.mark.parametrize(
    ("who", "acted"),
    [
        *((who, True) for who in REPLIES),
        *((who, False) for who in ("400 JSON", "401 page", "429 page, later", "200 login page")),
    ],
)
def test_load_is_exactly_once_whatever_a_gateway_says_to_a_batch(
    lasting_org: Emulator, gateway: Gateway, tmp_path: Path, who: str, *, acted: bool
) -> None:
    load = Load(lasting_org, tmp_path, DISTINCT, url=gateway.url, auth=bf.RefreshToken(*secrets(lasting_org)))
    gateway.speak("POST", BATCH, instead(REPLIES[who], acted=acted), nth=2, times=2)
    load.check(load.begin())
    assert max(posted(gateway).values()) == 1
    assert len([asked for asked in gateway.asked if asked[1].endswith("/oauth2/token")]) == 1


def secrets(org: Emulator) -> tuple[str, str, str]:
    return org.client_id, org.client_secret, org.refresh_token


@pytest.mark.parametrize("acted", [True, False])
@pytest.mark.parametrize("who", list(REPLIES))
def test_call_that_acts_is_made_once_whatever_a_gateway_says(
    lasting_org: Emulator, gateway: Gateway, who: str, *, acted: bool
) -> None:
    with bf.Client(gateway.url, bf.RefreshToken(*secrets(lasting_org)), retry=QUICK) as client:
        job = client.create_job("insert", "Row__c", "CSV")
        calls: list[tuple[str, Callable[[], Any]]] = [
            (BATCH, lambda: client.add_batch(job, "Code__c\nx\n")),
            (JOB, lambda: client.close_job(job)),
            (JOB, lambda: client.abort_job(job)),
            (r"/job$", lambda: client.create_job("insert", "Row__c", "CSV")),
            (r"/spec$", lambda: client.create_spec(job, "Salesforce Field,Csv Header,Value,Hint\nCode__c,Code,,\n")),
        ]
        logins = len([path for _, path in gateway.asked if path.endswith("/token")])
        for path, call in calls:
            before = len(gateway.asked)
            gateway.speak("POST", path, instead(REPLIES[who], acted=acted))
            with pytest.raises(bf.OutcomeUnknown, match="not known whether the org acted") as caught:
                call()
            assert caught.value.code is None
            assert len(gateway.asked) == before + 1
        assert len(client.get_all_batches(job)) == int(acted)
    assert len([path for _, path in gateway.asked if path.endswith("/token")]) == logins == 1


@pytest.mark.parametrize("who", list(REPLIES))
def test_call_that_reads_never_tells_a_gateways_word_as_the_orgs(
    lasting_org: Emulator, gateway: Gateway, who: str
) -> None:
    with bf.Client(gateway.url, bf.BearerToken(lasting_org.session_id), retry=replace(QUICK, attempts=1)) as client:
        job = client.create_job("query", "Row__c", "CSV")
        batch = client.add_batch(job, QUERY)
        client.wait_for_batch(job, batch.id)
        (result_id,) = client.get_query_result_ids(job, batch.id)
        for call in (
            lambda: client.get_job_info(job),
            lambda: client.get_all_batches(job),
            lambda: client.get_batch_info(job, batch.id),
            lambda: client.get_batch_request(job, batch.id),
            lambda: client.get_batch_result(job, batch.id),
            lambda: client.get_query_result_ids(job, batch.id),
            lambda: client.get_query_result(job, batch.id, result_id),
        ):
            gateway.speak("GET", "/job/", instead(REPLIES[who], acted=True))
            with pytest.raises((bf.ProtocolError, bf.Unavailable)) as caught:
                call()
            assert caught.value.code is None
            assert caught.value.status == REPLIES[who].status


def test_wait_that_a_gateway_asks_for_is_kept(lasting_org: Emulator, gateway: Gateway, tmp_path: Path) -> None:
    load = Load(lasting_org, tmp_path, DISTINCT, url=gateway.url, options={"workers": 1})
    gateway.speak("POST", BATCH, instead(Reply(429, PAGE, headers={"Retry-After": "1"}), acted=True), nth=2)
    begun = time.monotonic()
    load.check(load.begin())
    assert time.monotonic() - begun > 1.0
    assert max(posted(gateway).values()) == 1


@pytest.mark.parametrize(
    "who",
    [
        "400 page",
        "400 JSON",
        "400 error document as a page",
        "404 JSON",
        "200 JSON",
        "200 login page",
        "429 page, later",
    ],
)
def test_rows_that_a_failed_batch_has_saved_are_told_whatever_a_gateway_says_to_its_results(
    lasting_org: Emulator, gateway: Gateway, tmp_path: Path, who: str
) -> None:
    load = Load(lasting_org, tmp_path, Rows(("Code__c",), [(f"row {number}",) for number in range(6)]), url=gateway.url)
    lasting_org.mishaps.plan(Mishap("TooManyLockFailure", after_rows=5))
    gateway.speak("GET", RESULT, instead(REPLIES[who], acted=False), times=3)
    report = load.begin()
    assert (report.succeeded, report.failed, report.unprocessed) == (5, 0, 1)
    assert [row[2:] for row in read_csv(load.run_dir / "success.csv")[1:]] == load.source.rows[:5]
    assert load.books.accepted(("Code__c",)) == Counter(load.source.rows[:5])


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", LIST), ("GET", RESULT), ("GET", JOB), ("GET", r"/request$"), ("POST", JOB)],
    ids=["list", "results", "job", "request", "close"],
)
@pytest.mark.parametrize("who", ["400 JSON", "404 JSON", "200 login page"])
def test_load_waits_a_gateway_out(
    lasting_org: Emulator, gateway: Gateway, tmp_path: Path, method: str, path: str, who: str
) -> None:
    load = Load(lasting_org, tmp_path, DISTINCT, url=gateway.url)
    gateway.speak("POST", BATCH, instead(REPLIES["429 page"], acted=True), nth=2)  # so that there is a doubt to settle
    gateway.speak(method, path, instead(REPLIES[who], acted=True), times=2)
    load.check(load.begin())
    assert {job.state for job in load.books.jobs} == {"closed"}


@pytest.mark.parametrize("who", ["401 page", "404 JSON", "404 nothing"])
def test_resume_does_not_take_a_gateways_word_for_a_job_that_is_gone(org: Emulator, tmp_path: Path, who: str) -> None:
    with Gateway(org.base_url) as gateway:
        load = Load(org, tmp_path, url=gateway.url, patience=replace(BRISK, trouble_seconds=0.05))
        gateway.speak("GET", LIST, instead(REPLIES["502 page"], acted=False), times=1_000)
        with pytest.raises(bf.Interrupted):
            load.begin()
        before = len(changes(org))
        gateway.speak("GET", JOB, instead(REPLIES[who], acted=False))
        with pytest.raises(bf.Error) as caught:
            load.resume()
        assert not isinstance(caught.value, (bf.Unsettled, bf.NotFound))
        assert "kept for 7 days" not in str(caught.value)
        assert len(changes(org)) == before
        gateway.clear()
        load.check(load.resume())


def told(reply: Reply, **changes: str) -> Reply:
    """The org's own answer, some members changed on the way; the first of each name."""
    body = reply.body
    for name, value in changes.items():
        body = re.sub(rf"<{name}>[^<]*<".encode(), f"<{name}>{value}<".encode(), body, count=1)
    assert body != reply.body
    return replace(reply, body=body)


OTHER_JOB = "750000000000ZZZAAA"


@pytest.mark.parametrize("acted", [True, False])
def test_job_is_closed_for_good_although_a_close_says_that_it_is_open(
    lasting_org: Emulator, gateway: Gateway, tmp_path: Path, *, acted: bool
) -> None:
    """A 200 is not believed: what stays open could still take a late twin."""
    load = Load(lasting_org, tmp_path, DISTINCT, url=gateway.url)
    opened: dict[str, Reply] = {}

    def look(passing: Passing) -> Reply:
        opened["job"] = passing.forward()
        return opened["job"]

    def close(passing: Passing) -> Reply:
        assert b"Closed" in passing.body
        if acted:
            return told(passing.forward(), state="Open")
        return replace(opened["job"], status=200)

    gateway.speak("POST", r"/job$", look)
    gateway.speak("POST", BATCH, instead(REPLIES["429 page"], acted=True), nth=2)
    gateway.speak("POST", JOB, close, times=2)
    load.check(load.begin())
    assert {job.state for job in load.books.jobs} == {"closed"}


@pytest.mark.parametrize("lie", [{"id": ""}, {"id": "no id"}, {"jobId": OTHER_JOB}, {"state": "Done"}], ids=str)
def test_batch_whose_answer_is_about_another_is_found_and_not_sent_again(
    lasting_org: Emulator, gateway: Gateway, tmp_path: Path, lie: dict[str, str]
) -> None:
    load = Load(lasting_org, tmp_path, DISTINCT, url=gateway.url)
    gateway.speak("POST", BATCH, lambda passing: told(passing.forward(), **lie), nth=2)
    load.check(load.begin())
    assert max(posted(gateway).values()) == 1


@pytest.mark.parametrize(
    "lie",
    [{"operation": "delete"}, {"object": "Account"}, {"contentType": "XML"}, {"state": "Closed"}, {"id": ""}],
    ids=str,
)
def test_nothing_is_sent_into_a_job_that_is_not_the_one_asked_for(
    lasting_org: Emulator, gateway: Gateway, tmp_path: Path, lie: dict[str, str]
) -> None:
    load = Load(lasting_org, tmp_path, DISTINCT, url=gateway.url)
    gateway.speak("POST", r"/job$", lambda passing: told(passing.forward(), **lie))
    with suppress(bf.OutcomeUnknown):
        load.begin()
    assert not load.books.jobs[0].batches
    with bf.Client(gateway.url, bf.BearerToken(lasting_org.session_id), retry=QUICK) as client:
        gateway.speak("POST", r"/job$", lambda passing: told(passing.forward(), **lie))
        with pytest.raises(bf.OutcomeUnknown, match="an empty job may have been left behind"):
            client.create_job("insert", "Row__c", "CSV")


@pytest.mark.parametrize("who", ["400 JSON", "404 JSON", "200 JSON"])
@pytest.mark.parametrize("path", [LIST, RESULT, r"/result/\w+$"], ids=["list", "results", "result"])
def test_extract_goes_on_after_a_gateway_has_spoken(tmp_path: Path, who: str, path: str) -> None:
    with seeded(40) as org, Gateway(org.base_url) as gateway:
        gateway.speak("GET", path, instead(REPLIES[who], acted=False), times=3)
        with bf.Client(gateway.url, bf.BearerToken(org.session_id), retry=QUICK) as client:
            with suppress(bf.Interrupted):
                bring(org, tmp_path, client=client, pk_chunking=20)
            gateway.clear()
            # Whether it waited the gateway out or stopped, it can be gone on with.
            extract.resume_extract(sitting_of(client), tmp_path / "run")
        assert read(tmp_path / "out.csv") == stored(org)


@pytest.mark.parametrize("who", ["403 page", "404 JSON", "200 JSON"])
def test_types_of_columns_are_not_guessed_because_a_gateway_denies_the_object(tmp_path: Path, who: str) -> None:
    with seeded(3) as org, Gateway(org.base_url) as gateway:
        gateway.speak("GET", "/describe", instead(REPLIES[who], acted=False), times=1_000)
        with bf.Client(gateway.url, bf.BearerToken(org.session_id), retry=QUICK) as client:
            asked = ExtractOptions(soql=QUERY, to=tmp_path / "out.jsonl", run_dir=tmp_path / "run", pk_chunking=False)
            with pytest.raises(bf.Interrupted, match=r"not the org's own|lacks its name or its fields"):
                extract.extract(sitting_of(client, trouble_seconds=0.05), asked)
            assert not (tmp_path / "out.jsonl").exists()
            gateway.clear()
            assert extract.resume_extract(sitting_of(client), tmp_path / "run").rows == 3


@pytest.mark.parametrize("who", ["401 page", "404 JSON", "200 login page"])
def test_allowance_and_count_that_a_gateway_hides_are_not_told_and_no_more(
    lasting_org: Emulator, gateway: Gateway, tmp_path: Path, who: str
) -> None:
    load = Load(lasting_org, tmp_path, DISTINCT, url=gateway.url)
    gateway.speak("GET", "/services/data/", instead(REPLIES[who], acted=False), times=1_000)
    load.check(load.begin())
    assert any("does not say how many more batches" in warning for warning in load.warnings)
    (outputs := tmp_path / "extract").mkdir()
    with bf.Client(gateway.url, bf.BearerToken(lasting_org.session_id), retry=QUICK) as client:
        report = bring(lasting_org, outputs, client=client, pk_chunking="auto")
    assert report.rows >= len(DISTINCT.rows)
