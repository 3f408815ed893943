"""`ask`: one exchange with everything that can befall it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.chains import chain_of, held_by
from tests.support.script import FIRST, SECOND, Line, Script, batch_info, job_info, refused, said

from bulkforce import errors
from bulkforce.protocol import bulk1, rest
from bulkforce.protocol.exchange import Answer, Body, Exchange, Replay
from bulkforce.protocol.flow import Authenticate, Sleep, ask
from bulkforce.protocol.retry import RetryPolicy
from bulkforce.vocabulary import ContentType, JobState

READS = bulk1.get_job_info("750A")
ADDS = bulk1.add_batch("750A", ContentType.CSV, Body.of(b"Id\n1\n"))
CREATES = bulk1.create_job(bulk1.settings("insert", "Contact", "CSV"))
CLOSES = bulk1.set_state("750A", JobState.CLOSED)
LOST = errors.NoAnswer("No answer came from acme (reset)", errors.Facts(method="POST", path="/x"))


def test_ask_reads_the_answer() -> None:
    script = Script([said(job_info())])
    assert script.run(ask(READS)).id == "750A"
    assert script.tokens == ["00D!first"]
    assert script.pauses == []


@pytest.mark.parametrize("exchange", [READS, ADDS, CREATES, CLOSES], ids=["get", "add", "create", "close"])
def test_ask_renews_an_expired_session_once_and_repeats_whatever_it_was(exchange: Exchange[object]) -> None:
    script = Script([refused("InvalidSessionId"), refused("InvalidSessionId")])
    with pytest.raises(errors.NotAuthenticated) as caught:
        script.run(ask(exchange))
    assert script.tokens == ["00D!first", "00D!second"]
    assert [effect for effect in script.effects if isinstance(effect, Authenticate)] == [
        Authenticate(None),
        Authenticate(FIRST),
    ]
    assert (caught.value.status, caught.value.code) == (400, "InvalidSessionId")
    assert script.pauses == []


def test_ask_goes_on_with_the_renewed_session() -> None:
    script = Script([refused("InvalidSessionId"), said(batch_info("Queued"), 201)])
    assert script.run(ask(ADDS)).id == "751B"


def test_ask_renews_a_session_that_rest_calls_invalid() -> None:
    expired = said('[{"errorCode":"INVALID_SESSION_ID","message":"Session expired"}]', 401, "application/json")
    script = Script([expired, said('{"totalSize":7}', media="application/json")])
    assert script.run(ask(rest.count_records("Contact"))) == 7
    assert script.tokens == ["00D!first", "00D!second"]


SESSION_WORDS = [
    said(refused("InvalidSessionId").body, 400, "text/html"),
    said(refused("InvalidSessionId").body, 401, "text/xml"),
    said("<html><title>InvalidSessionId</title>", 401, "text/html"),
    said('{"message":"InvalidSessionId","error":"Unauthorized"}', 401, "application/json"),
    said('[{"errorCode":"INVALID_SESSION_ID","message":"Session expired"}]', 401, "application/json"),
]


@pytest.mark.parametrize("exchange", [READS, ADDS, CREATES, CLOSES], ids=["get", "add", "create", "close"])
@pytest.mark.parametrize("line", SESSION_WORDS)
def test_ask_renews_no_session_on_the_word_of_a_stranger(exchange: Exchange[object], line: Answer) -> None:
    script = Script([line])
    with pytest.raises((errors.Intercepted, errors.OutcomeUnknown)):
        script.run(ask(exchange))
    assert script.logins == [SECOND]
    assert len(script.sent) == 1


def test_ask_does_not_renew_when_the_login_itself_is_what_is_wrong() -> None:
    """Another code than that of a bad session says nothing about the session's age."""
    script = Script([refused("API_DISABLED", status=401)])
    with pytest.raises(errors.NotAuthenticated):
        script.run(ask(READS))
    assert script.logins == [SECOND]


def test_ask_tells_the_refusal_when_there_is_nothing_to_renew_with() -> None:
    script = Script(
        [refused("InvalidSessionId", "Invalid session id")], logins=[FIRST, errors.NotAuthenticated("a bare token")]
    )
    with pytest.raises(errors.NotAuthenticated, match="log in again") as caught:
        script.run(ask(READS))
    assert (caught.value.status, caught.value.code, caught.value.message) == (
        400,
        "InvalidSessionId",
        "Invalid session id",
    )


