"""Recorded answers, spoilt: whatever comes in an answer's place, a call ends in a value or in an error of bulkforce
that shows no record."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias

import pytest
from tests.conformance.loader import Call, Conversation, Exchange, conversations
from tests.conformance.matching import Values
from tests.support.chains import held_by

import bulkforce as bf
from bulkforce.protocol import rest
from bulkforce.protocol.exchange import Answer, Request
from bulkforce.protocol.flow import ask

URL = "https://acme.my.salesforce.com"
MARK = "Q7zMarkerOfARecord"
ROUNDS, SEED = 4_000, 20_261
CONTENT = re.compile(
    r"/(result|request|result/[^/]+|successfulResults|failedResults|unprocessedrecords|results(\?.*)?)$"
)

Made: TypeAlias = Callable[[bf.Client], object]


@dataclass(frozen=True)
class Given:
    """An answer as it was recorded."""

    status: int
    media: str
    body: bytes
    records: bool = False

    def answer(self, request: Request, *, streamed: bool) -> Answer:
        headers = {"content-type": self.media}
        if streamed and self.status < 300:
            return Answer(request, self.status, headers, stream=Blocks(self.body))
        return Answer(request, self.status, headers, self.body)


@dataclass
class Blocks:
    body: bytes
    framed: bool = True

    def __iter__(self) -> Iterator[bytes]:
        return iter([self.body[:7], self.body[7:]])

    def close(self) -> None:
        pass


@dataclass
class Saying:
    """A transport that gives the answers in turn, and the last one for ever."""

    answers: Sequence[Given]
    place: int = 0

    def send(self, request: Request, url: str, headers: dict[str, str], *, streamed: bool) -> Answer:
        given = self.answers[min(self.place, len(self.answers) - 1)]
        self.place += 1
        return given.answer(request, streamed=streamed)

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class Recorded:
    """A call with the answers that it got; the session of the login among them is ours."""

    name: str
    call: Made
    answers: tuple[Given, ...]
    auth: bf.Auth

    def play(self, answers: Sequence[Given]) -> object:
        with bf.Client(URL, self.auth, retry=bf.RetryPolicy(attempts=1), transport=Saying(answers)) as client:
            made = self.call(client)
            if isinstance(made, bf.ResultStream):
                with made:
                    made = made.read()
            elif isinstance(made, bf.BatchInfo):
                made.raise_for_state()
            return made


def _made(conversation: Conversation, exchange: Exchange, call: Call) -> Recorded:
    values = Values({"base_url": URL})
    played = [next(each for each in conversation.exchanges if each.name == name) for name in call.plays] or [exchange]
    answers = tuple(_given(each, values) for each in played)
    args = {name: values.fill(value) if isinstance(value, str) else value for name, value in call.args.items()}
    auth = {
        name: values.fill(value) for name, value in (call.auth or {"kind": "BearerToken", "token": "00D!x"}).items()
    }
    kind = auth.pop("kind")
    if call.call == "add_batch":
        args = {"job": _csv_job(args["job"]), "content": "Id\n1\n"}
    if call.call.endswith(("_results", "_records", "upload")):
        args["job"] = _job_2_0(args["job"], bf.QueryJobInfo if "query" in call.call else bf.IngestJobInfo)
    if call.call == "upload":
        args["content"] = "Id\n1\n"
    if "mapping_csv" in args:
        args["mapping_csv"] = "Salesforce Field,Csv Header,Value,Hint\nName,N,,\n"
    return Recorded(
        f"{conversation.name}: {exchange.name}, {call.call}",
        lambda client: _whole(getattr(client, call.call)(**args)),
        answers,
        getattr(bf, kind)(**auth),
    )


def _whole(made: object) -> object:
    """A list is asked for when it is read."""
    return list(made) if isinstance(made, Generator) else made


def _given(exchange: Exchange, values: Values) -> Given:
    answer = exchange.answer
    body = values.fill((answer.body if answer.sample is None else answer.sample) or "").strip().encode()
    records = answer.status < 300 and CONTENT.search(exchange.request.path) is not None and b"752" not in body
    return Given(answer.status, answer.headers.get("Content-Type", ""), body, records)


def _job_2_0(job_id: str, kind: type[bf.IngestJobInfo | bf.QueryJobInfo]) -> bf.IngestJobInfo | bf.QueryJobInfo:
    """A job that is known well enough not to be asked for first."""
    return kind(
        id=job_id,
        operation=bf.Operation.QUERY,
        state=bf.Job2State.JOB_COMPLETE,
        column_delimiter=bf.ColumnDelimiter.COMMA,
        line_ending=bf.LineEnding.LF,
        api_version=66.0,
    )


def _csv_job(job_id: str) -> bf.JobInfo:
    return bf.JobInfo(
        id=job_id,
        operation=bf.Operation.INSERT,
        object="Contact",
        state=bf.JobState.OPEN,
        content_type=bf.ContentType.CSV,
    )


REST: dict[str, tuple[Made, object]] = {
    "describe": (
        lambda client: client.driver.run(ask(rest.describe("Contact"))),
        {"name": "Contact", "fields": [{"name": "Id", "type": "id", "length": 18, "referenceTo": []}]},
    ),
    "limits": (
        lambda client: client.driver.run(ask(rest.allowance())),
        {"DailyBulkApiBatches": {"Max": 15_000, "Remaining": 7}},
    ),
    "count": (
        lambda client: client.driver.run(ask(rest.count_records("Contact"))),
        {"totalSize": 7, "done": True, "records": []},
    ),
    "refusal": (
        lambda client: client.driver.run(ask(rest.describe("Nope"))),
        [{"errorCode": "NOT_FOUND", "message": "no"}],
    ),
}


@cache
def recorded() -> tuple[Recorded, ...]:
    bulk = [
        _made(conversation, exchange, call)
        for conversation in conversations()
        for exchange in conversation.exchanges
        for call in exchange.calls
    ]
    others = [
        Recorded(
            f"rest: {name}",
            call,
            (Given(404 if name == "refusal" else 200, "application/json", json.dumps(value).encode()),),
            bf.BearerToken("x"),
        )
        for name, (call, value) in REST.items()
    ]
    return (*bulk, *others)


# What is done to an answer.


def _cut(chance: random.Random, body: bytes) -> bytes:
    return body[: chance.randint(0, len(body))]


def _flip(chance: random.Random, body: bytes) -> bytes:
    spoilt = bytearray(body)
    for _ in range(chance.randint(1, 4)):
        if spoilt:
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
    return bytes(spoilt)


def _twice(chance: random.Random, body: bytes) -> bytes:
    start, end = sorted(chance.randint(0, len(body)) for _ in range(2))
    return body[:end] + body[start:end] + body[end:]


def _insert(chance: random.Random, body: bytes) -> bytes:
    place = chance.randint(0, len(body))
    junk = chance.choice(
        [
            b"\xff\xfe",
            b"\x00",
            b"\xed\xa0\x80",
            b"&x;",
            b"<![CDATA[",
            b"<!--",
            b"]]>",
            b'"',
            b"\\",
            b"\n",
            b"\r",
            b",",
            b"<a>",
            b"{",
            b"[",
            b"<!DOCTYPE a>",
        ]
    )
    return body[:place] + junk + body[place:]


def _encode(chance: random.Random, body: bytes) -> bytes:
    return body.decode("utf-8", "replace").encode(
        chance.choice(["utf-16", "utf-16-be", "utf-32", "utf-7", "cp037"]), "replace"
    )


def _nest(chance: random.Random, body: bytes) -> bytes:
    depth = chance.choice([50, 1_100, 30_000])
    left, right = chance.choice(
        [(b"[", b"]"), (b'{"a":', b"}"), (b"<a>", b"</a>"), (b"<results>", b"</results>"), (b'"', b'"')]
    )
    place = chance.randint(0, len(body))
    return chance.choice(
        [left * depth + body + right * depth, left * depth, body[:place] + left * depth + right * depth + body[place:]]
    )


def _enlarge(chance: random.Random, body: bytes) -> bytes:
    huge = chance.choice(
        [
            b"9" * 5_000,
            b"1e999",
            b"-1",
            b"18446744073709551616",
            b"0x10",
            b"NaN",
            b"1.5",
            b"",
            b"9999-99-99T99:99:99.000Z",
            b"0001-01-01T00:00:00+14:00",
        ]
    )
    numbers = list(re.finditer(rb"\d[\d.:TZ+-]*", body))
    if not numbers:
        return body
    found = chance.choice(numbers)
    return body[: found.start()] + huge + body[found.end() :]


def _retype(chance: random.Random, body: bytes) -> bytes:
    other = chance.choice(
        [b"null", b"7", b"-1.5e300", b"true", b"[]", b"{}", b'["x"]', b'{"a":{}}', b'""', b"<b/>", b"<b>x</b>"]
    )
    values = list(re.finditer(rb'(?<=:)("[^"]*"|[\d.]+|true|false|null|\[[^\]]*\])|(?<=>)[^<>\n]+(?=<)', body))
    if not values:
        return other
    found = chance.choice(values)
    return body[: found.start()] + other + body[found.end() :]


def _splice(chance: random.Random, body: bytes) -> bytes:
    other = chance.choice(chance.choice(recorded()).answers).body
    return body[: chance.randint(0, len(body))] + other[chance.randint(0, len(other)) :]


SPOILING: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _cut,
    _flip,
    _twice,
    _insert,
    _encode,
    _nest,
    _enlarge,
    _retype,
    _splice,
)
MEDIA = (
    "application/xml",
    "application/json",
    "text/csv",
    "text/html",
    "text/xml",
    "",
    "application/octet-stream",
    ";",
    "application/json;charset=utf-16",
)
STATUS = (200, 201, 200, 202, 204, 206, 302, 400, 401, 403, 404, 429, 500, 503)


def spoil(chance: random.Random, given: Given) -> Given:
    spoilt = given
    for _ in range(chance.randint(1, 2)):
        spoilt = replace(spoilt, body=chance.choice(SPOILING)(chance, spoilt.body))
    if chance.random() < 0.1:
        spoilt = replace(spoilt, media=chance.choice(MEDIA))
    if chance.random() < 0.1:
        spoilt = replace(spoilt, status=chance.choice(STATUS))
    return spoilt


def marked(given: Given) -> Given:
    """Make every value of a record one that can be found again; ids and flags stay what they are."""
    body = re.sub(rb'(?<=:)"(?!true"|false"|\d)[^"]+"', f'"{MARK}"'.encode(), given.body)
    body = re.sub(rb"(?<=>)(?!true<|false<|75)[^<>\s][^<>]*(?=</)", MARK.encode(), body)
    if given.media.startswith("text/csv"):
        head, _, rows = body.partition(b"\n")
        body = head + b"\n" + re.sub(rb'"(?!true"|false")[^",\n]+"', f'"{MARK}"'.encode(), rows)
    return replace(given, body=body)


def test_recorded_answers_are_understood_as_they_are() -> None:
    """Else spoiling them would show nothing."""
    ends = Counter(_end(each, each.answers)[0] for each in recorded())
    assert ends["value"] > 150
    assert ends["error"] > 30
    assert set(ends) == {"value", "error"}


def _end(each: Recorded, answers: Sequence[Given]) -> tuple[str, bf.Error | None]:
    try:
        each.play(answers)
    except bf.Error as error:
        return "error", error
    return "value", None


@pytest.mark.parametrize("part", range(4))
def test_spoilt_answers_end_in_values_or_errors_that_show_no_record(part: int) -> None:
    seed = SEED + part
    print(f"seed {seed}")
    chance = random.Random(seed)
    ends: Counter[str] = Counter()
    for number in range(ROUNDS // 4):
        each = chance.choice(recorded())
        answers = list(each.answers)
        place = chance.randrange(len(answers))
        holds = answers[place].records
        if holds:
            answers[place] = marked(answers[place])
        answers[place] = spoil(chance, answers[place])
        where = (
            f"seed {seed}, round {number}: {each.name}: {answers[place].status} {answers[place].media} "
            f"{answers[place].body[:300]!r}"
        )
        try:
            end, error = _end(each, answers)
        except BaseException as foreign:
            foreign.add_note(where)
            raise
        ends[end] += 1
        if holds and error is not None:
            assert MARK not in held_by(error), where
    assert min(ends["value"], ends["error"]) > 50
