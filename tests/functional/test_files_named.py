"""Every error about a file names it: whichever kind it is, whatever is wrong with it, wherever it is given."""

from __future__ import annotations

import gzip
import json
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import bulkforce as bf
from bulkforce.cli.main import main
from bulkforce.protocol.flow import authenticate
from bulkforce_emulator import Emulator

QUERY = "SELECT Id, SystemModstamp FROM Contact"

DAMAGED = {
    **{f"empty{suffix}": b"" for suffix in (".csv", ".tsv", ".json", ".jsonl", ".xml", ".parquet", ".arrow", ".xlsx")},
    "head.csv": b"LastName\n",
    "bad.json": b"[{",
    "number.json": b"[1]",
    "object.json": b'{"a": 1}',
    "deep.json": b"[" * 100_000,
    "bad.jsonl": b'{"LastName": 1}\n{',
    "nothing.jsonl": b"{}\n",
    "twice.jsonl": b'{"LastName": 1, "lastname": 2}\n',
    "bad.xml": b"<a><b>",
    "bad.parquet": b"PAR1xxxxPAR1",
    "bad.arrow": b"ARROW1\0\0xx",
    "bad.xlsx": b"PK\x03\x04xxx",
    "bad.csv.gz": b"\x1f\x8bxxx",
    "none.csv.gz": b"LastName\nx\n",
    "cut.csv.gz": gzip.compress(b"LastName\n" + b"x\n" * 1_000)[:-9],
    "bad.csv.zst": b"\x28\xb5\x2f\xfdxx",
    "none.csv.zst": b"LastName\nx\n",
    "open.csv": b'LastName\n"x\n',
    "quote.csv": b'LastName,FirstName\na"b,c"d\n',
    "twice.csv": b"LastName,LastName\na,b\n",
    "latin.csv": b"LastName\nM\xfcller\n",
    "half.csv": "LastName\nx\n".encode("utf-16")[:-1],
    "zip.csv": b"PK\x03\x04",
    "nameless.csv": b",LastName\na,b\n",
    "unknown.csv": b"Nope\nx\n",
    "unknown.xyz": b"x",
}
MAPS = {
    "bad.toml": b"x",
    "latin.toml": b"\xff",
    "number.toml": b"[columns]\nLastName = 1\n",
    "column.toml": b"[columns]\nNope = 'LastName'\n",
    "table.toml": b"[nope]\n",
    "notation.toml": b"[columns.LastName]\ndate_format = 'qq'\n",
    "member.toml": b"[columns.LastName]\nnope = 'x'\n",
    "latin.sdl": b"\xff",
    "empty.sdl": b"",
    "column.sdl": b"Nope=LastName\n",
}


@pytest.fixture(scope="module")
def client() -> Iterator[bf.Client]:
    with Emulator() as org, bf.Client(org.base_url, bf.BearerToken(org.session_id)) as client:
        yield client


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.csv").write_text("LastName\nx\n")
    (tmp_path / "folder.csv").mkdir()
    return tmp_path


@pytest.mark.parametrize("name", [*DAMAGED, "missing.csv", "folder.csv"])
@pytest.mark.parametrize("verb", ["load", "dry run", "check", "suggest_map"])
def test_source(client: bf.Client, folder: Path, name: str, verb: str) -> None:
    if name in DAMAGED:
        (folder / name).write_bytes(DAMAGED[name])
    calls: dict[str, Callable[[], object]] = {
        "load": lambda: client.load(name, "Contact", "insert"),
        "dry run": lambda: client.load(name, "Contact", "insert", dry_run=True),
        "check": lambda: client.check(name, "Contact", "insert"),
        "suggest_map": lambda: client.suggest_map(name, "Contact", "insert"),
    }
    told: list[str] = []
    try:
        calls[verb]()
    except bf.Error as error:
        told.append(str(error))
    # What is wrong with a single record or a column is no error there, but part of the report.
    assert [one.count(name) for one in told] == [1] or (not told and verb in {"check", "suggest_map"})


