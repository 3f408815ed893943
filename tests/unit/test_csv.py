"""CSV: the server's rules, the limits at their edges, and every fault with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pytest

from bulkforce.errors import FormatError
from bulkforce.formats import csv
from bulkforce.formats.csv import Measure

BOM = "\ufeff".encode()


def blocks(content: bytes, size: int = csv.BLOCK_BYTES) -> Iterator[bytes]:
    return (content[place : place + size] for place in range(0, len(content), size))


def measured(content: bytes | str, size: int = csv.BLOCK_BYTES) -> Measure:
    return csv.measure(blocks(content.encode() if isinstance(content, str) else content, size))


def three_ways(content: str) -> set[int]:
    """Whole, one byte at a time, and with trailing blank lines."""
    return {
        measured(content).records,
        measured(content, 1).records,
        measured(content + ("\n\r\n" if content[-1:] in "\r\n" else "\n\n")).records,
    }


@pytest.mark.parametrize(
    ("content", "records"),
    [
        ("Id", 0),
        ("Id\n", 0),
        ("Id\n1", 1),
        ("Id\n1\n", 1),
        ("Id\r\n1\r\n2\r\n", 2),
        ("Id\r1\r2", 2),
        ("Id\r1\r\n2\n", 2),
        ("\ufeffId\n1\n", 1),
        ('\ufeff"Id"\n"1"\n', 1),
        ("Id\n\n\n1\n\n", 1),
        ("Id,N\n\n1,2\n\r\n3,4\n", 2),
        ("Id,N\n1,\n", 1),
        ("Id,N\n,\n", 1),
        ('Id\n""\n', 1),
        ('Id\n"1"\n"2"', 2),
        ('Id,N\n1,"a\nb"\n2,"c\r\nd"\n', 2),
        ('Id,N\n1,"a\n\n\nb"\n', 1),
        ('Id,N\n1,"a,b"\n', 1),
        ('Id,N\n1,"say ""hi"""\n', 1),
        ('Id,N\n1,""""\n', 1),
        ('Id,N\n1,"""\n"""\n', 1),
        ('"a\nb",N\n1,2\n', 1),
        ("Id,N\n1,a b \n", 1),
        ("Id,N\n1,\x00\n", 1),
        ("Id,N\n1,ü€😀\n", 1),
        ("Id,N\n1,#N/A\n", 1),
        ("Id\n \n", 1),
        ("Id\n1\r\r\n2", 2),
    ],
)
def test_measure_counts_records(content: str, records: int) -> None:
    assert three_ways(content) == {records}


def test_measure_counts_characters() -> None:
    assert measured("Id,N\n1,ü€😀\n").characters == len("Id,N\n1,ü€😀\n")


@pytest.mark.parametrize(
    ("content", "said", "row"),
    [
        ("Id,N\n1\n", "1 field where the header has 2", 1),
        ("Id,N\n1,2\n1,2,3\n", "3 fields where the header has 2", 2),
        ("Id,N\n1,2\n\n3\n", "1 field where the header has 2", 2),
        ("Id\n1,2\n", "2 fields where the header has 1", 1),
        ('Id,N\n1,"2\n', "ends inside a quoted value", None),
        ('Id,N\n1,2\n3,"4', "ends inside a quoted value", None),
        ('Id,N\n1,a"b"\n', "quote is inside an unquoted value", 1),
        ('Id,N\n1,2\n1,5" pipe 6"\n', "quote is inside an unquoted value", 2),
        ('Id,N\n1,"a"b\n', "quote is inside an unquoted value", 1),
        ('Id,N\n1, "a"\n', "quote is inside an unquoted value", 1),
        ('Id,N\n1,"a" \n', "quote is inside an unquoted value", 1),
        ("Id,N\r1\r", "1 field where the header has 2", 1),
    ],
)
def test_measure_tells_what_is_wrong_and_where(content: str, said: str, row: int | None) -> None:
    for size in (csv.BLOCK_BYTES, 1):
        with pytest.raises(FormatError, match=said) as caught:
            measured(content, size)
        assert caught.value.row == row
        assert caught.value.byte is None or caught.value.byte <= len(content)