LATER = errors.Unavailable("The org's answer is HTTP 503", errors.Facts(status=503))


@pytest.mark.parametrize("fault", [errors.NotSent("no connection"), LATER])
def test_ask_tries_the_login_again_when_the_fault_may_pass(fault: errors.Error) -> None:
    first = Script([said(batch_info("Queued"), 201)], logins=[fault, fault, FIRST])
    assert first.run(ask(ADDS)).id == "751B"
    renewal = Script([refused("InvalidSessionId"), said(batch_info("Queued"), 201)], logins=[FIRST, fault, SECOND])
    assert renewal.run(ask(ADDS)).id == "751B"
    assert (len(first.pauses), len(renewal.pauses)) == (2, 1)


def test_ask_gives_the_login_up_after_the_policys_attempts() -> None:
    script = Script([], logins=[LATER] * 3, policy=RetryPolicy(attempts=3))
    with pytest.raises(errors.Unavailable) as caught:
        script.run(ask(READS))
    assert caught.value is LATER
    assert len(script.pauses) == 2


def test_ask_does_not_try_a_login_again_that_was_refused() -> None:
    script = Script([], logins=[errors.NotAuthenticated("no"), FIRST])
    with pytest.raises(errors.NotAuthenticated):
        script.run(ask(READS))


def test_ask_tells_why_renewing_was_refused() -> None:
    dead = errors.NotAuthenticated("The login was refused", errors.Facts(status=400, code="invalid_grant"))
    with pytest.raises(errors.NotAuthenticated) as caught:
        Script([refused("InvalidSessionId")], logins=[FIRST, dead]).run(ask(READS))
    assert caught.value is dead


@pytest.mark.parametrize(
    "line",
    [
        LOST,
        errors.NotSent("no connection"),
        said("<html>", 503, "text/html"),
        said("", 500),
        refused("Timeout"),
        refused("InternalServerError"),
        said("slow down", 429, headers={"retry-after": "2"}),
    ],
    ids=["lost", "not sent", "503", "500", "Timeout", "InternalServerError", "429"],
)
def test_ask_repeats_what_reads_when_the_fault_may_pass(line: Line) -> None:
    script = Script([line, said(job_info())])
    assert script.run(ask(READS)).id == "750A"
    assert len(script.pauses) == 1
    assert all(effect.jittered for effect in script.effects if isinstance(effect, Sleep))


@pytest.mark.parametrize("exchange", [ADDS, CREATES, CLOSES], ids=["add", "create", "close"])
@pytest.mark.parametrize(
    "line",
    [
        LOST,
        said("<html>", 502, "text/html"),
        said("", 503, headers={"retry-after": "1"}),
        refused("InvalidBatch", status=500),
        refused("InvalidUser", status=500),
        refused("Timeout"),
        refused("InternalServerError"),
        refused("SERVER_UNAVAILABLE"),
        said("<html>", 400, "text/html"),
        said("", 401),
        said("<html>", 403, "text/html"),
        said('{"message":"no route"}', 404, "application/json"),
        said("<html>", 408, "text/html"),
        said("<html>", 429, "text/html", {"retry-after": "2"}),
        said("", 302, headers={"location": "https://login.example/"}),
        said("", 204),
        said(batch_info("Queued"), 202),
        said("<html>sign in</html>", 200, "text/html"),
        said(batch_info("Queued"), 201, "text/html"),
        said(batch_info("Queued").replace("force.com", "gateway.example"), 201),
        said(batch_info("Queued")[:-4], 201),
        said(b"\xff", 201),
        said("[" * 5_000, 201, "application/json"),
    ],
)
def test_ask_never_repeats_what_acts_when_the_org_may_have_acted(exchange: Exchange[object], line: Line) -> None:
    script = Script([line])
    with pytest.raises(errors.OutcomeUnknown) as caught:
        script.run(ask(exchange))
    assert len(script.sent) == 1
    assert caught.value.method == ("POST" if isinstance(line, Exception) else exchange.request.method)
    hint = "harmless" if exchange is CREATES else "check the job"
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [errors.NotSent("no connection"), said(refused("REQUEST_LIMIT_EXCEEDED").body, 429, headers={"retry-after": "1"})],
    ids=["not sent", "429 of the org"],
)
def test_ask_repeats_what_acts_when_the_org_certainly_did_not(line: Line) -> None:
    script = Script([line, said(batch_info("Queued"), 201)])
    assert script.run(ask(ADDS)).id == "751B"
    assert len(script.sent) == 2


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (errors.NotSent("unknown host", lasting=True), errors.NotSent),
        (refused("InvalidBatch"), errors.InvalidRequest),
        (refused("InvalidUser"), errors.NotPermitted),
        (refused("InvalidJob", "Invalid job id: 750"), errors.NotFound),
        (refused("ExceededQuota"), errors.LimitReached),
        (said("", 302, headers={"location": "https://other.example/?sid=x"}), errors.Intercepted),
        (said("<html>", 403, "text/html"), errors.Intercepted),
        (said('{"message":"no route"}', 404, "application/json"), errors.Intercepted),
    ],
)
def test_ask_gives_up_at_once_when_repeating_is_hopeless(line: Line, kind: type[errors.Error]) -> None:
    script = Script([line])
    with pytest.raises(kind):
        script.run(ask(READS))
    assert script.pauses == []


