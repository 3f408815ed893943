"""The drivers, over a transport that is a plain class."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest
from tests.support.script import ACME, job_info, refused, said

import bulkforce
from bulkforce import BearerToken, RefreshToken, arguments, errors
from bulkforce.protocol import bulk1
from bulkforce.protocol.exchange import Answer, Request
from bulkforce.protocol.flow import Auth, Credentials, Flow, Sleep, ask, authenticate, policy, send
from bulkforce.protocol.retry import RetryPolicy
from bulkforce.transport.drive import Driver, make_driver
from bulkforce.transport.stopping import Stop

Runner = Callable[[Driver, Flow[Any]], Any]


def _sync(driver: Driver, flow: Flow[Any]) -> Any:
    return driver.run(flow)


def _async(driver: Driver, flow: Flow[Any]) -> Any:
    return asyncio.run(driver.arun(flow))


@pytest.fixture(params=[_sync, _async], ids=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Runner:
    runner: Runner = request.param
    return runner


class Org:
    """A transport that remembers, and answers by a rule."""

    def __init__(self, rule: Callable[[Request, dict[str, str]], Answer]) -> None:
        self.rule = rule
        self.asked: list[tuple[str, dict[str, str]]] = []

    def send(self, request: Request, url: str, headers: dict[str, str], *, streamed: bool) -> Answer:
        self.asked.append((url, headers))
        answer = self.rule(request, headers)
        return replace(answer, request=request)

    def close(self) -> None:
        pass


def driver(org: Org, auth: Auth | None = None, url: str | None = ACME, **more: Any) -> Driver:
    made = make_driver(
        url,
        auth or BearerToken("00D!token"),
        version="66.0",
        tls=None,
        proxy=None,
        timeouts=None,
        retry=more.pop("retry", None),
        gzip_requests=False,
        largest_answer_bytes=1,
        transport=org,
    )
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_driver_sends_to_the_org_with_session_and_version(run: Runner) -> None:
    org = Org(lambda *_: said(job_info()))
    assert run(driver(org), ask(bulk1.get_job_info("750A"))).id == "750A"
    url, headers = org.asked[0]
    assert url == ACME + "/services/async/66.0/job/750A"
    assert headers == {"User-Agent": "bulkforce", "Accept-Encoding": "gzip", "X-SFDC-Session": "00D!token"}


def test_driver_says_bearer_where_the_request_wants_it(run: Runner) -> None:
    org = Org(lambda *_: said())
    run(driver(org), send(Request("GET", "/x", session_header="Authorization"), Credentials(ACME, "t")))
    assert org.asked[0][1]["Authorization"] == "Bearer t"
    assert "X-SFDC-Session" not in org.asked[0][1]


def test_session_that_a_refusal_repeats_is_not_told(run: Runner) -> None:
    answer = refused("InvalidJob", "no job for 00D!token")
    with pytest.raises(errors.InvalidRequest, match=r"no job for \*\*\*") as caught:
        run(driver(Org(lambda *_: answer)), ask(bulk1.get_job_info("750A")))
    assert "00D!token" not in repr(caught.value)


def test_driver_tells_the_real_path_in_errors(run: Runner) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        run(driver(Org(lambda *_: refused("InvalidJob"))), ask(bulk1.get_job_info("750A")))
    assert caught.value.path == "/services/async/66.0/job/750A"


def test_driver_waits_less_by_chance_when_told_so() -> None:
    slept: list[float] = []

    def flow() -> Flow[None]:
        yield Sleep(4)
        yield Sleep(4, jittered=True)

    driver(Org(lambda *_: said()), sleep=slept.append, chance=lambda: 0.5).run(flow())
    assert slept == [4, 3]


def test_driver_sleeps_in_the_loop_of_asyncio() -> None:
    def flow() -> Flow[str]:
        yield Sleep(0.001, jittered=True)
        return "done"

    made = driver(Org(lambda *_: said()), sleep=lambda _: pytest.fail("a thread slept"), chance=lambda: 1.0)
    assert asyncio.run(made.arun(flow())) == "done"


def test_driver_hands_exceptions_to_the_flow(run: Runner) -> None:
    def fail(*_: object) -> Answer:
        raise errors.NoAnswer("lost")

    def flow() -> Flow[str]:
        try:
            yield from send(Request("GET", ACME))
        except errors.NoAnswer:
            return "handled"
        return "not reached"

    assert run(driver(Org(fail)), flow()) == "handled"


def test_driver_ends_a_flow_without_effects(run: Runner) -> None:
    def flow() -> Flow[int]:
        yield from ()
        return 7

    assert run(driver(Org(lambda *_: said())), flow()) == 7


def test_driver_closes_the_flow_when_it_fails(run: Runner) -> None:
    closed: list[bool] = []

    def flow() -> Flow[None]:
        try:
            yield from policy()
            raise errors.UsageError("no")
        finally:
            closed.append(True)

    with pytest.raises(errors.UsageError):
        run(driver(Org(lambda *_: said())), flow())
    assert closed == [True]


def test_cancelled_call_is_over_when_the_thread_inside_the_flow_is_and_a_second_cancellation_waits_too() -> None:
    inside, go_on = threading.Event(), threading.Event()
    steps: list[str] = []

    def flow() -> Flow[None]:
        yield from policy()
        inside.set()
        assert go_on.wait(600)
        steps.append("the step under way")
        yield from policy()
        steps.append("one more")

    async def main() -> None:
        call = asyncio.ensure_future(driver(Org(lambda *_: said())).arun(flow()))
        await asyncio.to_thread(inside.wait)
        try:
            for _ in range(2):
                call.cancel()
                for _ in range(5):
                    await asyncio.sleep(0)
                assert not call.done()
        finally:
            go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert steps == ["the step under way"]

    asyncio.run(main())


def test_call_that_is_cancelled_in_its_pause_is_over_at_once() -> None:
    closed: list[bool] = []

    def flow() -> Flow[None]:
        try:
            yield Sleep(600)
        finally:
            closed.append(True)

    async def main() -> None:
        call = asyncio.ensure_future(driver(Org(lambda *_: said())).arun(flow()))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert closed == [True]

    asyncio.run(main())


def test_cancelled_call_that_waits_for_a_thread_is_over_at_once_and_does_nothing() -> None:
    go_on = threading.Event()
    org = Org(lambda *_: said(job_info()))

    async def main() -> None:
        busy = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))

        def be_busy() -> None:
            loop.call_soon_threadsafe(busy.set)
            assert go_on.wait(600)

        before = loop.run_in_executor(None, be_busy)
        await busy.wait()
        call = asyncio.ensure_future(driver(org).arun(ask(bulk1.get_job_info("750A"))))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        go_on.set()
        await before

    asyncio.run(main())
    assert org.asked == []


def test_cancelled_call_closes_the_result_that_it_got() -> None:
    inside, go_on = threading.Event(), threading.Event()
    closed: list[bool] = []

    class Result:
        def close(self) -> None:
            closed.append(True)

    def flow() -> Flow[Result]:
        yield from policy()
        inside.set()
        assert go_on.wait(600)
        return Result()

    async def main() -> None:
        call = asyncio.ensure_future(driver(Org(lambda *_: said())).arun(flow()))
        await asyncio.to_thread(inside.wait)
        call.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await call
        assert cancelled.value.__cause__ is None

    asyncio.run(main())
    assert closed == [True]


def test_closed_driver_sends_nothing_any_more(run: Runner) -> None:
    org = Org(lambda *_: said(job_info()))
    made = driver(org)
    made.close()
    made.close()
    with pytest.raises(errors.UsageError, match="closed"):
        run(made, ask(bulk1.get_job_info("750A")))
    with pytest.raises(errors.UsageError, match="closed"):
        made.carry_out(lambda _stop: None)
    assert org.asked == []


def test_close_waits_for_work_in_other_threads_that_it_asks_to_stop() -> None:
    made = driver(Org(lambda *_: said()))
    begun, closing = threading.Event(), threading.Event()
    ended: list[str] = []

    def work(stop: Stop) -> None:
        stop.then(closing.set)
        begun.set()
        assert closing.wait(600)
        ended.append(str(stop.asked))

    with ThreadPoolExecutor(1) as pool:
        pool.submit(made.carry_out, work)
        assert begun.wait(600)
        made.close()
        assert ended == ["the client was closed"]


def test_work_that_closes_its_own_client_comes_to_its_end() -> None:
    org = Org(lambda *_: said(job_info()))
    made = driver(org)

    def work(stop: Stop) -> str:
        made.close()
        assert stop.asked
        return made.run(ask(bulk1.get_job_info("750A"))).id

    assert made.carry_out(work) == "750A"
    with pytest.raises(errors.UsageError, match="closed"):
        made.run(ask(bulk1.get_job_info("750A")))
    assert len(org.asked) == 1


def test_pause_before_another_try_is_cut_short_by_a_stop_and_the_last_fault_is_the_end() -> None:
    stop = Stop()

    def rule(_request: Request, _headers: dict[str, str]) -> Answer:
        stop.ask("the client was closed")
        return said("", 503)

    org = Org(rule)
    with pytest.raises(errors.Unavailable):
        driver(org, retry=RetryPolicy(first_seconds=600)).run(ask(bulk1.get_job_info("750A")), stop.sleep)
    assert len(org.asked) == 1


def _token_server(valid: set[str], *, patience: threading.Barrier | None = None) -> Org:
    """Accepts the tokens in ``valid``; a login makes a new one, and kills the refresh token that it was given for
    (rotation)."""
    counter = iter(range(1, 1_000))
    alive = {"r0"}

    def rule(request: Request, headers: dict[str, str]) -> Answer:
        if "oauth2" in request.path:
            assert request.body is not None
            with request.body.open() as file:
                given = dict(parse_qsl(file.read().decode()))["refresh_token"]
            if given not in alive:
                return said('{"error":"invalid_grant","error_description":"expired"}', 400, "application/json")
            number = next(counter)
            alive.clear()
            alive.add(f"r{number}")
            # A second login, if one were made at the same time, has the time to come.
            threading.Event().wait(0.02)
            valid.clear()
            valid.add(f"t{number}")
            return said(f'{{"access_token":"t{number}","refresh_token":"r{number}"}}', 200, "application/json")
        if headers["X-SFDC-Session"] not in valid:
            if patience is not None:
                patience.wait(600)
            return refused("InvalidSessionId")
        return said(job_info())

    return Org(rule)


def _logins(org: Org) -> int:
    return sum("oauth2" in url for url, _ in org.asked)


def test_session_is_renewed_once_for_many_threads() -> None:
    """All threads are refused with the same session before any of them may renew it."""
    threads = 32
    valid: set[str] = set()
    org = _token_server(valid, patience=threading.Barrier(threads))
    made = driver(org, RefreshToken("id", "s", "r0"))
    made.run(authenticate())
    valid.clear()
    with ThreadPoolExecutor(threads) as pool:
        infos = list(pool.map(lambda _: made.run(ask(bulk1.get_job_info("750A"))), range(threads)))
    assert [info.id for info in infos] == ["750A"] * threads
    assert _logins(org) == 2


def test_first_login_is_made_once_for_many_tasks() -> None:
    org = _token_server(set())
    made = driver(org, RefreshToken("id", "s", "r0"), url=None)

    async def main() -> list[Any]:
        return await asyncio.gather(*(made.arun(authenticate()) for _ in range(20)))

    assert {each.access_token for each in asyncio.run(main())} == {"t1"}
    assert _logins(org) == 1


def test_refused_renewal_leaves_the_client_usable() -> None:
    answers: Iterator[Answer] = iter(
        [said('{"access_token":"a"}'), said("", 503), said('{"access_token":"b"}')],
    )
    org = Org(
        lambda request, headers: (
            next(answers)
            if "oauth2" in request.path
            else said(job_info())
            if headers["X-SFDC-Session"] == "b"
            else refused("InvalidSessionId")
        )
    )
    made = driver(org, RefreshToken("id", "s", "r"), retry=RetryPolicy(attempts=1))
    with pytest.raises(errors.Unavailable):
        made.run(ask(bulk1.get_job_info("750A")))
    assert made.run(ask(bulk1.get_job_info("750A"))).id == "750A"


def test_session_never_goes_to_a_host_in_the_clear_that_the_login_named() -> None:
    """Not at the first call and not at the second: bad credentials are not kept."""
    org = Org(lambda *_: said('{"access_token":"00D!x","instance_url":"http://evil.example"}'))
    made = driver(org, RefreshToken("id", "s", "r"), url=None)
    for _ in range(2):
        with pytest.raises(errors.UsageError, match="in the clear"):
            made.run(ask(bulk1.get_job_info("750A")))
    assert {url for url, _ in org.asked} == {"https://login.salesforce.com/services/oauth2/token"}


@pytest.mark.parametrize("url", ["http://login.example/services/oauth2/token", "login.salesforce.com", ""])
def test_secrets_never_go_to_a_login_in_the_clear(url: str) -> None:
    org = Org(lambda *_: said("{}"))
    with pytest.raises(errors.UsageError):
        driver(org, RefreshToken("id", "s", "r", url or "/")).run(ask(bulk1.get_job_info("750A")))
    assert org.asked == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://acme.my.salesforce.com/", ACME),
        ("HTTPS://acme.my.salesforce.com", "HTTPS://acme.my.salesforce.com"),
        ("https://acme.my.salesforce.com:8443", "https://acme.my.salesforce.com:8443"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://[::1]:1", "http://[::1]:1"),
    ],
)
def test_check_url_takes_https_and_loopback(url: str, expected: str) -> None:
    assert expected == arguments.url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "acme.my.salesforce.com",
        "https://",
        "https:///x",
        "ftp://acme",
        "http://acme.my.salesforce.com",
        "http://127.0.0.1.evil.example",
        "http://127.evil.example",
        "http://localhost.evil.example",
        "http://localhost@evil.example",
        "http://[::2]",
        "https://acme:notaport",
        "https://acme:99999",
        "https://acme\\@evil.example",
        "https://acme my",
        "https://acme/?x=1",
        "https://acme#x",
        "https://[::1",
    ],
)
def test_check_url_refuses_what_is_not_safe(url: str) -> None:
    with pytest.raises(errors.UsageError):
        arguments.url(url)


def test_check_url_does_not_show_a_password() -> None:
    with pytest.raises(errors.UsageError) as caught:
        arguments.url("https://user:SECRET@acme.my.salesforce.com")
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("version", ["66.", ".0", "", "66.0.0", "٦٦.0", "66.0/../x"])
def test_version_is_checked(version: str) -> None:
    with pytest.raises(errors.UsageError, match="API version"):
        bulkforce.Client(ACME, BearerToken("x"), version=version, transport=Org(lambda *_: said()))


def test_policy_is_the_clients() -> None:
    mine = RetryPolicy(attempts=9)
    assert driver(Org(lambda *_: said()), retry=mine).run(policy()) == mine
    assert driver(Org(lambda *_: said())).run(policy()) == RetryPolicy()


@pytest.mark.parametrize("kind", [bulkforce.Client, bulkforce.AsyncClient])
def test_client_needs_an_auth(kind: Any) -> None:
    with pytest.raises(errors.UsageError, match="needs an auth"):
        kind(ACME)
