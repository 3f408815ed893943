from __future__ import annotations

import gzip as standard
import io
import xml.etree.ElementTree as ET
from contextlib import suppress

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkforce.formats import json, xml
from bulkforce.protocol import wire_csv, wire_xml
from bulkforce.protocol.exchange import Answer, Request
from bulkforce.protocol.info import RecordError, Result
from bulkforce.transport import gzip

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: not name.lower().startswith("xml")
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
XML_TEXTS = TEXTS.filter(
    lambda text: (
        not any(ord(c) < 32 and c not in "\t\n\r" for c in text) and "\ufffe" not in text and "\uffff" not in text
    )
)
SPACE = "{http://www.force.com/2009/06/asyncapi/dataload}"


@given(
    st.lists(
        st.dictionaries(
            NAMES,
            TEXTS
            | st.none()
            | st.booleans()
            | st.integers(-(2**63), 2**63 - 1)
            | st.floats(allow_nan=False, allow_infinity=False),
            max_size=4,
        ),
        max_size=5,
    )
)
def test_json_reads_what_it_wrote(rows: list[dict[str, object]]) -> None:
    content = json.encode(rows)
    assert orjson.loads(content) == rows
    measured = json.measure(content)
    assert (measured.records, measured.characters) == (len(rows), len(content.decode()))


@given(st.lists(st.dictionaries(NAMES, XML_TEXTS | st.none(), max_size=4), max_size=5), st.data())
def test_xml_reads_what_it_wrote(rows: list[dict[str, str | None]], data: st.DataObject) -> None:
    content = xml.encode(rows)
    read = [
        {field.tag.removeprefix(SPACE): None if field.attrib else field.text or "" for field in record}
        for record in ET.fromstring(content)
    ]
    assert read == rows
    cut = data.draw(st.integers(0, len(content)))
    for blocks in (
        [content],
        [content[:cut], content[cut:]],
        [content[place : place + 1] for place in range(len(content))],
    ):
        measured = xml.measure(blocks)
        assert (measured.records, measured.characters) == (len(rows), len(content.decode()))


@given(st.from_regex(r"[A-Z_]{1,20}", fullmatch=True), TEXTS, st.lists(NAMES, max_size=3))
def test_record_error_reads_what_the_org_writes(code: str, message: str, fields: list[str]) -> None:
    text = f"{code}:{message}:{''.join(field + ' ' for field in fields)}--"
    assert wire_csv.record_error(text) == RecordError(code, message, tuple(fields))


@given(st.text())
def test_record_error_reads_anything(text: str) -> None:
    error = wire_csv.record_error(text)
    assert error.status_code in text
    assert error.message in text


@given(st.lists(st.tuples(st.booleans(), TEXTS.filter(bool)), max_size=5))
def test_results_keep_any_message(rows: list[tuple[bool, str]]) -> None:
    quoted = [
        f'"{"003" if good else ""}","{str(good).lower()}","false","{"" if good else "X:" + text.replace(chr(34), chr(34) * 2) + ":--"}"\n'
        for good, text in rows
    ]
    body = ('"Id","Success","Created","Error"\n' + "".join(quoted)).encode()
    assert wire_csv.results(Answer(Request("GET", "/x"), 200, {}, body)) == [
        Result("003" if good else None, success=good, created=False, errors=[] if good else [RecordError("X", text)])
        for good, text in rows
    ]


@given(st.binary(max_size=2_000), st.integers(1, 3), st.data())
def test_gzip_is_the_same_however_it_is_cut(content: bytes, members: int, data: st.DataObject) -> None:
    packed = gzip.compress(io.BytesIO(content)) * members
    places = sorted(data.draw(st.lists(st.integers(0, len(packed)), max_size=6)))
    blocks = [packed[begin:end] for begin, end in zip([0, *places], [*places, len(packed)], strict=True)]
    assert b"".join(gzip.decompress(blocks)) == content * members


@given(st.binary(min_size=1, max_size=500), st.data())
def test_gzip_that_is_cut_never_passes(content: bytes, data: st.DataObject) -> None:
    packed = standard.compress(content)
    cut = data.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(EOFError):
        b"".join(gzip.decompress([packed[:cut]]))


@given(st.binary(max_size=200))
def test_xml_that_is_none_is_a_value_error_and_nothing_else(content: bytes) -> None:
    with suppress(ValueError):
        assert wire_xml.parse(content).tag