def test_measure_tells_the_byte_that_is_not_utf8() -> None:
    with pytest.raises(FormatError, match="0xff") as caught:
        measured(b"Id,N\n1,2\n3,\xff\n")
    assert caught.value.byte == 11


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no header"),
        ("\n1\n", "no header"),
        (" \n1\n", "no header"),
        ("\ufeff\n1\n", "no header"),
        ("Id,\n1,2\n", "no name"),
        ("Id, \n1,2\n", "no name"),
        ('Id,""\n1,2\n', "no name"),
        ("Id,N,id\n", "'id' twice"),
        ('Id,a"b\n1,2\n', "quote"),
        ('"Id"x,N\n1,2\n', "quote"),
        ('"Id,N\n1,2\n', "quote"),
        (b"\xff\xfeI\x00d\x00\n\x00", "not UTF-8"),
        (b"Id,\xe9\n", "not UTF-8"),
    ],
)
def test_header_that_is_none_is_refused(content: str | bytes, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        measured(content)


def test_header_that_ends_in_a_quoted_letter_of_two_bytes_is_refused() -> None:
    with pytest.raises(FormatError, match="misplaced quote"):
        csv.header('Id,"é\n'.encode())


def test_header_tells_its_names_and_its_end() -> None:
    head = csv.header(BOM + b'"Id","a ""b"", c"\r\n1,2\r\n')
    assert head.names == ("Id", 'a "b", c')
    assert head.end == len(BOM) + len(b'"Id","a ""b"", c"\r\n')
    assert head.raw == b'"Id","a ""b"", c"'


def test_header_takes_as_many_fields_as_a_record_may_have() -> None:
    names = ",".join(f"F{number}" for number in range(5_000))
    assert measured(f"{names}\n{',' * 4_999}\n").records == 1
    with pytest.raises(FormatError, match="5,001"):
        measured(names + ",X\n")


def test_header_without_end_is_refused_soon() -> None:
    given = iter([b'"' + b"x" * 65_535] + [b"x" * 65_536] * 1_000)
    with pytest.raises(FormatError, match="header does not end"):
        csv.measure(given)
    assert len(list(given)) > 900


@pytest.mark.parametrize("character", ["x", "€", "😀"])
def test_field_at_its_limit_passes_and_one_over_is_refused(character: str) -> None:
    assert measured(f"Id,N\n1,{character * 131_072}\n").records == 1
    for value in (character * 131_073, '"' + character * 131_073 + '"'):
        with pytest.raises(FormatError, match="field 2 has 131,073 characters") as caught:
            measured(f"Id,N\n0,x\n1,{value}\n")
        assert caught.value.row == 2


def test_doubled_quotes_count_once() -> None:
    assert measured('Id,N\n1,"' + '""' * 131_072 + '"\n').records == 1
    with pytest.raises(FormatError, match="131,073"):
        measured('Id,N\n1,"' + '""' * 131_073 + '"\n')


def test_record_at_its_limit_passes_and_one_over_is_refused() -> None:
    header = "A,B,C,D"
    full = ",".join(["x" * 100_000] * 4)
    assert measured(f"{header}\n{full}\n").records == 1
    with pytest.raises(FormatError, match="400,001 characters; a record has at most 400,000"):
        measured(f"{header}\n{full}x\n")


def test_limits_hold_wherever_the_record_lies_among_the_blocks() -> None:
    for before in (1, 65_530, 65_536, 70_000, 131_000):
        content = "N\n" + "y" * before + "\n" + "x" * 131_073 + "\nz\n"
        with pytest.raises(FormatError, match="131,073") as caught:
            measured(content)
        assert caught.value.row == 2


def test_value_of_megabytes_is_looked_at_in_no_time() -> None:
    """With a remembered way back for each byte this took minutes and a gigabyte."""
    for value in (b"x" * 9_000_000, b'""' * 300_000, b"x,\n" * 3_000_000):
        with pytest.raises(FormatError, match="at most 131,072"):
            measured(b'N\n"' + value + b'"\n')


def test_quote_that_is_never_closed_is_told_before_the_end_of_a_long_file() -> None:
    given = iter([b"N\n1\n", b'"', *[b"x" * 65_536] * 1_000])
    with pytest.raises(FormatError, match="not closed") as caught:
        csv.measure(given)
    assert caught.value.byte == 4
    assert len(list(given)) > 700


def test_units_cover_every_byte_in_order() -> None:
    content = b'1,"a\nb"\r\n\r\n2,c\n3,"d"'
    for size in range(1, len(content) + 1):
        found = list(csv.units(blocks(content, size), 2, start=100))
        assert b"".join(unit.content for unit in found) == content
        places = [100]
        for unit in found:
            assert unit.start == places[-1]
            places.append(unit.start + len(unit.content))


def test_records_keep_their_bytes() -> None:
    units = csv.units([b'1,"a\n"\r\n\n"2",b\r3,\xff'], 2)
    assert [record.raw for unit in units for record in csv.records(unit, 2)] == [b'1,"a\n"', b'"2",b', b"3,\xff"]


def test_records_tell_the_problem_of_each() -> None:
    (unit,) = csv.units([b"1,2\n1\n1,2,3\n"], 2)
    assert [record.problem for record in csv.records(unit, 2)] == [
        None,
        "1 field where the header has 2",
        "3 fields where the header has 2",
    ]


def test_records_over_the_limit_of_fields_are_a_problem() -> None:
    (unit,) = csv.units([b"," * 5_000 + b"\n"], 2)
    assert [record.problem for record in csv.records(unit, 2)] == ["5,001 fields; a record has at most 5,000"]


@pytest.mark.parametrize(
    ("content", "records"),
    [
        (b"", 0),
        (b"\r\n\n", 0),
        (b'"Id"', 1),
        (b'"Id","Error"\n"1",""\n', 2),
        (b'"Id","Error"\n"1",""', 2),
        (b'"Id","Error"\r\n"1","a\r\n""b"",\n"\r\n\r\n"2",""\r\n', 3),
        (b'"Id","Error"\r"1",""\n"2","', 2),
        (b'"Id","Error"\n"1",""\n"2"', 2),
        (b'"Id","Error"\n"1",""\n"', 2),
        (b"Id,Error\n1,\n2,x", 3),
    ],
)
def test_count_counts_whole_records_whatever_ends_the_last(content: bytes, records: int) -> None:
    assert csv.count(content) == records


@pytest.mark.parametrize(
    ("raw", "values"),
    [(b"", [b""]), (b",", [b"", b""]), (b'a,"b,""c""",', [b"a", b'"b,""c"""', b""]), (b'"a\nb",c', [b'"a\nb"', b"c"])],
)
def test_split_keeps_the_quotes(raw: bytes, values: list[bytes]) -> None:
    assert csv.split(raw) == values


@pytest.mark.parametrize(
    ("text", "written"), [("a", "a"), ("a,b", '"a,b"'), ('a"', '"a"""'), ("a\r", '"a\r"'), ("", "")]
)
def test_quote_writes_what_unquote_reads(text: str, written: str) -> None:
    assert csv.quote(text) == written
    assert csv.unquote(written.encode()).decode() == text


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"A": "1"}, {"B": None}], "A,B\n1,\n,#N/A\n"),
        ([{"A": ""}], 'A\n""\n'),
        ([{"A": None, "P": {"Ext__c": "x", "N": None}}], "A,P.Ext__c,P.N\n#N/A,x,#N/A\n"),
        ([{"Who": {"attributes": {"type": "Lead"}, "Email": "a@b.c"}}], "Lead:Who.Email\na@b.c\n"),
        ([{"A": "1", "attributes": {"type": "Contact", "url": "/x"}}], "A\n1\n"),
        ([{"P": {"attributes": "no mapping", "Email": "a"}}], "P.Email\na\n"),
        ([{"A": 'a"b,\r\n'}], 'A\n"a""b,\r\n"\n'),
        ([{"A": "a\rb"}], 'A\n"a\rb"\n'),
        ([{"A": "a\nb"}], 'A\n"a\nb"\n'),
    ],
)
def test_encode_writes_records(rows: list[Mapping[str, Any]], expected: str) -> None:
    assert csv.encode(rows).decode() == expected
    assert measured(csv.encode(rows)).records == len(rows)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "no records"),
        ([{}], "no records"),
        ([1], "not a int"),
        ([{"A": 1}, "x"], "record 2"),
        ([{"A": object()}], "record 1, field A"),
        ([{"P": {"B": [1]}}], "field P.B"),
        ([{"A": float("nan")}], "NaN"),
        ([{"A": "\ud800"}], "surrogate"),
    ],
)
def test_encode_refuses_what_cannot_be_written(rows: Any, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        csv.encode(rows)


def test_encode_takes_any_iterable_of_mappings() -> None:
    make: Callable[[], Iterable[dict[str, object]]] = lambda: ({"A": number} for number in range(3))  # noqa: E731
    assert csv.encode(make()) == b"A\n0\n1\n2\n"
