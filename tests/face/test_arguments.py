"""Whatever is handed over: a call takes it, or says by an error of ours what is wrong with it."""

from __future__ import annotations

import datetime as dt
import inspect
import io
import math
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any

import pytest
from tests.face.odd import ODD, refusal
from tests.functional.colours import connect
from tests.support.chains import held_by

import bulkforce as bf
from bulkforce.protocol.exchange import Answer, Request

MARKER = "Zebrafink"
CSV = b"Name,Note\nx,1\n"
JOB = "750000000000001AAA"


class NoOrg:
    """A transport to nowhere."""

    def send(self, request: Request, url: str, headers: dict[str, str], *, streamed: bool) -> Answer:
        raise bf.NotSent("There is no org")

    def close(self) -> None:
        pass


@pytest.fixture(params=["sync", "async"])
def client(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_bytes(CSV)
    url, auth = "https://acme.my.salesforce.com", bf.BearerToken("00D!x")
    with connect(request.param, url, auth, retry=bf.RetryPolicy(attempts=1), transport=NoOrg()) as client:
        yield client


# Of each parameter a value that is right.
RIGHT: dict[str, Any] = {
    "source": "a.csv",
    "object": "Contact",
    "content_type": "CSV",
    "operation": "insert",
    "soql": "SELECT Id, SystemModstamp FROM Contact",
    "to": "out.csv",
    "run": "no-such-run",
    "job": JOB,
    "batch_id": "751000000000001AAA",
    "result_id": "752000000000001AAA",
    "content": CSV,
    "mapping_csv": "Salesforce Field,Csv Header,Value,Hint\nName,N,,\n",
    "state": "Closed",
    "dry_run": True,
}
CALLS = [
    name
    for name, member in vars(bf.Client).items()
    if not name.startswith("_") and inspect.isfunction(member) and name != "close"
]


def parameters(call: str) -> list[str]:
    signature = inspect.signature(getattr(bf.Client, call))
    return [name for name in signature.parameters if name != "self"]


def right_for(call: str) -> dict[str, Any]:
    needed = inspect.signature(getattr(bf.Client, call)).parameters.values()
    return {
        one.name: RIGHT[one.name]
        for one in needed
        if one.name in RIGHT and (one.default is one.empty or one.name in {"soql", "dry_run"})
    }


@pytest.mark.parametrize("odd", ODD.values(), ids=list(ODD))
@pytest.mark.parametrize("call", CALLS)
def test_argument_of_any_kind_is_taken_or_refused(client: Any, call: str, odd: Callable[[], object]) -> None:
    for name in parameters(call):
        value = odd()
        if name in {"on_progress", "on_event"} and value is int:
            # It can be called, and what it raises then is its own.
            continue
        try:
            found = getattr(client, call)(**{**right_for(call), name: value})
            if call == "query":
                list(found)
        except bf.Error:
            pass


STRICT = ["dry_run", "empty_as_null", "excel", "all_rows", "disable_batch_retry", "workers", "batch_records"]
STRICT += ["poll", "max_api_calls", "progress"]
BIG = {"a number of many digits", "a number of very many digits"}
TAKEN = {
    "workers": {"nothing"} | BIG,
    "batch_records": {"nothing"},
    "poll": {"nothing", "a fraction"},
    "max_api_calls": {"nothing"} | BIG,
}


@pytest.mark.parametrize(
    ("call", "name"),
    [(call, name) for call in CALLS for name in parameters(call) if name in STRICT],
    ids=lambda one: f"{one}",
)
def test_number_or_flag_that_is_none_is_refused_before_anything_is_sent(
    client: Any, call: str, name: str, tmp_path: Path
) -> None:
    taken = TAKEN.get(name, {"nothing", "a truth"})
    for odd, value in ODD.items():
        if odd in taken:
            continue
        told = refusal(odd, partial(getattr(client, call), **{**right_for(call), name: value()}))
        assert isinstance(told, (bf.UsageError, bf.FormatError))
        assert name in str(told) or f"number of {name}" in str(told) or "batch" in str(told)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "a.csv"]


# What the caller's own code raises is the caller's.


class Own(Exception):
    pass