def test_ask_keeps_how_long_a_stranger_asks_to_wait() -> None:
    with pytest.raises(errors.OutcomeUnknown) as caught:
        Script([said("<html>", 429, "text/html", {"retry-after": "Thu, 01 Jan 1970 00:00:30 GMT"})]).run(ask(ADDS))
    assert caught.value.retry_after_seconds == 30


def test_ask_waits_as_long_as_a_stranger_asks() -> None:
    script = Script([said("<html>", 429, "text/html", {"retry-after": "30"}), said(job_info())])
    script.run(ask(READS))
    assert script.pauses == [30]


def test_ask_gives_the_connection_of_a_success_that_is_none_back() -> None:
    stream = _Stream()
    partial = Answer(bulk1.get_job_info("750A").request, 206, {"content-type": "text/csv"}, stream=stream)
    with pytest.raises(errors.Intercepted, match="206"):
        Script([partial]).run(ask(bulk1.get_query_result("750A", "751B", "752C")))
    assert stream.closed


class _Stream:
    closed = False
    framed = True

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"Id\n"])

    def close(self) -> None:
        self.closed = True


def test_ask_gives_up_after_the_policys_attempts_and_keeps_the_cause() -> None:
    script = Script([LOST] * 3, policy=RetryPolicy(attempts=3, first_seconds=1))
    with pytest.raises(errors.NoAnswer) as caught:
        script.run(ask(READS))
    assert script.pauses == [1, 2]
    assert caught.value is LOST
    assert LOST.__cause__ is None


def test_ask_makes_an_unknown_outcome_from_the_lost_answer() -> None:
    with pytest.raises(errors.OutcomeUnknown) as caught:
        Script([LOST]).run(ask(ADDS))
    assert caught.value.__cause__ is LOST


def test_ask_does_not_swallow_an_answer_that_makes_no_sense() -> None:
    with pytest.raises(errors.ProtocolError):
        Script([said("<html></html>", 200, "text/html")]).run(ask(READS))


@pytest.mark.parametrize(
    "error",
    [
        ValueError,
        KeyError,
        IndexError,
        OverflowError,
        RecursionError,
        AttributeError,
        TypeError,
        AssertionError,
        UnicodeError,
    ],
)
@pytest.mark.parametrize("replay", [Replay.FREELY, Replay.AFTER_RECONCILING])
def test_whatever_reading_an_answer_raises_is_an_error_of_ours_that_shows_nothing(
    error: type[Exception], replay: Replay
) -> None:
    def read(_: Answer) -> None:
        raise error("Morkel")

    exchange = Exchange(READS.request, read, replay)
    with pytest.raises(
        errors.ProtocolError if replay is Replay.FREELY else errors.OutcomeUnknown, match="cannot be understood"
    ) as caught:
        Script([said("Morkel")]).run(ask(exchange))
    assert all(isinstance(one, errors.Error) for one in chain_of(caught.value))
    assert "Morkel" not in held_by(caught.value)


def test_credentials_do_not_show_the_token() -> None:
    assert "first" not in repr(FIRST)
    assert "first" not in repr(Authenticate(FIRST))
