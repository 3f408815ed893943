"""Flows run by hand: each effect is answered from a script, and every effect is remembered.

No socket, no clock, no waiting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from bulkforce.protocol.exchange import Answer, Request
from bulkforce.protocol.flow import Authenticate, Credentials, Effect, Elapsed, Flow, Now, Policy, Send, Sleep
from bulkforce.protocol.retry import RetryPolicy

ACME = "https://acme.my.salesforce.com"
FIRST = Credentials(ACME, "00D!first")
SECOND = Credentials(ACME, "00D!second")
NAMESPACE = "http://www.force.com/2009/06/asyncapi/dataload"

Line: TypeAlias = Answer | Exception
"""What a script says to a request: an answer, or what the transport raises."""


def said(
    body: bytes | str = b"", status: int = 200, media: str = "application/xml", headers: Mapping[str, str] | None = None
) -> Answer:
    """An answer of the org; the request it belongs to is filled in when it is given."""
    content = body.encode() if isinstance(body, str) else body
    return Answer(Request("GET", "/x"), status, {"content-type": media, **(headers or {})}, content)


def xml(root: str, members: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><{root}\n   xmlns="{NAMESPACE}">{members}</{root}>'


def refused(code: str, message: str = "no", status: int = 400) -> Answer:
    return said(
        xml("error", f"<exceptionCode>{code}</exceptionCode><exceptionMessage>{message}</exceptionMessage>"), status
    )


def batch_info(state: str, batch_id: str = "751B") -> str:
    return xml("batchInfo", f"<id>{batch_id}</id><jobId>750A</jobId><state>{state}</state>")


def job_info(state: str = "Open", operation: str = "insert", content_type: str = "CSV") -> str:
    return xml(
        "jobInfo",
        f"<id>750A</id><operation>{operation}</operation><object>Contact</object><state>{state}</state><contentType>{content_type}</contentType>",
    )


@dataclass
class Script:
    """Answers effects; ``clock`` moves with every pause."""

    lines: list[Line]
    logins: list[Credentials | Exception] = field(default_factory=lambda: [FIRST, SECOND])
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    clock: float = 0.0
    current: Credentials | None = None
    effects: list[Effect] = field(default_factory=list)

    def run(self, flow: Flow[Any]) -> Any:
        try:
            effect = next(flow)
            while True:
                self.effects.append(effect)
                effect = self._carry_out(flow, effect)
        except StopIteration as done:
            return done.value

    def _carry_out(self, flow: Flow[Any], effect: Effect) -> Effect:
        match effect:
            case Send(request):
                line = self.lines.pop(0)
                return flow.throw(line) if isinstance(line, Exception) else flow.send(_told(line, request))
            case Authenticate(stale):
                if self.current is None or stale is not None:
                    login = self.logins.pop(0)
                    if isinstance(login, Exception):
                        return flow.throw(login)
                    self.current = login
                return flow.send(self.current)
            case Sleep(seconds):
                self.clock += seconds
                return flow.send(None)
            case Policy():
                return flow.send(self.policy)
            case Elapsed() | Now():
                return flow.send(self.clock)

    @property
    def sent(self) -> list[Request]:
        return [effect.request for effect in self.effects if isinstance(effect, Send)]

    @property
    def tokens(self) -> list[str | None]:
        return [
            effect.credentials.access_token if effect.credentials else None
            for effect in self.effects
            if isinstance(effect, Send)
        ]

    @property
    def pauses(self) -> list[float]:
        return [effect.seconds for effect in self.effects if isinstance(effect, Sleep)]


def _told(answer: Answer, request: Request) -> Answer:
    return replace(answer, request=request)


def script(flow: Flow[Any], lines: Iterable[Line]) -> Any:
    """Run a flow against the lines, all of which must be asked for."""
    played = Script(list(lines))
    outcome = played.run(flow)
    assert played.lines == []
    return outcome