def raising(error: BaseException) -> Iterator[dict[str, str]]:
    yield {"Name": "x"}
    raise error


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    "error",
    [
        Own(MARKER),
        KeyError(MARKER),
        OSError(5, MARKER),
        ConnectionResetError(MARKER),
        sqlite3.OperationalError(MARKER),
        ValueError(MARKER),
    ],
)
def test_what_the_given_records_raise_comes_through_as_it_is(
    client: Any, tmp_path: Path, error: Exception, dry_run: bool
) -> None:
    with pytest.raises(type(error)) as caught:
        client.load(raising(error), "Contact", "insert", dry_run=dry_run, run_dir=tmp_path / "run")
    assert caught.value is error
    assert not (tmp_path / "run").exists()
    with pytest.raises(type(error)) as caught:
        client.add_batch(
            bf.JobInfo(
                id=JOB,
                operation=bf.Operation.INSERT,
                object="Contact",
                state=bf.JobState.OPEN,
                content_type=bf.ContentType.CSV,
            ),
            raising(error),
        )
    assert caught.value is error


def closed() -> io.BytesIO:
    file = io.BytesIO(CSV)
    file.close()
    return file


def for_writing() -> IO[bytes]:
    return Path("out").open("wb")


def as_text() -> IO[str]:
    return Path("a.csv").open(encoding="utf-8")


class Broken(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize(
    "make", [closed, Broken, for_writing, as_text], ids=["closed", "broken", "for writing", "text"]
)
def test_open_file_that_cannot_be_read_is_told(client: Any, make: Callable[[], Any]) -> None:
    job = bf.JobInfo(
        id=JOB, operation=bf.Operation.INSERT, object="Contact", state=bf.JobState.OPEN, content_type=bf.ContentType.CSV
    )
    sends: list[Callable[[Any], Any]] = [
        lambda file: client.load(file, "Contact", "insert", dry_run=True),
        lambda file: client.add_batch(job, file),
    ]
    for send in sends:
        file = make()
        with pytest.raises(bf.UsageError, match=r"cannot be read|open as text"):
            send(file)
        file.close()


# Values that cannot be written, in records of every kind of job.


def endless() -> dict[str, object]:
    record: dict[str, object] = {"Name": MARKER}
    record["Parent"] = record
    return record


RECORDS: dict[str, Callable[[], object]] = {
    "half a surrogate pair": lambda: {"Name": MARKER + "\ud800"},
    "a name with half a surrogate pair": lambda: {"Name\ud800": MARKER},
    "a name that is a number": lambda: {1: MARKER},
    "a name that is nothing": lambda: {None: MARKER},
    "a parent's name that is a number": lambda: {"Parent": {1: MARKER}},
    "an integer of many digits": lambda: {"Name": MARKER, "N__c": 10**5_000},
    "an integer of more than 64 bits": lambda: {"Name": MARKER, "N__c": 2**70},
    "no number": lambda: {"Name": MARKER, "N__c": math.nan},
    "any object": lambda: {"Name": MARKER, "N__c": object()},
    "a list": lambda: {"Name": [MARKER]},
    "a set": lambda: {"Name": {MARKER}},
    "a parent of a parent without end": endless,
    "a moment out of range in UTC": lambda: {"Name": MARKER, "N__c": dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=9)))},
    "a type of a parent that is none": lambda: {"Who": {"attributes": {"type": "\ud800"}, "Email": MARKER}},
    "no record": lambda: MARKER,
    "a pair": lambda: (MARKER, MARKER),
}  # fmt: skip


@pytest.mark.parametrize("content_type", ["CSV", "JSON", "XML"])
@pytest.mark.parametrize("make", RECORDS.values(), ids=list(RECORDS))
def test_record_that_cannot_be_written_is_refused_and_not_shown(
    client: Any, make: Callable[[], Any], content_type: bf.ContentType
) -> None:
    job = bf.JobInfo(
        id=JOB,
        operation=bf.Operation.INSERT,
        object="Contact",
        state=bf.JobState.OPEN,
        content_type=bf.ContentType(content_type),
    )
    good = {"Name": "x"}
    sends: list[Callable[[], Any]] = [
        lambda: client.add_batch(job, [good, make()]),
        lambda: client.load([good, make()], "Contact", "insert", dry_run=True),
    ]
    for send in sends:
        with pytest.raises(bf.Error) as caught:
            send()
        assert MARKER not in held_by(caught.value)
        # What can be written in this format has come as far as the org, which is not there.
        assert (
            isinstance(caught.value, bf.NotSent)
            or getattr(caught.value, "row", None) == 2
            or "surrogate" in str(caught.value)
        )
