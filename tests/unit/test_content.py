"""Whatever a user hands over, made into one sealed batch; every limit at its edge."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bulkforce.errors import FormatError, UsageError
from bulkforce.formats.content import SealedBatch, seal
from bulkforce.formats.zip import Attachments
from bulkforce.vocabulary import ContentType, Operation

INSERT, QUERY = Operation.INSERT, Operation.QUERY
CSV, JSON, XML, ZIP = ContentType.CSV, ContentType.JSON, ContentType.XML, ContentType.ZIP_CSV


def csv(content: Any) -> SealedBatch:
    return seal(content, CSV, INSERT)


def read(batch: SealedBatch) -> bytes:
    with batch.body.open() as file:
        return file.read()


@pytest.fixture
def path(tmp_path: Path) -> Callable[[bytes], Path]:
    def make(content: bytes) -> Path:
        file = tmp_path / "content"
        file.write_bytes(content)
        return file

    return make


ROWS = b"Id,Name\n1,A\n2,B\n"


@pytest.mark.parametrize(
    "content",
    [
        ROWS,
        ROWS.decode(),
        bytearray(ROWS),
        memoryview(ROWS),
        io.BytesIO(ROWS),
        [{"Id": 1, "Name": "A"}, {"Id": 2, "Name": "B"}],
    ],
    ids=["bytes", "text", "bytearray", "memoryview", "file", "records"],
)
def test_seal_takes_content_in_every_form(content: Any) -> None:
    batch = csv(content)
    assert (batch.records, batch.characters, batch.body.length) == (2, len(ROWS), len(ROWS))
    assert batch.sha256 == hashlib.sha256(ROWS).hexdigest()
    assert read(batch) == read(batch) == ROWS


def test_seal_takes_a_path_and_streams_it(path: Callable[[bytes], Path]) -> None:
    batch = csv(path(ROWS))
    assert read(batch) == read(batch) == ROWS
    assert batch.body.length == len(ROWS)


def test_seal_leaves_a_byte_order_mark_out(path: Callable[[bytes], Path]) -> None:
    marked = "\ufeff".encode() + ROWS
    for content in (marked, marked.decode(), io.BytesIO(marked), path(marked)):
        batch = csv(content)
        assert (read(batch), batch.body.length, batch.records) == (ROWS, len(ROWS), 2)
    assert read(seal(b'\xef\xbb\xbf[{"A":1}]', JSON, INSERT)) == b'[{"A":1}]'
    assert read(seal(b"\xef\xbb\xbf<sObjects><sObject/></sObjects>", XML, INSERT)) == b"<sObjects><sObject/></sObjects>"


class Pipe(io.RawIOBase):
    """Gives less than it is asked for, as pipes and sockets do."""

    def __init__(self, *blocks: bytes) -> None:
        super().__init__()
        self.blocks = list(blocks)

    def read(self, size: int = -1) -> bytes:
        assert size != 0
        return self.blocks.pop(0) if self.blocks else b""


def test_seal_reads_a_pipe_to_its_end() -> None:
    assert read(csv(Pipe(b"Id,Name\n", b"1,A\n", b"2,B\n"))) == ROWS


def test_seal_reads_a_real_pipe_to_its_end() -> None:
    out, into = os.pipe()

    def write() -> None:
        with open(into, "wb", buffering=0) as file:  # noqa: PTH123
            file.writelines(ROWS.splitlines(keepends=True))

    writer = threading.Thread(target=write)
    writer.start()
    with open(out, "rb", buffering=0) as file:  # noqa: PTH123
        assert read(csv(file)) == ROWS
    writer.join()


def test_seal_does_not_read_more_of_a_file_than_a_batch_may_have() -> None:
    given = io.BytesIO(b"A\n" + b"x\n" * 20_000_000)
    with pytest.raises(FormatError, match="10,000,000 bytes"):
        csv(given)
    assert given.tell() < 10_000_010


@pytest.mark.parametrize("change", [b"Id,Name\n1,A\n2,C\n3,D\n", b""])
def test_seal_notices_a_file_that_changes(path: Callable[[bytes], Path], change: bytes) -> None:
    file = path(ROWS)
    batch = csv(file)
    file.write_bytes(change)
    with pytest.raises(UsageError, match="changed while it was being sent"):
        batch.body.open()


def test_seal_notices_a_file_that_changes_to_the_same_length(path: Callable[[bytes], Path]) -> None:
    file = path(ROWS)
    batch = csv(file)
    file.write_bytes(ROWS)
    os.utime(file, ns=(1, 1))
    with pytest.raises(UsageError, match="changed while it was being sent"):
        batch.body.open()


def test_seal_tells_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for content in (tmp_path / "none", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            csv(content)


@pytest.mark.parametrize(
    "content", [io.StringIO("Id\n1\n"), type("Text", (), {"read": lambda _self, _size: "Id\n1\n"})()]
)
def test_seal_refuses_a_file_open_as_text(content: Any) -> None:
    with pytest.raises(UsageError, match="'rb'"):
        csv(content)


@pytest.mark.parametrize("content", [None, 5, object()])
def test_seal_refuses_what_is_no_content(content: Any) -> None:
    with pytest.raises(UsageError, match="Content must be"):
        csv(content)


def test_seal_refuses_a_single_record() -> None:
    with pytest.raises(UsageError, match="list of records"):
        csv({"Id": 1})


def test_seal_refuses_half_a_surrogate_pair() -> None:
    with pytest.raises(FormatError, match="surrogate"):
        csv("Id\n\ud800\n")


@pytest.mark.parametrize(
    ("content", "content_type", "said"),
    [
        ("", CSV, "empty"),
        (b"\xef\xbb\xbf", CSV, "empty"),
        ("Id\n", CSV, "no records"),
        ("[]", JSON, "no records"),
        ("<sObjects/>", XML, "no records"),
        ("", JSON, "empty"),
        ("", XML, "empty"),
        ("", ZIP, "a zip batch|A zip batch"),
        (b"", ZIP, "empty"),
        ([], JSON, "no records"),
        ([], XML, "no records"),
        ([], CSV, "no records"),
        ("Id\n1\n", JSON, "Not JSON"),
        ("Id\n1\n", XML, "Not well-formed"),
        ('{"Id":1}', JSON, "an object"),
        ("<sObject/>", XML, "sObjects document"),
        (b"Id\n1\n", ZIP, "not a readable zip"),
    ],
)
def test_seal_refuses_content_that_does_not_fit(content: Any, content_type: ContentType, said: str) -> None:
    with pytest.raises((FormatError, UsageError), match=said):
        seal(content, content_type, INSERT)


@pytest.mark.parametrize(
    ("content_type", "make"),
    [
        (CSV, lambda count: "A\n" + "x\n" * count),
        (JSON, lambda count: "[" + ",".join(['{"A":1}'] * count) + "]"),
        (XML, lambda count: "<sObjects>" + "<sObject><A>1</A></sObject>" * count + "</sObjects>"),
        (CSV, lambda count: [{"A": 1}] * count),
        (JSON, lambda count: [{"A": 1}] * count),
        (XML, lambda count: [{"A": 1}] * count),
    ],
)
def test_batch_of_as_many_records_as_may_be_passes_and_one_more_is_refused(
    content_type: ContentType, make: Callable[[int], Any]
) -> None:
    assert seal(make(10_000), content_type, INSERT).records == 10_000
    with pytest.raises(FormatError, match="at most 10,000 records, not 10,001"):
        seal(make(10_001), content_type, INSERT)


def _of_size(content_type: ContentType, size: int) -> bytes:
    start, pad, end = {
        CSV: (b"A,B\n" + (b"x" * 100_000 + b"," + b"y" * 100_000 + b"\n") * 49, b"x", b",\n"),
        JSON: (b"[" + b'{"A":"' + b"x" * 100_000 + b'"}', b" ", b"]"),
        XML: (b"<sObjects><sObject><A>1</A></sObject>", b"\n", b"</sObjects>"),
    }[content_type]
    if content_type is CSV:
        rows, rest = divmod(size - len(start), 100_000)
        padding = (b"x" * 99_998 + end) * rows + (b"z" * (rest - 2) + end if rest > 1 else b"\n" * rest)
        return start + padding
    return start + pad * (size - len(start) - len(end)) + end


@pytest.mark.parametrize("content_type", [CSV, JSON, XML])
def test_batch_of_as_many_bytes_as_may_be_passes_and_one_more_is_refused(
    content_type: ContentType, path: Callable[[bytes], Path]
) -> None:
    full = _of_size(content_type, 10_000_000)
    assert len(full) == 10_000_000
    assert seal(full, content_type, INSERT).body.length == 10_000_000
    over = _of_size(content_type, 10_000_001)
    for content in (over, io.BytesIO(over), path(over)):
        with pytest.raises(FormatError, match="at most 10,000,000 bytes, not 10,000,001"):
            seal(content, content_type, INSERT)


@pytest.mark.parametrize(
    ("content_type", "make"),
    [
        (JSON, lambda size: [{"A": "€" * size}]),
        (XML, lambda size: [{"A": "€" * size}]),
        (CSV, lambda size: [{"A": "€" * size}]),
        (JSON, lambda size: [{"P": {"A": "€" * size}}]),
        (XML, lambda size: "<sObjects><sObject><A>" + "&lt;" * size + "</A></sObject></sObjects>"),
    ],
)
def test_field_at_its_limit_passes_and_one_over_is_refused(
    content_type: ContentType, make: Callable[[int], Any]
) -> None:
    assert seal(make(131_072), content_type, INSERT).records == 1
    with pytest.raises(FormatError, match="131,073 characters") as caught:
        seal(make(131_073), content_type, INSERT)
    assert caught.value.row == 1


@pytest.mark.parametrize("content_type", [JSON, XML, CSV])
def test_record_at_its_limit_passes_and_one_over_is_refused(content_type: ContentType) -> None:
    full = dict.fromkeys("ABCD", "x" * 100000)
    assert seal([full], content_type, INSERT).records == 1
    with pytest.raises(FormatError, match="400,001 characters") as caught:
        seal([{"A": 1}, {**full, "E": "x"}], content_type, INSERT)
    assert caught.value.row == 2


@pytest.mark.parametrize("content_type", [JSON, XML, CSV])
def test_record_with_as_many_fields_as_may_be_passes_and_one_more_is_refused(content_type: ContentType) -> None:
    full = {f"F{number}": "" for number in range(5_000)}
    assert seal([full], content_type, INSERT).records == 1
    with pytest.raises(FormatError, match="5,001"):
        seal([{**full, "G": ""}], content_type, INSERT)


def test_characters_are_counted_as_such() -> None:
    for content_type, content in (
        (CSV, "A\nü€😀\n"),
        (JSON, '[{"A":"ü€😀"}]'),
        (XML, "<sObjects><sObject><A>ü€😀</A></sObject></sObjects>"),
    ):
        assert seal(content, content_type, INSERT).characters == len(content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[1]", "a number or constant"),
        ('["a"]', "a string"),
        ("[null]", "null"),
        ("[[]]", "an array"),
        ('[{"A":NaN}]', "Not JSON"),
        ('[{"A":1}', "Not JSON"),
        ('[{"A":1}] x', "Not JSON"),
        ("null", "not null"),
        (b'[{"A":"\xff"}]', "Not JSON"),
        ("[" + '{"a":' * 1_020 + "1" + "}" * 1_020 + "]", "too deeply|Not JSON"),
    ],
)
def test_json_that_is_no_array_of_records_is_refused(content: Any, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        seal(content, JSON, INSERT)


@pytest.mark.parametrize("rows", [[1], ["x"], [{"A": 1}, None], [{1: "x"}], [{"A": "\ud800"}], [{"A": 2**64}]])
def test_records_that_json_cannot_carry_are_refused(rows: Any) -> None:
    with pytest.raises(FormatError):
        seal(rows, JSON, INSERT)


def test_json_takes_any_mapping() -> None:
    row = MappingProxyType({"A": 1, "P": MappingProxyType({"B": "x"})})
    assert read(seal([row], JSON, INSERT)) == b'[{"A":1,"P":{"B":"x"}}]'


def test_json_counts_constants_as_nothing() -> None:
    assert seal('[{"A":null,"B":true,"C":1.5,"D":[1]}]', JSON, INSERT).records == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("<sObjects><sObject></sObjects>", "Not well-formed"),
        ("<sObjects><sObject/>", "Not well-formed"),
        ("<sObjects><sObject/></sObjects><x/>", "Not well-formed"),
        ("<sObjects><record/></sObjects>", "sObject element"),
        ("<queryResult/>", "sObjects document"),
        ('<!DOCTYPE sObjects [<!ENTITY a "b">]><sObjects><sObject><A>&a;</A></sObject></sObjects>', "DOCTYPE"),
        ('<!DOCTYPE sObjects SYSTEM "http://evil.example/x.dtd"><sObjects><sObject/></sObjects>', "DOCTYPE"),
        ("<sObjects><sObject><A>&undeclared;</A></sObject></sObjects>", "Not well-formed"),
        (b"<sObjects><sObject><A>\xff</A></sObject></sObjects>", "not UTF-8"),
        (b"<sObjects><sObject><A>\x00</A></sObject></sObjects>", "Not well-formed"),
        (
            '<?xml version="1.0" encoding="ISO-8859-1"?><sObjects><sObject><A>é</A></sObject></sObjects>'.encode(
                "latin-1"
            ),
            "not UTF-8",
        ),
        ('<?xml version="1.0" encoding="UTF-16"?><sObjects><sObject/></sObjects>'.encode("utf-16"), "not UTF-8"),
    ],
)
def test_xml_that_is_no_sobjects_document_is_refused(content: Any, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        seal(content, XML, INSERT)


def test_xml_is_utf8_whatever_it_declares() -> None:
    """The org is told UTF-8; so is the parser."""
    declared = '<?xml version="1.0" encoding="no-such"?><sObjects><sObject><A>ü</A></sObject></sObjects>'
    assert seal(declared, XML, INSERT).records == 1


def test_xml_takes_elements_and_trees() -> None:
    root = ET.Element("sObjects", {"xmlns": "http://www.force.com/2009/06/asyncapi/dataload"})
    ET.SubElement(ET.SubElement(root, "sObject"), "Name").text = "a\r\nb&"
    for content in (root, ET.ElementTree(root)):
        batch = seal(content, XML, INSERT)  # type: ignore[arg-type]
        assert batch.records == 1
        assert b"<Name>a&#13;\nb&amp;</Name>" in read(batch)
        for other in (CSV, JSON):
            with pytest.raises(UsageError, match="XML job"):
                seal(content, other, INSERT)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [5, "\ud800"])
def test_element_that_cannot_be_written_is_refused(text: Any) -> None:
    root = ET.Element("sObjects")
    ET.SubElement(ET.SubElement(root, "sObject"), "Name").text = text
    with pytest.raises(FormatError, match="cannot be written"):
        seal(root, XML, INSERT)


def test_xml_writes_records() -> None:
    rows: list[dict[str, object]] = [
        {
            "Name": "A & <B>\r",
            "Phone": None,
            "ReportsTo": {"Email": "b@c.d"},
            "Who": {"attributes": {"type": "Lead"}, "Email": "e"},
        }
    ]
    root = ET.fromstring(read(seal(rows, XML, INSERT)))
    space = "{http://www.force.com/2009/06/asyncapi/dataload}"
    (record,) = root
    assert record.findtext(f"{space}Name") == "A & <B>\r"
    assert record.find(f"{space}Phone").attrib == {"{http://www.w3.org/2001/XMLSchema-instance}nil": "true"}  # type: ignore[union-attr]
    assert record.findtext(f"{space}ReportsTo/{space}sObject/{space}Email") == "b@c.d"
    assert [child.tag for child in record.find(f"{space}Who/{space}sObject")] == [f"{space}type", f"{space}Email"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "row",
    [
        {"a b": 1},
        {"": 1},
        {1: 1},
        {"A": "\x00"},
        {"A": "\x0b"},
        {"A": "\ud800"},
        {"A": "\uffff"},
        {"A": object()},
        {"é": 1},
        {"P": {"B": "\x01"}},
        5,
    ],
)
def test_records_that_xml_cannot_carry_are_refused(row: Any) -> None:
    with pytest.raises(FormatError) as caught:
        seal([row], XML, INSERT)
    assert caught.value.row == 1


def zipped(files: dict[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


REQUEST = "Name,ParentId,Body\na.txt,001,#a.txt\n"


def test_zip_is_taken_as_it_is(path: Callable[[bytes], Path]) -> None:
    packed = zipped({"request.txt": REQUEST, "a.txt": b"\x00"})
    for content in (packed, io.BytesIO(packed), path(packed)):
        batch = seal(content, ZIP, INSERT)
        assert (read(batch), batch.records, batch.characters) == (packed, 1, len(REQUEST))


@pytest.mark.parametrize(
    ("content_type", "name"),
    [(ContentType.ZIP_CSV, "Name,Body\n"), (ContentType.ZIP_JSON, '[{"Name":'), (ContentType.ZIP_XML, "<?xml")],
)
def test_zip_is_built_from_records_and_files(
    content_type: ContentType, name: str, path: Callable[[bytes], Path]
) -> None:
    content = Attachments([{"Name": "a", "Body": "#dir/a.bin"}], {"dir/a.bin": b"\x00\xff", "b": path(b"file")})
    batch = seal(content, content_type, INSERT)
    assert batch.sha256 == seal(content, content_type, INSERT).sha256
    with zipfile.ZipFile(io.BytesIO(read(batch))) as archive:
        assert archive.namelist() == ["request.txt", "dir/a.bin", "b"]
        assert archive.read("request.txt").decode().startswith(name)
        assert archive.read("dir/a.bin") == b"\x00\xff"
        assert archive.read("b") == b"file"


def test_zip_takes_a_request_as_text() -> None:
    assert seal(Attachments(REQUEST, {"a.txt": b""}), ZIP, INSERT).records == 1
    batch = seal(Attachments("\ufeff" + REQUEST, {"a.txt": b""}), ZIP, INSERT)
    with zipfile.ZipFile(io.BytesIO(read(batch))) as archive:
        assert archive.read("request.txt").decode() == REQUEST


@pytest.mark.parametrize("name", ["request.txt", "/a", "a\\b", "../a", "a/../b", "", "a/", "a//b", "./a", "."])
def test_zip_refuses_names_that_cannot_stand_in_it(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be named"):
        seal(Attachments(REQUEST, {name: b""}), ZIP, INSERT)


def test_zip_tells_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for file in (tmp_path / "none", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            seal(Attachments(REQUEST, {"a.txt": file}), ZIP, INSERT)


def test_zip_does_not_read_a_file_over_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "large"
    with file.open("wb") as opened:
        opened.truncate(20_000_001)
    with pytest.raises(FormatError, match=r"'a\.txt' is over 20,000,000"):
        seal(Attachments(REQUEST, {"a.txt": file}), ZIP, INSERT)


def test_attachments_go_into_zip_jobs_only() -> None:
    for content_type in (CSV, JSON, XML):
        with pytest.raises(UsageError, match="Attachments need a ZIP_CSV"):
            seal(Attachments(REQUEST), content_type, INSERT)
    with pytest.raises(UsageError, match="A zip batch must be"):
        seal([{"Id": 1}], ZIP, INSERT)


def test_zip_limits_hold_at_their_edges() -> None:
    request = "A\n1\n"
    files: dict[str, bytes | str] = {
        "request.txt": request,
        **{f"f{number}": b"" for number in range(999)},
        "directory/": b"",
    }
    assert seal(zipped(files), ZIP, INSERT).records == 1
    with pytest.raises(FormatError, match="1,000 files, not 1,001"):
        seal(zipped({**files, "g": b""}), ZIP, INSERT)
    assert seal(zipped({"request.txt": request, "é" * 256: b""}), ZIP, INSERT).records == 1
    with pytest.raises(FormatError, match="512 bytes"):
        seal(zipped({"request.txt": request, "é" * 256 + "x": b""}), ZIP, INSERT)
    assert seal(zipped({"request.txt": request, "a": bytes(19_999_996)}), ZIP, INSERT).records == 1
    with pytest.raises(FormatError, match="20,000,000 bytes unpacked, not 20,000,001"):
        seal(zipped({"request.txt": request, "a": bytes(19_999_997)}), ZIP, INSERT)


def test_zip_over_its_bytes_is_refused() -> None:
    empty = len(zipped({"request.txt": "A\n1\n", "a": b""}, zipfile.ZIP_STORED))
    full = zipped({"request.txt": "A\n1\n", "a": bytes(10_000_000 - empty)}, zipfile.ZIP_STORED)
    assert len(full) == 10_000_000
    assert seal(full, ZIP, INSERT).body.length == 10_000_000
    over = zipped({"request.txt": "A\n1\n", "a": bytes(10_000_001 - empty)}, zipfile.ZIP_STORED)
    with pytest.raises(FormatError, match="10,000,000 bytes, not 10,000,001"):
        seal(over, ZIP, INSERT)


def _damaged() -> bytes:
    packed = bytearray(zipped({"request.txt": "Id\n" + "1\n" * 1_000}))
    packed[45:52] = b"\xff" * 7
    return bytes(packed)


@pytest.mark.parametrize(
    ("packed", "said"),
    [
        (zipped({"folder/request.txt": REQUEST}), "wrapped in a folder"),
        (zipped({"REQUEST.TXT": REQUEST}), "no request.txt"),
        (zipped({"request.txt/": ""}), "no request.txt"),
        (zipped({}), "no request.txt"),
        (zipped({"request.txt": REQUEST}, zipfile.ZIP_BZIP2), "stored or deflated"),
        (zipped({"request.txt": ""}), "no header"),
        (zipped({"request.txt": "A,B\n1\n"}), "record 1"),
        (zipped({"request.txt": REQUEST})[:-10], "not a readable zip"),
        (b"PK\x03\x04" + bytes(100), "not a readable zip"),
        (_damaged(), "not a readable zip"),
    ],
)
def test_zip_that_the_org_would_refuse_is_refused(packed: bytes, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        seal(packed, ZIP, INSERT)


def test_zip_with_a_flipped_byte_is_read_or_refused_clearly() -> None:
    whole = zipped({"request.txt": "Id\n" + "".join(f"{number}\n" for number in range(50))})
    for place in range(len(whole)):
        for bit in (1, 0x80):
            packed = bytearray(whole)
            packed[place] ^= bit
            with contextlib.suppress(FormatError):
                seal(bytes(packed), ZIP, INSERT)


@pytest.mark.parametrize(
    "content",
    ["SELECT Id FROM Contact", b"SELECT Id FROM Contact", io.BytesIO(b"SELECT Id FROM Contact")],
    ids=["text", "bytes", "file"],
)
@pytest.mark.parametrize("content_type", [CSV, JSON, XML])
def test_query_is_taken_as_it_is(content: Any, content_type: ContentType) -> None:
    if isinstance(content, io.BytesIO):
        content.seek(0)
    batch = seal(content, content_type, QUERY)
    assert (read(batch), batch.records, batch.characters) == (b"SELECT Id FROM Contact", 0, 22)


@pytest.mark.parametrize("content", [[{"A": 1}], ET.Element("x"), Attachments(REQUEST), 5])
def test_query_that_is_no_text_is_refused(content: Any) -> None:
    with pytest.raises(UsageError, match="SOQL"):
        seal(content, CSV, Operation.QUERY_ALL)


@pytest.mark.parametrize(
    ("content", "said"), [("", "empty"), (" \n", "empty"), (b"\xff", "UTF-8"), ("x" * 10_000_001, "10,000,000")]
)
def test_query_that_cannot_be_one_is_refused(content: Any, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        seal(content, CSV, QUERY)
