"""All that bulkforce reads and others write: an example of each, and how it is read."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

import bulkforce as bf
from bulkforce.apis import results1, results2
from bulkforce.extract.columns import Column
from bulkforce.extract.sinks import sink_for
from bulkforce.formats.content import seal
from bulkforce.protocol.exchange import Answer, Request

MARKER = "Zebrafink"
"""Stands in every record; no error may show it."""


class NoOrg:
    """A transport to nowhere: what is read, and found good, ends here."""

    def send(self, request: Request, url: str, headers: dict[str, str], *, streamed: bool) -> Answer:
        raise bf.NotSent("There is no org")

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class Kind:
    """Something that is read.

    Attributes:
        name: Of the file.
        make: Makes a good one.
        read: Reads such a file, in a folder of its own.
    """

    name: str
    make: Callable[[], bytes]
    read: Callable[[bf.Client, Path], object]

    @cached_property
    def content(self) -> bytes:
        """A good one."""
        return self.make()


def client() -> bf.Client:
    return bf.Client(
        "https://acme.my.salesforce.com", bf.BearerToken("00D!x"), retry=bf.RetryPolicy(attempts=1), transport=NoOrg()
    )


def _load(org: bf.Client, path: Path) -> object:
    return org.load(path, "Contact", "insert", dry_run=True)


def _load_mapped(org: bf.Client, path: Path) -> object:
    source = io.BytesIO(_csv())
    return org.load(source, "Contact", "insert", mapping=path, dry_run=True)


def _extract(org: bf.Client, path: Path) -> object:
    to, run = path.with_name("out.csv"), path.with_name("run")
    return org.extract("SELECT Id, SystemModstamp FROM Contact", to=to, since_file=path, run_dir=run)


def _seal(content_type: bf.ContentType, _org: bf.Client, path: Path) -> object:
    return seal(path, content_type, bf.Operation.INSERT)


def _results(_org: bf.Client, path: Path) -> object:
    content = path.read_bytes()
    if results1.check(content, _RECORDS, whole=True) is None:
        assert len(results1.read(content, _RECORDS, whole=True).marks) == _RECORDS
    return None


def _results2(_org: bf.Client, path: Path) -> object:
    rows = "".join(f"{MARKER} {number},{number * 1e9}\n" for number in range(_RECORDS)).encode()
    content = path.read_bytes()
    failed, successful = content.partition(b"--- ")[::2]
    files = results2.ResultFiles(successful, failed)
    tied = results2.tie(b"Name,Amount\n", lambda: iter([rows]), _RECORDS, files, results2.Key(bf.Operation.INSERT))
    assert len(tied.outcomes.marks) == len(tied.outcomes.kinds) == _RECORDS
    without = tied.outcomes.kinds.count(tied.outcomes.NO_RESULT)
    assert tied.succeeded + tied.failed + tied.not_tried == _RECORDS - without + tied.untied.count
    assert len(list(tied.untied.rows())) == tied.untied.count
    assert len(dict(tied.outcomes.errors)) == tied.outcomes.kinds.count(tied.outcomes.FAILED)
    return list(tied.outcomes.marks)


def _sink(name: str, _org: bf.Client, path: Path) -> object:
    kinds = ("id", "string", "currency", "boolean", "date", "datetime", "time", "int", "double")
    sink = sink_for(path.with_name(name))
    try:
        sink.begin([Column(f"C{place}", kind, 18, 2) for place, kind in enumerate(kinds)])
        sink.add(path)
        sink.finish()
    finally:
        sink.discard()
    return None


# The examples

_RECORDS = 30


def _csv() -> bytes:
    return (
        "Name,Note\r\n" + "".join(f'{MARKER} {row},"a ""quoted"" {row}\né"\r\n' for row in range(_RECORDS))
    ).encode()


def _records() -> list[dict[str, Any]]:
    parent = {"attributes": {"type": "Account"}, "Ext__c": MARKER}
    return [
        {"Name": f"{MARKER} {row} \u00e9\n", "Amount": row * 1.5, "Null": None, "On": True, "Parent": parent}
        for row in range(_RECORDS)
    ]


def _json() -> bytes:
    return json.dumps(_records(), indent=1).encode()


def _json_lines() -> bytes:
    return "\n".join(json.dumps(record, ensure_ascii=False) for record in _records()).encode()


def _xml() -> bytes:
    record = (
        f'<sObject><Name>{MARKER} &amp; é</Name><Null xsi:nil="true"/><Note><![CDATA[<{MARKER}>]]></Note>'
        f"<Who><sObject><type>Lead</type><Email>{MARKER}</Email></sObject></Who></sObject>\n"
    )
    head = '<?xml version="1.0" encoding="UTF-8"?><sObjects xmlns="http://www.force.com/2009/06/asyncapi/dataload"'
    return f'{head} xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{record * 15}</sObjects>'.encode()


def _zip() -> bytes:
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("request.txt", _csv())
        archive.writestr("a.bin", b"\0" * 100)
    return out.getvalue()


def _table(*, views: bool) -> pa.Table:
    rows = range(_RECORDS)
    columns = {
        "Text": pa.array([f'{MARKER} {row}, "q"\n' if row % 3 else None for row in rows]),
        "Large": pa.array(["x" * row for row in rows], pa.large_string()),
        "Int": pa.array(rows, pa.int64()),
        "Float": pa.array([row / 3 for row in rows]),
        "Bool": pa.array([bool(row % 2) for row in rows]),
        "Date": pa.array([date(2026, 2, 12)] * _RECORDS),
        "Stamp": pa.array([datetime(2026, 2, 12, 15, 43, 48, tzinfo=UTC)] * _RECORDS, pa.timestamp("us", "UTC")),
        "Time": pa.array([time(1, 2, 3)] * _RECORDS, pa.time64("us")),
        "Decimal": pa.array([Decimal("1.50")] * _RECORDS, pa.decimal128(18, 2)),
        "Bytes": pa.array([b"ab" * row for row in rows]),
        "Dictionary": pa.array([["a", "b", None][row % 3] for row in rows]).dictionary_encode(),
        "Parent": pa.array([{"Ext__c": f"A{row}", "N__c": row} for row in rows]),
        "Null": pa.nulls(_RECORDS),
    }
    if views:
        columns["View"] = pa.array([f"{MARKER}: longer than its view, {row}" for row in rows], pa.string_view())
        columns["Runs"] = pa.RunEndEncodedArray.from_arrays(
            pa.array([10, 20, _RECORDS], pa.int32()), pa.array(["a", None, "c"])
        )
    return pa.table(columns)


def _arrow(new: Callable[..., Any], packing: str | None) -> bytes:
    table, out = _table(views=True), io.BytesIO()
    with new(out, table.schema, options=pa.ipc.IpcWriteOptions(compression=packing)) as writer:
        writer.write_table(table, max_chunksize=20)
    return out.getvalue()


def _parquet(**options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(_table(views=False), out, row_group_size=20, **options)
    return out.getvalue()


def _results_of_org() -> bytes:
    good, bad = '"003P000001avB5GIAU","true","true",""\n', f'"","false","false","CODE:a ""{MARKER}"",\nb:F --"\n'
    return ('"Id","Success","Created","Error"\n' + (good * 2 + bad) * (_RECORDS // 3)).encode()


def _part() -> bytes:
    row = (
        f'"003P000001avB5GIAU","{MARKER} '
        '""é""\n","1.50","true","2026-02-12","2026-02-12T15:43:48.000Z","01:02:03.000Z","7","1.0E8"\n'
    )
    head = ",".join(f'"C{place}"' for place in range(9))
    return (head + "\n" + (row + ",".join(['""'] * 9) + "\n") * 15).encode()


def _report() -> bytes:
    group = bf.ErrorGroup("CODE", "message", 3, 1, "sample")
    return (
        bf.LoadReport(
            run="r",
            run_dir=Path("r"),
            state=bf.RunState.FINISHED,
            operation="insert",
            object="Contact",
            read=3,
            errors=(group,),
        )
        .to_json()
        .encode()
    )


def _results2_of_org() -> bytes:
    failed = ['"sf__Id","sf__Error",Name,Amount\n', f'"","X:{MARKER} ""no"", never:--","{MARKER} 0","0.0"\n', "--- "]
    lines = [
        f'"001{number:012d}AAA","true","{MARKER} {number}","{number}.0E9"\n' for number in reversed(range(1, _RECORDS))
    ]
    return "".join([*failed, '"sf__Id","sf__Created",Name,Amount\n', *lines]).encode()


KINDS: dict[str, Kind] = {
    "csv": Kind("a.csv", _csv, _load),
    "csv.gz": Kind("a.csv.gz", lambda: gzip.compress(_csv(), mtime=0), _load),
    "csv.zst": Kind("a.csv.zst", lambda: zstandard.ZstdCompressor(write_checksum=True).compress(_csv()), _load),
    "json": Kind("a.json", _json, _load),
    "jsonl": Kind("a.jsonl", _json_lines, _load),
    "xml": Kind("a.xml", _xml, _load),
    "arrow": Kind("a.arrow", lambda: _arrow(pa.ipc.new_file, None), _load),
    "feather": Kind("a.feather", lambda: _arrow(pa.ipc.new_file, "lz4"), _load),
    "stream": Kind("a.arrow", lambda: _arrow(pa.ipc.new_stream, None), _load),
    "stream.zstd": Kind("a.arrow", lambda: _arrow(pa.ipc.new_stream, "zstd"), _load),
    "parquet": Kind(
        "a.parquet", lambda: _parquet(compression="none", use_dictionary=False, data_page_version="2.0"), _load
    ),
    "parquet.zstd": Kind("a.parquet", lambda: _parquet(compression="zstd"), _load),
    "map.toml": Kind(
        "map.toml",
        lambda: b'[columns]\n"Name" = "LastName"\n"Note" = ""\n[constants]\nLeadSource = "x"\n',
        _load_mapped,
    ),
    "map.sdl": Kind("map.sdl", lambda: b'#Mapping\nName=LastName\nNote=A__c, B__c\n"x\\ y"=LeadSource\n', _load_mapped),
    "since": Kind("state.toml", lambda: b'object = "Contact"\nsince = 2026-02-12T15:43:48.123Z\n', _extract),
    "report": Kind(
        "report.json", _report, lambda _org, path: bf.LoadReport.from_json(path.read_text("utf-8", "replace"))
    ),
    "batch.csv": Kind("a.csv", _csv, partial(_seal, bf.ContentType.CSV)),
    "batch.json": Kind("a.json", _json, partial(_seal, bf.ContentType.JSON)),
    "batch.xml": Kind("a.xml", _xml, partial(_seal, bf.ContentType.XML)),
    "batch.zip": Kind("a.zip", _zip, partial(_seal, bf.ContentType.ZIP_CSV)),
    "results": Kind("results.csv", _results_of_org, _results),
    "results2": Kind("results.csv", _results2_of_org, _results2),
    "part.csv": Kind("part.csv", _part, partial(_sink, "out.csv")),
    "part.jsonl": Kind("part.csv", _part, partial(_sink, "out.jsonl.gz")),
    "part.parquet": Kind("part.csv", _part, partial(_sink, "out.parquet")),
}
GROUPS: dict[str, tuple[int, list[str]]] = {
    "texts": (300, ["csv", "csv.gz", "csv.zst", "json", "jsonl", "xml"]),
    "arrow": (300, ["arrow", "feather", "stream", "stream.zstd"]),
    "parquet": (300, ["parquet", "parquet.zstd"]),
    "batches": (100, ["batch.csv", "batch.json", "batch.xml", "batch.zip"]),
    "settings": (100, ["map.toml", "map.sdl", "since", "report"]),
    "from the org": (100, ["results", "results2", "part.csv", "part.jsonl", "part.parquet"]),
}
"""Kinds that are read in one process, and how many files of each are spoilt in the suite."""
