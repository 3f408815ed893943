"""Every error about a file names it: whichever kind it is, whatever is wrong with it, wherever it is given."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import bulkforce as bf
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