@pytest.mark.parametrize("name", [*MAPS, "missing.toml", "folder.csv"])
@pytest.mark.parametrize("verb", ["load", "check"])
def test_map(client: bf.Client, folder: Path, name: str, verb: str) -> None:
    if name in MAPS:
        (folder / name).write_bytes(MAPS[name])
    with pytest.raises(bf.Error) as caught:
        getattr(client, verb)("good.csv", "Contact", "insert", mapping=Path(name))
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("content_type", "name", "content"),
    [
        ("CSV", "open.csv", b'LastName\n"x\n'),
        ("CSV", "empty.csv", b""),
        ("CSV", "latin.csv", b"LastName\n\xff\n"),
        ("CSV", "large.csv", b"LastName\n" + b"x\n" * 10_001),
        ("JSON", "bad.json", b"[{"),
        ("XML", "bad.xml", b"<a><b>"),
        ("ZIP_CSV", "bad.zip", b"PK\x03\x04"),
        ("CSV", "missing.csv", None),
        ("CSV", "folder.csv", None),
    ],
)
def test_batch(client: bf.Client, folder: Path, content_type: str, name: str, content: bytes | None) -> None:
    if content is not None:
        (folder / name).write_bytes(content)
    job = client.create_job("insert", "Contact", content_type)
    with pytest.raises((bf.FormatError, bf.UsageError)) as caught:
        client.add_batch(job, Path(name))
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"to": "nowhere/out.csv"}, "out.csv"),
        ({"to": "good.csv/out.csv"}, "out.csv"),
        ({"to": "folder.csv"}, "folder.csv"),
        ({"to": "out.xyz"}, "out.xyz"),
        ({"to": "bad.csv.gz", "append": True}, "bad.csv.gz"),
        ({"to": "out.csv", "since_file": "bad.toml"}, "bad.toml"),
        ({"to": "out.csv", "since_file": "latin.toml"}, "latin.toml"),
        ({"to": "out.csv", "since_file": "folder.csv"}, "folder.csv"),
        ({"to": "out.csv", "since_file": "nowhere/since.toml"}, "since.toml"),
        ({"to": "out.csv", "run_dir": "good.csv"}, "good.csv"),
    ],
)
def test_what_an_extract_writes_or_keeps(
    client: bf.Client, folder: Path, options: dict[str, object], name: str
) -> None:
    for other, content in {**MAPS, **DAMAGED}.items():
        (folder / other).write_bytes(content)
    with pytest.raises(bf.Error) as caught:
        client.extract(QUERY, **options)  # type: ignore[arg-type]
    assert name in str(caught.value)


def _folder(path: Path) -> None:
    path.mkdir()


def _loop(path: Path) -> None:
    # Stands for all that the system refuses, rights among it, which do not bind everyone who runs tests.
    path.symlink_to(path.name)


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3_000_000_000)


