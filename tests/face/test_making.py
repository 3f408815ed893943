"""What a client is made of: whatever is wrong with it is known when it is made, and said by an error of ours."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import enum
import inspect
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import pytest
from tests.face.odd import ODD, refusal
from tests.support.chains import held_by

import bulkforce as bf
from bulkforce.protocol.exchange import Answer, Request

MARKER: Final = "Zebrafink"
HOST: Final = "https://acme.my.salesforce.com"
JOB: Final = "750000000000001AAA"
AUTH: Final = bf.BearerToken("00D!x")


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_bytes(b"Name\nx\n")


def built(name: str, **given: Any) -> object:
    return getattr(bf, name)(**given)


def used(name: str, **given: Any) -> object:
    """Make it, and a client of it, since some of it is only known then."""
    made = built(name, **given)
    role = {"TLS": "tls", "Timeouts": "timeouts", "RetryPolicy": "retry"}.get(name, "auth")
    return (
        made
        if isinstance(made, (bf.Client, bf.AsyncClient))
        else bf.Client(**{"instance_url": HOST, "auth": AUTH, role: cast(Any, made)})
    )


# What stands in for the parameters that have no default.
NEEDED: Final[dict[str, dict[str, object]]] = {
    "Client": {"instance_url": HOST, "auth": AUTH},
    "AsyncClient": {"instance_url": HOST, "auth": AUTH},
    "BearerToken": {"token": "x"},
    "RefreshToken": {"client_id": "x", "client_secret": "x", "refresh_token": "x"},
    "ClientCredentials": {"client_id": "x", "client_secret": "x"},
    "JWTBearer": {"client_id": "x", "username": "x", "private_key": "x"},
    "UsernamePassword": {"username": "x", "password": "x", "client_id": "x"},
    "TLS": {},
    "Timeouts": {},
    "RetryPolicy": {},
    "Pace": {},
    "PKChunking": {},
    "ColumnMap": {},
    "Attachments": {"records": []},
    "TextNotation": {},
    "SqlQuery": {"query": "SELECT 1", "database": "sqlite:///x.db"},
}
# These come out of calls, or are raised, or are the protocol's words, which Python itself looks up; nobody makes them.
GIVEN_BACK: Final = {
    "AsyncResultStream", "BatchInfo", "CheckReport", "ColumnMatch", "ErrorGroup", "ErrorSample", "ExtractProgress", "ExtractReport", "Finding", "FirstMap", "JobInfo", "LoadReport", "Progress", "QueryResult",
    "AsyncCsvStream", "AsyncStage", "Cost", "CsvStream", "Stage", "IngestJobInfo", "QueryJobInfo", "RecordError", "Result", "ResultLink", "ResultPages", "ResultStream", "ValueFinding",
}  # fmt: skip
NUMBER: Final = {"a fraction"}
COUNT: Final = {"a number of many digits", "a number of very many digits"}
TEXT: Final = {"empty", "NUL", "a long text", "lines"}
MAP: Final = {"nothing"}
# Of the odd values those that a parameter can have; all others are refused.
TAKEN: Final[dict[str, set[str]]] = {
    "instance_url": {"nothing"},
    "auth": set(),
    "version": set(),
    "tls": {"nothing"},
    "proxy": {"nothing"},
    "timeouts": {"nothing"},
    "retry": {"nothing"},
    "gzip_requests": {"a truth"},
    "largest_answer_bytes": COUNT,
    "allow_http": {"a truth"},
    "transport": {"nothing", "a generator"},  # that one can send and close
    "BearerToken.token": {"a long text"},
    "client_id": TEXT,
    "client_secret": TEXT,
    "refresh_token": TEXT,
    "refresh_url": {"nothing"},
    "on_rotation": {"nothing", "a class"},
    "token_url": {"nothing"},
    "username": TEXT,
    "password": TEXT,
    "security_token": TEXT,
    "login_url": {"nothing"},
    "private_key": {*TEXT, "bytes"},
    "audience": set(),
    "ca_bundle": {"nothing"},
    "client_certificate": {"nothing"},
    "client_key": {"nothing"},
    "client_key_password": {"nothing", *TEXT},
    "connect_seconds": NUMBER,
    "read_seconds": NUMBER,
    "exchange_seconds": NUMBER,
    "attempts": COUNT,
    "RetryPolicy.first_seconds": {*NUMBER, "zero"},
    "RetryPolicy.longest_seconds": {*NUMBER, "zero"},
    "patience_seconds": {*NUMBER, "zero"},
    "Pace.first_seconds": NUMBER,
    "Pace.longest_seconds": NUMBER,
    "growth": NUMBER,
    "size": {"nothing"},
    "parent": {"nothing", "empty", "a long text"},
    "start_row": {"nothing", "empty", "a long text"},
    "query": {*TEXT},
    "database": set(),
    "columns": set(),
    "constants": set(),
    "only_named": {"a truth"},
    "date_format": {"nothing"},
    "decimal_comma": {"a truth"},
    "time_zone": {"nothing"},
    "true": {*TEXT, "a list", "an empty list"},
    "false": {*TEXT, "a list", "an empty list"},
    "records": set(ODD)
    - {
        "nothing",
        "a negative number",
        "zero",
        "a number of many digits",
        "a number of very many digits",
        "a fraction",
        "no number",
        "a number without end",
        "a truth",
        "an object",
        "a class",
    },  # what is in them is seen when they are written
    "files": set(),
}
MAKINGS: Final = [(name, parameter) for name in NEEDED for parameter in inspect.signature(getattr(bf, name)).parameters]


def test_all_that_users_make_is_in_the_table() -> None:
    made = {name for name in bf.__all__ if inspect.isclass(getattr(bf, name))}
    foreign = {name for name in made if issubclass(getattr(bf, name), (Exception, enum.Enum))}
    assert made - foreign == {*NEEDED, *GIVEN_BACK, "Auth"}


@pytest.mark.parametrize(("name", "parameter"), MAKINGS, ids=[".".join(making) for making in MAKINGS])
def test_what_cannot_be_used_is_refused_when_it_is_made(name: str, parameter: str) -> None:
    taken = TAKEN.get(f"{name}.{parameter}", TAKEN.get(parameter, set()))
    make = used if name not in {"Pace", "PKChunking", "ColumnMap", "Attachments", "TextNotation", "SqlQuery"} else built
    for odd, value in ODD.items():
        given = {**NEEDED[name], parameter: value()}
        if odd in taken:
            make(name, **given)
            continue
        told = refusal(odd, partial(make, name, **given))
        assert isinstance(told, bf.UsageError)
        assert len(str(told)) < 600
        assert str(told).isprintable()


@pytest.mark.parametrize("client", [bf.Client, bf.AsyncClient])
@pytest.mark.parametrize(
    "proxy",
    [
        "proxy.acme.com", "proxy.acme.com:3128", "socks5://proxy.acme.com", "ftp://proxy.acme.com", "//proxy.acme.com", "http://", "http:///x",
        "http://:3128", "http://@:3128", "http://?x", "http://proxy.acme.com:0", "http://proxy.acme.com:99999", "http://proxy.acme.com:-1",
        "http://proxy.acme.com:x", "http://proxy acme.com", "http://proxy.acme.com:3128\n", "http://proxy\0.acme.com", "http://proxy\t.acme.com",
        "http://\x1b[2J.acme.com", "http://\ud800.acme.com", "http://\u202eproxy.acme.com", "http://[::1", "http://[nonsense]:3128", "http://..",
        "http://proxy..acme.com", "http://proxy.acme.com/\x1b[2J", "http://" + "x" * 100 + ".com", f"http://ada:{MARKER}@", f"http://ada:{MARKER}@proxy.acme.com:x",
        f"http://ada:{MARKER}\ud800@proxy.acme.com", f"http://ada:{MARKER}\u20ac@proxy.acme.com",
    ],
    ids=ascii,
)  # fmt: skip
def test_proxy_that_is_none_is_refused_and_its_password_not_shown(client: Callable[..., Any], proxy: str) -> None:
    with pytest.raises(bf.UsageError, match=r"^The proxy ") as caught:
        client(HOST, AUTH, proxy=proxy)
    assert MARKER not in held_by(caught.value)


@pytest.mark.parametrize(
    "proxy", ["http://proxy", "HTTP://proxy:3128/", "https://ada:s%C3%A9cret@[::1]:3128", "http://10.0.0.1:1"]
)
def test_proxy_is_taken(proxy: str) -> None:
    bf.Client(HOST, AUTH, proxy=proxy).close()


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate, its key, plain and with a password, another key, and files that are nothing of the kind."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder = tmp_path_factory.mktemp("papers")
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "acme")])
    begun = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(keys[0].public_key()).serial_number(1)
    )
    certificate = certificate.not_valid_before(begun).not_valid_after(begun + dt.timedelta(9_999))
    pem = certificate.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    (folder / "certificate.pem").write_bytes(pem)
    (folder / "damaged.pem").write_bytes(pem.replace(b"A", b"B"))
    (folder / "cut.pem").write_bytes(pem[: len(pem) // 2])
    (folder / "empty.pem").write_bytes(b"")
    (folder / "noise.pem").write_bytes(bytes(range(256)))
    (folder / "folder.pem").mkdir()
    hidden = serialization.BestAvailableEncryption(b"password")
    for file, key, secrecy in (
        ("key.pem", keys[0], serialization.NoEncryption()),
        ("other.pem", keys[1], serialization.NoEncryption()),
        ("hidden.pem", keys[0], hidden),
    ):
        (folder / file).write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secrecy)
        )
    return folder


NO_PAPERS: Final = [
    "damaged.pem",
    "cut.pem",
    "empty.pem",
    "noise.pem",
    "folder.pem",
    "missing.pem",
    "certificate.pem/x",
]


@pytest.mark.parametrize("client", [bf.Client, bf.AsyncClient])
@pytest.mark.parametrize(
    "given",
    [
        *({"ca_bundle": one} for one in (*NO_PAPERS, "key.pem")),
        *({"client_certificate": one} for one in (*NO_PAPERS, "key.pem", "certificate.pem")),
        *(
            {"client_certificate": "certificate.pem", "client_key": one}
            for one in (*NO_PAPERS, "certificate.pem", "other.pem", "hidden.pem")
        ),
        *(
            {"client_certificate": "certificate.pem", "client_key": "hidden.pem", "client_key_password": one}
            for one in ("", MARKER, MARKER + "\0", MARKER * 1_000)
        ),
    ],
    ids=str,
)
def test_papers_that_are_none_are_refused_and_the_terminal_is_not_asked(
    client: Callable[..., Any],
    papers: Path,
    given: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(papers)
    with pytest.raises(bf.UsageError, match="PEM file") as caught:
        client(HOST, AUTH, tls=bf.TLS(**given))
    assert next(iter(given.values())) in str(caught.value)
    assert MARKER not in held_by(caught.value)
    assert capfd.readouterr() == ("", "")


def test_papers_are_taken(papers: Path) -> None:
    certificate = papers / "certificate.pem"
    bf.Client(HOST, AUTH, tls=bf.TLS(certificate, certificate, papers / "key.pem")).close()
    bf.Client(HOST, AUTH, tls=bf.TLS(certificate, str(certificate), str(papers / "hidden.pem"), "password")).close()


@pytest.mark.parametrize("tls", [None, bf.TLS()], ids=["system", "given"])
@pytest.mark.parametrize("client", [bf.Client, bf.AsyncClient])
def test_log_of_keys_that_cannot_be_written_is_told_by_its_variable(
    client: Callable[..., Any], tls: bf.TLS | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (tmp_path, tmp_path / "no" / "keys", tmp_path / "a.csv" / "keys"):
        monkeypatch.setenv("SSLKEYLOGFILE", str(path))
        with pytest.raises(bf.UsageError, match=r"SSLKEYLOGFILE .* unset the variable"):
            client(HOST, AUTH, tls=tls)
    for good in ("", str(tmp_path / "keys")):
        monkeypatch.setenv("SSLKEYLOGFILE", good)
        client(HOST, AUTH, tls=tls)


def test_log_of_keys_that_is_lost_later_is_told_and_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = bf.Client(f"https://127.0.0.1:{server.getsockname()[1]}", AUTH)
        client.driver.sleep = pauses.append
        monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "no" / "keys"))
        with pytest.raises(bf.NotSent, match=r"SSLKEYLOGFILE .* unset the variable"):
            client.get_job_info(JOB)
        client.close()
    assert pauses == []


class Silent:
    """A transport to an org that answers nothing of use."""

    def send(self, request: Request, url: str, headers: dict[str, str], *, streamed: bool) -> Answer:
        return Answer(request, 200, {"content-type": "application/xml"}, b"<x/>")

    def close(self) -> None:
        pass


INFO: Final = bf.JobInfo(
    id=JOB, operation=bf.Operation.INSERT, object="Contact", state=bf.JobState.OPEN, content_type=bf.ContentType.CSV
)
CALLS: Final[dict[str, tuple[object, ...]]] = {
    "get_job_info": (),
    "close_job": (),
    "abort_job": (),
    "add_batch": ([{"Name": "x"}],),
    "get_batch_info": ("751000000000001AAA",),
    "get_all_batches": (),
    "get_batch_request": ("751000000000001AAA",),
    "get_batch_result": ("751000000000001AAA",),
    "get_query_result_ids": ("751000000000001AAA",),
    "get_query_result": ("751000000000001AAA", "752000000000001AAA"),
    "wait_for_batch": ("751000000000001AAA",),
    "wait_for_job": (),
    "create_spec": ("Salesforce Field,Csv Header,Value,Hint\nName,N,,\n",),
}


CALLS2: Final[dict[str, tuple[object, ...]]] = {
    "upload": ([{"Name": "x"}],),
    "complete_upload": (),
    "abort_ingest_job": (),
    "get_ingest_job": (),
    "delete_ingest_job": (),
    "get_successful_results": (),
    "get_failed_results": (),
    "get_unprocessed_records": (),
    "wait_for_ingest_job": (),
    "get_query_job": (),
    "abort_query_job": (),
    "delete_query_job": (),
    "get_query_results": ("MTAw", 5),
    "get_query_result_pages": (),
    "wait_for_query_job": (),
}


def test_every_call_on_a_job_is_in_the_table() -> None:
    members = {
        name: inspect.signature(member).parameters for name, member in inspect.getmembers(bf.Client, inspect.isfunction)
    }
    assert {name for name, known in members.items() if "job" in known} == {*CALLS, *CALLS2}


@pytest.mark.parametrize("call", list(CALLS))
def test_job_that_is_made_of_anything_is_taken_or_refused(call: str) -> None:
    client = bf.Client(HOST, AUTH, retry=bf.RetryPolicy(attempts=1), transport=Silent())
    for value in ODD.values():
        for member in dataclasses.fields(bf.JobInfo):
            with contextlib.suppress(bf.Error):
                getattr(client, call)(dataclasses.replace(INFO, **cast(Any, {member.name: value()})), *CALLS[call])


@pytest.mark.parametrize("call", list(CALLS2))
def test_job_of_2_0_that_is_made_of_anything_is_taken_or_refused(call: str) -> None:
    client = bf.Client(HOST, AUTH, retry=bf.RetryPolicy(attempts=1), transport=Silent())
    kind = bf.QueryJobInfo if "query" in call else bf.IngestJobInfo
    info = kind(
        id=JOB,
        operation=bf.Operation.INSERT,
        object="Contact",
        state=bf.Job2State.OPEN,
        column_delimiter=bf.ColumnDelimiter.COMMA,
        line_ending=bf.LineEnding.LF,
        api_version=66.0,
    )
    for value in ODD.values():
        for member in dataclasses.fields(kind):
            with contextlib.suppress(bf.Error):
                getattr(client, call)(dataclasses.replace(info, **cast(Any, {member.name: value()})), *CALLS2[call])


LONG: Final = "x" * 100_000
CSV: Final = "a.csv"


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.create_job("insert", LONG, "CSV"),
        lambda client: client.create_job(LONG, "Contact", "CSV"),
        lambda client: client.create_job("insert", "Contact", LONG),
        lambda client: client.create_job("insert", "Contact", "CSV", concurrency_mode=LONG),
        lambda client: client.create_job("insert", "Contact", "CSV", line_ending=LONG),
        lambda client: client.create_job("upsert", "Contact", "CSV", external_id_field=LONG + "\n"),
        lambda client: client.create_job("query", "Contact", "CSV", pk_chunking=bf.PKChunking(parent=LONG + "-")),
        lambda client: client.get_job_info(LONG),
        lambda client: client.get_batch_info(JOB, LONG),
        lambda client: client.get_query_result(JOB, "751000000000001AAA", LONG),
        lambda client: client.load(CSV, LONG, "insert"),
        lambda client: client.load(CSV, "Contact", LONG),
        lambda client: client.load(CSV, "Contact", "insert", mapping={LONG: "Name"}, dry_run=True),
        lambda client: client.load([{LONG: 1, LONG.upper(): 2}], "Contact", "insert", dry_run=True),
        lambda client: client.resume("y/" * 50_000),
        lambda client: client.resume("run", accept_as=LONG),
        lambda client: client.retry("y/" * 50_000),
        lambda client: client.retry("run", accept_as=LONG),
        lambda client: client.undo("y/" * 50_000),
        lambda client: client.extract(object=LONG, to="out.csv"),
        lambda client: client.extract(f"SELECT Id FROM {LONG}", to="out.csv"),
        lambda client: client.extract("SELECT Id FROM Contact", to="out.csv", format=LONG),
        lambda client: client.extract("SELECT Id FROM Contact", to="out." + LONG),
        lambda client: client.extract("SELECT Id FROM Contact", to="out.csv", pk_chunking=LONG),
        lambda client: client.add_batch(INFO, bf.Attachments([{"Name": "x"}], {LONG: b"x"})),
        lambda _client: bf.Client(HOST, AUTH, version=LONG),
        lambda _client: bf.Client("https://" + LONG, AUTH),
    ],
)  # fmt: skip
def test_name_of_any_length_is_cut_in_what_is_told(call: Callable[[bf.Client], object]) -> None:
    client = bf.Client(HOST, AUTH, retry=bf.RetryPolicy(attempts=1), transport=Silent())
    with pytest.raises(bf.Error) as caught:
        call(client)
    assert len(str(caught.value)) < 1_000, str(caught.value)[:200] + " ... " + str(caught.value)[-200:]


@pytest.mark.parametrize("client", [bf.Client, bf.AsyncClient])
@pytest.mark.parametrize(
    "given", [{"auth": bf.BearerToken}, {"auth": AUTH, "transport": Silent}], ids=["auth", "transport"]
)
def test_class_in_the_place_of_its_object_is_refused(client: Callable[..., Any], given: dict[str, object]) -> None:
    with pytest.raises(bf.UsageError, match="not the class"):
        client(HOST, **given)
