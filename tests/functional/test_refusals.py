"""Bad input and bad days: a clear error, nothing lost, nothing done twice."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.functional.colours import QUICK
from tests.functional.test_operations import QUICK as PACE

import bulkforce
from bulkforce import errors
from bulkforce_emulator import Emulator, Fault

SECRETS = ("client_secret", "refresh_token", "password", "session_id")
_numbers = itertools.count(1)


def check(org: Emulator, error: BaseException) -> None:
    """No error shows a secret."""
    for secret in SECRETS:
        assert getattr(org, secret) not in f"{error!s}{error!r}{error.args}"


def count(org: Emulator, method: str, end: str) -> int:
    return sum(request.method == method and request.path.endswith(end) for request in org.requests)


@pytest.mark.parametrize(
    ("operation", "name", "content_type", "kind"),
    [
        ("upsert", "Contact", "CSV", errors.UsageError),
        ("merge", "Contact", "CSV", errors.UsageError),
        ("insert", "Contact", "YAML", errors.UsageError),
        ("insert", "No_Such_Object__c", "CSV", errors.NotFound),
        ("insert", "No_Such_Object__c", "JSON", errors.NotFound),
    ],
)
def test_job_that_cannot_be_is_refused(
    client: Any, org: Emulator, operation: str, name: str, content_type: str, kind: type[errors.Error]
) -> None:
    before = len(org.requests)
    with pytest.raises(kind) as caught:
        client.create_job(operation, name, content_type)
    if kind is errors.UsageError:
        assert len(org.requests) == before
    else:
        assert (caught.value.status, caught.value.code, caught.value.method) == (400, "InvalidJob", "POST")
        assert caught.value.path == "/services/async/66.0/job"
    check(org, caught.value)


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("CSV", "LastName,FirstName\nM\n"),
        ("CSV", 'LastName\n"M\n'),
        ("CSV", 'LastName\n5" pipe\n'),
        ("CSV", ""),
        ("CSV", "LastName\n"),
        ("CSV", '[{"LastName":"M"}]'),
        ("CSV", b"LastName\n\xff\n"),
        ("JSON", '{"LastName":"M"}'),
        ("JSON", "LastName\nM\n"),
        ("JSON", ""),
        ("XML", "<sObjects><sObject>"),
        ("XML", '<!DOCTYPE x [<!ENTITY e "M">]><sObjects><sObject><LastName>&e;</LastName></sObject></sObjects>'),
        ("XML", ""),
        ("ZIP_CSV", b"no zip"),
        ("CSV", "LastName\n" + "M\n" * 10_001),
        ("CSV", "LastName\n" + "x" * 131_073),
        ("JSON", "[" + " " * 10_000_000 + "]"),
    ],
    ids=lambda value: str(value)[:40],  # one is of ten million characters, and each name goes from process to process
)
def test_content_that_does_not_fit_is_refused_before_anything_is_sent(
    client: Any, org: Emulator, content_type: str, content: str | bytes
) -> None:
    job = client.create_job("insert", "Contact", content_type)
    with pytest.raises(errors.FormatError) as caught:
        client.add_batch(job, content)
    assert count(org, "POST", f"{job.id}/batch") == 0
    check(org, caught.value)


@pytest.mark.parametrize("content", ["\ufeffLastName\nM\n", "LastName\r\nM\r\n", 'LastName\n"a\nb"\n', "LastName\rM\r"])
def test_content_that_is_only_unusual_goes_in(client: Any, content: str) -> None:
    job = client.create_job("insert", "Contact", "CSV")
    batch = client.add_batch(job, content)
    client.wait_for_batch(job, batch.id, timeout_seconds=600, pace=PACE).raise_for_state()
    assert [result.success for result in client.get_batch_result(job, batch.id)] == [True]


@pytest.mark.parametrize(
    ("content_type", "content"),
    [("CSV", "LastName,Foo__c\nM,1\n"), ("JSON", [{"LastName": "M", "Foo__c": 1}]), ("XML", [{"Foo__c": 1}])],
)
def test_unknown_field_fails_the_batch_and_says_so(client: Any, content_type: str, content: Any) -> None:
    job = client.create_job("insert", "Contact", content_type)
    batch = client.wait_for_batch(job, client.add_batch(job, content).id, timeout_seconds=600, pace=PACE)
    with pytest.raises(errors.BatchFailed, match="Foo__c"):
        batch.raise_for_state()
    with pytest.raises(errors.RefusedError) as caught:
        client.get_batch_result(job, batch.id)
    assert (caught.value.job_id, caught.value.batch_id, caught.value.code) == (job.id, batch.id, "InvalidBatch")


@pytest.mark.parametrize("soql", ["SELECT Nope__c FROM Contact", "SELECT Id FROM Account", "SELECT FROM", "hello"])
def test_bad_soql_fails_the_batch_and_says_so(client: Any, soql: str) -> None:
    job = client.create_job("query", "Contact", "CSV")
    batch = client.wait_for_batch(job, client.add_batch(job, soql).id, timeout_seconds=600, pace=PACE)
    with pytest.raises(errors.BatchFailed, match="Failed to process query"):
        batch.raise_for_state()


def test_unknown_job_batch_and_result_are_not_found(client: Any, org: Emulator) -> None:
    job = client.create_job("query", "Contact", "CSV")
    batch = client.add_batch(job, "SELECT Id FROM Contact LIMIT 1")
    client.wait_for_batch(job, batch.id, timeout_seconds=600, pace=PACE)
    nobody = "000000000000AAA"
    calls: list[Callable[[], Any]] = [
        lambda: client.get_job_info("750" + nobody),
        lambda: client.get_batch_info(job, "751" + nobody),
        lambda: client.get_batch_result(job, "751" + nobody),
        lambda: client.get_batch_request(job, "751" + nobody),
        lambda: client.add_batch("750" + nobody, "LastName\nM\n"),
        lambda: client.close_job("750" + nobody),
        lambda: client.get_query_result(job, batch.id, "752" + nobody),
    ]
    for call in calls:
        with pytest.raises((errors.NotFound, errors.InvalidRequest)) as caught:
            call()
        assert caught.value.status is not None
        assert 400 <= caught.value.status < 500
        check(org, caught.value)


def test_closed_job_takes_no_batch_and_no_second_close(client: Any) -> None:
    job = client.create_job("insert", "Contact", "CSV")
    client.close_job(job)
    calls: list[Callable[[], Any]] = [lambda: client.close_job(job), lambda: client.add_batch(job, "LastName\nM\n")]
    for call in calls:
        with pytest.raises(errors.InvalidRequest, match="look at the job's state") as caught:
            call()
        assert (caught.value.status, caught.value.code, caught.value.job_id) == (400, "InvalidJobState", job.id)


def test_every_way_to_log_in_opens_the_org(org: Emulator, client_of: Callable[..., Any], key_pem: str) -> None:
    token_url = org.base_url + "/services/oauth2/token"
    for auth in (
        bulkforce.BearerToken(org.state.sessions.open()),
        bulkforce.RefreshToken(org.client_id, org.client_secret, org.refresh_token),
        bulkforce.RefreshToken(org.client_id, "", org.refresh_token, token_url),
        bulkforce.ClientCredentials(org.client_id, org.client_secret),
        bulkforce.JWTBearer(org.client_id, org.username, key_pem, token_url=token_url),
        bulkforce.UsernamePassword(org.username, org.password),
        bulkforce.UsernamePassword(org.username, org.password, login_url=org.base_url),
        bulkforce.UsernamePassword(
            org.username, org.password, client_id=org.client_id, client_secret=org.client_secret
        ),
    ):
        assert client_of(org.base_url, auth).create_job("insert", "Contact", "CSV").id.startswith("750")


@pytest.fixture(scope="module")
def key_pem() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def test_wrong_credentials_are_refused(org: Emulator, client_of: Callable[..., Any]) -> None:
    for auth in (
        bulkforce.BearerToken("00D!wrong-token-of-nobody"),
        bulkforce.RefreshToken(org.client_id, org.client_secret, "wrong-token-of-nobody"),
        bulkforce.ClientCredentials(org.client_id, "wrong-token-of-nobody"),
        bulkforce.UsernamePassword(org.username, "wrong-token-of-nobody"),
    ):
        with pytest.raises(errors.NotAuthenticated) as caught:
            client_of(org.base_url, auth).get_job_info("750000000000000AAA")
        assert "wrong-token-of-nobody" not in f"{caught.value!r}"
        assert caught.value.status in {400, 401, 500}
        check(org, caught.value)


def test_expired_session_is_renewed_and_the_call_repeated(client: Any, org: Emulator) -> None:
    job = client.create_job("insert", "Contact", "CSV")
    steps: list[Callable[[], Any]] = [
        lambda: client.add_batch(job, "LastName\nM\n"),
        lambda: client.get_job_info(job),
        lambda: client.close_job(job),
    ]
    for step in steps:
        logins = count(org, "POST", "/services/oauth2/token")
        org.expire_sessions()
        step()
        assert count(org, "POST", "/services/oauth2/token") == logins + 1
    assert len(client.get_all_batches(job)) == 1


@pytest.mark.parametrize("rotate", [False, True])
def test_expired_session_is_renewed_once_for_many_threads(org: Emulator, *, rotate: bool) -> None:
    threads = 16
    rules = org.state.sessions.rules
    rules.rotate_refresh_tokens = rotate
    try:
        refresh_token = org.state.sessions.new_refresh_token(org.state.sessions.full_scope)
        with bulkforce.Client(
            org.base_url, bulkforce.RefreshToken(org.client_id, org.client_secret, refresh_token), retry=QUICK
        ) as client:
            job = client.create_job("insert", "Contact", "CSV")
            logins = count(org, "POST", "/services/oauth2/token")
            org.expire_sessions()
            start = threading.Barrier(threads)

            def look(_: int) -> str:
                start.wait(600)
                return client.get_job_info(job).id

            with ThreadPoolExecutor(threads) as pool:
                assert set(pool.map(look, range(threads))) == {job.id}
        assert count(org, "POST", "/services/oauth2/token") == logins + 1
    finally:
        rules.rotate_refresh_tokens = False


@pytest.mark.parametrize("kind", ["answer lost", "request lost", "upload reset"])
def test_lost_answer_to_a_batch_is_an_unknown_outcome_and_is_not_repeated(
    client: Any, org: Emulator, kind: Any
) -> None:
    job = client.create_job("insert", "Contact", "CSV")
    org.faults.add(Fault(kind, "POST", "*/batch", after_bytes=1))
    before = count(org, "POST", f"{job.id}/batch")
    with pytest.raises(errors.OutcomeUnknown, match="check the job") as caught:
        client.add_batch(job, "LastName\nM\n")
    assert caught.value.job_id == job.id
    assert count(org, "POST", f"{job.id}/batch") <= before + 1
    assert len(client.get_all_batches(job)) == (1 if kind == "answer lost" else 0)
    check(org, caught.value)


@pytest.mark.parametrize("acted", [False, True])
@pytest.mark.parametrize("status", [500, 502, 503])
def test_server_error_to_a_batch_is_an_unknown_outcome(client: Any, org: Emulator, status: int, *, acted: bool) -> None:
    job = client.create_job("insert", "Contact", "CSV")
    org.faults.add(Fault("status", "POST", "*/batch", status=status, acted=acted))
    with pytest.raises(errors.OutcomeUnknown):
        client.add_batch(job, "LastName\nM\n")
    assert len(client.get_all_batches(job)) == int(acted)


def test_lost_answer_to_a_new_job_leaves_an_empty_one(client: Any, org: Emulator) -> None:
    org.faults.add(Fault("answer lost", "POST", "*/job"))
    with pytest.raises(errors.OutcomeUnknown, match="harmless"):
        client.create_job("insert", "Contact", "CSV")


@pytest.mark.parametrize(
    "fault",
    [
        Fault("answer lost", "GET", "*/job/*", times=2),
        Fault("request lost", "GET", "*/job/*", times=2),
        Fault("status", "GET", "*/job/*", times=2, status=503),
        Fault("status", "GET", "*/job/*", times=1, status=503, retry_after=0),
        Fault("answer cut", "GET", "*/job/*", times=2),
        Fault("answer cut", "GET", "*/job/*", times=2, keep_length=False),
    ],
    ids=lambda fault: fault.kind,
)
def test_what_reads_is_repeated_until_it_works(client: Any, org: Emulator, fault: Fault) -> None:
    job = client.create_job("insert", "Contact", "CSV")
    org.faults.add(fault)
    before = org.faults.struck
    assert client.get_job_info(job).id == job.id
    assert org.faults.struck == before + fault.times


def test_what_reads_is_given_up_after_the_last_attempt(client: Any, org: Emulator) -> None:
    job = client.create_job("insert", "Contact", "CSV")
    org.faults.add(Fault("status", "GET", "*/job/*", times=3, status=503))
    with pytest.raises(errors.Unavailable, match="503"):
        client.get_job_info(job)
    assert client.get_job_info(job).id == job.id


def test_long_retry_after_is_not_waited_for(client: Any, org: Emulator) -> None:
    job = client.create_job("insert", "Contact", "CSV")
    org.faults.add(Fault("status", "GET", "*/job/*", status=503, retry_after=3_600))
    with pytest.raises(errors.Unavailable) as caught:
        client.get_job_info(job)
    assert caught.value.retry_after_seconds == 3_600


@pytest.mark.parametrize("status", [200, 403, 404])
def test_page_of_a_proxy_is_a_clear_error(client: Any, org: Emulator, status: int) -> None:
    job = client.create_job("query", "Contact", "CSV")
    batch = client.add_batch(job, "SELECT Id FROM Contact LIMIT 1")
    client.wait_for_batch(job, batch.id, timeout_seconds=600, pace=PACE)
    (result_id,) = client.get_query_result_ids(job, batch.id)
    calls: list[Callable[[], Any]] = [
        lambda: client.get_job_info(job),
        lambda: client.get_all_batches(job),
        lambda: client.get_batch_request(job, batch.id),
        lambda: client.get_batch_result(job, batch.id),
        lambda: client.get_query_result(job, batch.id, result_id),
        lambda: client.add_batch(job, "SELECT Id FROM Contact LIMIT 1"),
        lambda: client.create_spec(job, "x"),
    ]
    for call in calls:
        org.faults.add(Fault("answer replaced", status=status))
        with pytest.raises(errors.Error, match="text/html") as caught:
            call()
        assert caught.value.status == status


def test_file_cut_on_the_way_is_not_a_short_file(client: Any, org: Emulator) -> None:
    org.insert("Contact", [{"LastName": f"Cut{number}"} for number in range(200)])
    job = client.create_job("query", "Contact", "CSV")
    batch = client.add_batch(job, "SELECT Id, LastName FROM Contact")
    client.wait_for_batch(job, batch.id, timeout_seconds=600, pace=PACE).raise_for_state()
    (result_id,) = client.get_query_result_ids(job, batch.id)
    for keep_length in (True, False):
        org.faults.add(Fault("answer cut", "GET", "*/result/*", keep_length=keep_length))
        with (
            client.get_query_result(job, batch.id, result_id) as stream,
            pytest.raises(errors.NoAnswer, match="broke off"),
        ):
            b"".join(stream)
    org.faults.add(Fault("answer truncated", "GET", "*/result/*"))
    with client.get_query_result(job, batch.id, result_id) as stream, pytest.raises(errors.NoAnswer, match="broke off"):
        b"".join(stream)


def test_wait_ends_when_its_time_is_over(client: Any, org: Emulator) -> None:
    from bulkforce_emulator import Pace

    org.set_pace(Pace.manual())
    try:
        job = client.create_job("insert", "Contact", "CSV")
        batch = client.add_batch(job, "LastName\nM\n")
        with pytest.raises(errors.JobNotDone):
            client.wait_for_batch(job, batch.id, timeout_seconds=0.02, pace=PACE)
        with pytest.raises(errors.JobNotDone):
            client.wait_for_job(job, timeout_seconds=0, pace=PACE)
        org.advance(3)
        client.wait_for_job(job, timeout_seconds=600, pace=PACE)
    finally:
        org.set_pace(Pace.timed())