FAULTS: dict[str, Callable[[Path], object]] = {
    "missing": lambda _path: None,
    "folder": _folder,
    "loop": _loop,
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe[x"),
    "empty": lambda path: path.write_bytes(b""),
    "broken": lambda path: path.write_bytes(b"{[=x\n'"),
    "huge": _huge,
}
URL = "https://acme.my.salesforce.com"
HERE = {"BULKFORCE_INSTANCE_URL": URL, "BULKFORCE_ACCESS_TOKEN": "00D!x"}
USER = {"BULKFORCE_INSTANCE_URL": URL, "BULKFORCE_USERNAME": "u", "BULKFORCE_CLIENT_ID": "x"}


def commanded(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["bulkforce", *arguments])
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with pytest.raises(SystemExit) as ended:
        main()
    for number, handler in before.items():
        signal.signal(number, handler)
    assert ended.value.code in {1, 2}
    raise bf.Error(capsys.readouterr().err)


def stored(name: str, folder: Path, **members: str) -> None:
    """Use a login that is stored in this folder."""
    (folder / "orgs").mkdir(exist_ok=True)
    if members:
        text = json.dumps({"instance_url": "http://127.0.0.1:9", **members})
        (folder / "orgs" / f"{name}.json").write_text(text, "utf-8")
    with bf.connect(name) as client:
        client.driver.run(authenticate())


def from_variable(variable: str, environment: dict[str, str]) -> Callable[[Path], object]:
    return lambda path: bf.connect({**environment, variable: str(path)})


OTHERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "REQUESTS_CA_BUNDLE": ("ca.pem", from_variable("REQUESTS_CA_BUNDLE", HERE)),
    "SSL_CERT_FILE": ("ca.pem", from_variable("SSL_CERT_FILE", HERE)),
    "ca_bundle": ("ca.pem", lambda path: bf.Client(URL, bf.BearerToken("x"), tls=bf.TLS(ca_bundle=path))),
    "client_certificate": (
        "c.pem",
        lambda path: bf.Client(URL, bf.BearerToken("x"), tls=bf.TLS(client_certificate=path)),
    ),
    "BULKFORCE_PRIVATE_KEY_FILE": ("key.pem", from_variable("BULKFORCE_PRIVATE_KEY_FILE", USER)),
    "BULKFORCE_PASSWORD_FILE": ("pw.txt", from_variable("BULKFORCE_PASSWORD_FILE", USER)),
    "env_file": ("my.env", lambda path: bf.connect(env_file=path, environment={})),
    "key of a login": (
        "key.pem",
        lambda path: stored("prod", path.parent, way="jwt", client_id="x", username="u", key_file=str(path)),
    ),
    "profile": ("orgs/prod.json", lambda path: stored("prod", path.parents[1])),
    "secrets": ("secrets/prod.json", lambda path: stored("prod", path.parents[1], way="access token")),
}
# What is not there is no error of these: it is the usual case.
RIGHT = {("profile", "missing")}
COMMANDS: dict[str, tuple[str, list[str]]] = {
    "login --jwt": ("key.pem", ["login", "prod", "--client-id=x", "--username=u", "--jwt"]),
    "emulator --settings": ("s.toml", ["emulator", "--port=0", "--settings"]),
    "emulator --schema": ("s.json", ["emulator", "--port=0", "--schema"]),
    "emulator --data": ("data", ["emulator", "--port=0", "--data"]),
    "emulator --describe": ("org", ["emulator", "--port=0", "--describe"]),
    "emulator --persist": ("o.duckdb", ["emulator", "--port=0", "--persist"]),
    "resume": ("run", ["resume"]),
    "count --soql-file": ("q.soql", ["count", "--soql-file"]),
}
# A new file is made; a query that is none is shown itself; nothing is set, and no object added.
WRITTEN = {
    ("emulator --persist", "missing"),
    ("count --soql-file", "broken"),
    ("emulator --settings", "empty"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("use", OTHERS)
def test_files_of_connections(folder: Path, monkeypatch: pytest.MonkeyPatch, use: str, fault: str) -> None:
    monkeypatch.setenv("BULKFORCE_CONFIG_DIR", str(folder))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    name, call = OTHERS[use]
    (folder / name).parent.mkdir(exist_ok=True)
    if use.startswith("key of"):
        (folder / "secrets").mkdir()
        (folder / "secrets" / "prod.json").write_text("{}")
    FAULTS[fault](folder / name)
    with pytest.raises(bf.Error) as caught:
        call(folder / name)
    assert ((folder / name).name in str(caught.value)) == ((use, fault) not in RIGHT)


@pytest.mark.parametrize(
    ("use", "fault"), [(use, fault) for use in COMMANDS for fault in FAULTS if (use, fault) not in WRITTEN]
)
def test_files_of_commands(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], use: str, fault: str
) -> None:
    for variable, value in HERE.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("BULKFORCE_CONFIG_DIR", str(folder / "config"))
    name, arguments = COMMANDS[use]
    FAULTS[fault](folder / name)
    with pytest.raises(bf.Error, match=re.escape(name)):
        commanded(monkeypatch, capsys, *arguments, name)


def test_env_file_that_is_no_text_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for fault in ("not UTF-8", "broken", "empty", "huge"):
        (folder / ".env").unlink(missing_ok=True)
        FAULTS[fault](folder / ".env")
        with pytest.raises(bf.Error, match=r"'\.env'"):
            commanded(monkeypatch, capsys, "limits")


@pytest.mark.parametrize("fault", ["folder", "loop"])
def test_log_file_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    FAULTS[fault](folder / "a.log")
    with pytest.raises(bf.Error, match=r"a\.log"):
        commanded(monkeypatch, capsys, "runs", "--log-file", "a.log")
