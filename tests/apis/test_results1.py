"""Results of a batch: read exactly, by whichever way is the fastest, or refused with what is wrong and no value."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkforce.apis.abc import Outcomes
from bulkforce.apis.results1 import check, read
from bulkforce.errors import FormatError, SourceChanged
from bulkforce.formats.csv import quote
from bulkforce.formats.rows import column_of
from bulkforce.load.outputs import Ended, Outputs
from bulkforce.protocol.wire_csv import result_rows

HEADER = '"Id","Success","Created","Error"\n'
ID = "003P000001avB5GIAU"
SHORT_ID = "003P000001avB5G"
MARKER = "Zebrafink"


def of(*lines: str, header: str = HEADER, end: str = "\n") -> bytes:
    return (header + "".join(line + end for line in lines)).encode()


def went_in(record_id: str = ID, created: str = "true") -> str:
    return f'"{record_id}","true","{created}",""'


def refused(reason: str, record_id: str = "") -> str:
    return f'"{record_id}","false","false","{reason}"'


RIGHT: dict[str, tuple[bytes, Outcomes]] = {
    "all well": (of(went_in(), went_in()), Outcomes([f"{ID},true,".encode()] * 2)),
    "all updated": (of(went_in(created="false")), Outcomes([f"{ID},false,".encode()])),
    "short ids": (of(went_in(SHORT_ID), went_in()), Outcomes([f"{SHORT_ID},true,".encode(), f"{ID},true,".encode()])),
    "short and refused": (of(went_in(SHORT_ID), refused("A:b:--")), Outcomes([f"{SHORT_ID},true,".encode(), b","], {1: "A:b:--"})),
    "created and updated": (of(went_in(), went_in(created="false")), Outcomes([f"{ID},true,".encode(), f"{ID},false,".encode()])),
    "refused": (of(went_in(), refused('X:a ""quoted"", thing\nof two lines: é:--')), Outcomes([f"{ID},true,".encode(), b","], {1: 'X:a "quoted", thing\nof two lines: é:--'})),
    "refused with its id": (of(refused("X:y:--", ID)), Outcomes([f"{ID},".encode()], {0: "X:y:--"})),
    "refused without a reason": (of(refused("")), Outcomes([b","], {0: ""})),
    "a reason with NUL and CR": (of(refused("a\0b\rc\r\nd")), Outcomes([b","], {0: "a\0b\rc\r\nd"})),
    "no final line feed": (of(went_in(), went_in())[:-1], Outcomes([f"{ID},true,".encode()] * 2)),
    "no final line feed behind a refused one": (of(went_in(), refused("a:b:--"))[:-1], Outcomes([f"{ID},true,".encode(), b","], {1: "a:b:--"})),
    "CRLF": (of(went_in(), refused("a:b:--"), header=HEADER.replace("\n", "\r\n"), end="\r\n"), Outcomes([f"{ID},true,".encode(), b","], {1: "a:b:--"})),
    "CR": (of(went_in(), header=HEADER.replace("\n", "\r"), end="\r"), Outcomes([f"{ID},true,".encode()])),
    "byte order mark": (b"\xef\xbb\xbf" + of(went_in()), Outcomes([f"{ID},true,".encode()])),
    "blank lines": (of(went_in(), "", refused("a:b:--"), ""), Outcomes([f"{ID},true,".encode(), b","], {1: "a:b:--"})),
    "other order": (of(f'"","{ID}","false","true"', header='"Error","ID","created","success"\n'), Outcomes([f"{ID},false,".encode()])),
    "a column more": (of(f'{went_in()},"?"', header='"Id","Success","Created","Error","More"\n'), Outcomes([f"{ID},true,".encode()])),
    "no quotes": (of(f"{ID},true,true,", ",false,false,a:b:--", header="Id,Success,Created,Error\n"), Outcomes([f"{ID},true,".encode(), b","], {1: "a:b:--"})),
    "a value over every limit of csv": (of(refused("x" * 500_000)), Outcomes([b","], {0: "x" * 500_000})),
    "nothing": (of(), Outcomes([])),
    "nothing, no line feed": (of()[:-1], Outcomes([])),
}  # fmt: skip


@pytest.mark.parametrize(("content", "expected"), RIGHT.values(), ids=list(RIGHT))
def test_results_are_read(content: bytes, expected: Outcomes) -> None:
    found = read(content, len(expected.marks), whole=True)
    assert (list(found.marks), found.errors) == (expected.marks, expected.errors)
    assert check(content, len(expected.marks), whole=True) is None


WRONG: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "columns"),
    "HTML": (b"<html><body>Zebrafink</body></html>", "columns"),
    "no UTF-8": (of(went_in(), refused(f"{MARKER}:x:--")).replace(b"x", b"\xff"), "not UTF-8"),
    "no UTF-8 in a batch that went in": (of(went_in()).replace(b"avB", b"\xff\xff\xff"), "not UTF-8"),
    "UTF-16": (of(went_in()).decode().encode("utf-16"), "not UTF-8"),
    "other columns": (of(went_in(), header='"Id","Success","Made","Error"\n'), "columns"),
    "a column twice": (of(f'{went_in()},"false"', header='"Id","Success","Created","Error","Success"\n'), "columns"),
    "no header": (of(went_in(), header=""), "columns"),
    "a value less": (of(went_in(), f'"{ID}","true","{MARKER}"'), "3 values for 4 columns (record 2)"),
    "a value more": (of(went_in() + f',"{MARKER}"', went_in()), "5 values for 4 columns (record 1)"),
    "quote not closed": (of(went_in(), refused(MARKER)[:-1]), "(record 2, field 4)"),
    "quote not doubled": (of(went_in(), refused(f'a"{MARKER}')), "(record 2, field 4)"),
    "cut in a value": (of(went_in(), refused(MARKER))[:-5], "(record 2, field 4)"),
    "cut in an id": (of(went_in(), went_in())[:-25], "(record 2"),
    "cut in an id without quotes": (of(f"{ID},true,true,", f"{ID[:9]}", header="Id,Success,Created,Error\n"), "1 values for 4 columns (record 2)"),
    "an id of another length": (of(went_in(), went_in(ID[:16])), "result has an invalid id (record 2)"),
    "an id that is none": (of(went_in(MARKER + "-" * (18 - len(MARKER))), went_in()), ("result has an invalid id (record "
"1)")),
    "ids with quotes in them": (of(went_in(ID[:8] + '""' + ID[:8])), "result has an invalid id (record 1)"),
    "an id that is no ASCII": (of(went_in("é" * 18)), "result has an invalid id (record 1)"),
    "a refused one's id that is none": (of(went_in(), refused("a:b:--", MARKER)), "result has an invalid id (record 2)"),
    "a success without id": (of(went_in(), went_in("")), "result has an invalid id (record 2)"),
    "all successes without id": (of(went_in(""), went_in("")), "result has an invalid id (record 1)"),
    "success neither true nor false": (of(went_in(), f'"{ID}","{MARKER}","true",""'), "true or false (record 2)"),
    "created neither true nor false": (of(went_in(created=MARKER)), "true or false (record 1)"),
    "success in capitals": (of(went_in().replace("true", "TRUE", 1)), "true or false (record 1)"),
    "a letter before the quote": (of("x" + went_in()[1:], went_in()), "(record 1"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "said"), WRONG.values(), ids=list(WRONG))
def test_results_that_are_none_are_told_and_show_no_value(content: bytes, said: str) -> None:
    problem = check(content, 2, whole=True)
    assert problem is not None
    assert said in problem
    assert MARKER not in problem
    with pytest.raises(FormatError) as caught:
        read(content, 2, whole=False)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize("line", [went_in(), refused("a:b:--"), went_in(SHORT_ID)])
def test_results_are_as_many_as_records(line: str) -> None:
    content = of(line, line)
    assert check(content, 2, whole=True) is None
    assert check(content, 3, whole=False) is None
    assert "2 results for 3 records" in str(check(content, 3, whole=True))
    assert "2 results for 1 records" in str(check(content, 1, whole=False))


def test_results_do_not_depend_on_the_limit_of_the_standard_librarys_csv() -> None:
    limit = csv.field_size_limit(10)
    try:
        test_results_are_read(*RIGHT["a value over every limit of csv"])
        test_results_are_read(*RIGHT["no quotes"])
        assert csv.field_size_limit() == 10
    finally:
        csv.field_size_limit(limit)


IDS = st.sampled_from([ID, SHORT_ID, ID[:5], "", 'x"y'])
REASONS = st.text(st.sampled_from('aé,:"\r\n\0-'), max_size=8)
ROWS = st.lists(st.tuples(IDS, st.booleans(), st.booleans(), st.one_of(st.just(""), REASONS)), max_size=4)


def _line(record_id: str, success: bool, created: bool, reason: str, end: str) -> str:
    return (
        ",".join(
            '"' + str(value).replace('"', '""') + '"'
            for value in (record_id, str(success).lower(), str(created).lower(), reason)
        )
        + end
    )


def _verdict(read_them: Callable[[bytes], object], content: bytes) -> object:
    try:
        return read_them(content)
    except FormatError as error:
        return str(error)


def _by_value(content: bytes) -> object:
    """Value by value, as the exact reader has it."""
    marks: list[bytes] = []
    errors = {}
    for place, row in enumerate(result_rows(content)):
        if (row.id or row.success) and not (row.id.isascii() and row.id.isalnum() and len(row.id) in {15, 18}):
            raise FormatError("A result has an invalid id", row=place + 1)
        marks.append(f"{row.id},{f'{str(row.created).lower()},' if row.success else ''}".encode())
        if not row.success:
            errors[place] = row.error
    return marks, errors


def _read(content: bytes) -> object:
    found = read(content, 9, whole=False)
    return list(found.marks), found.errors


REFUSED = ("", False, False, 'a, "b"\n')


@pytest.mark.parametrize("created", [True, False])
@pytest.mark.parametrize("refused", ["", "first", "last", "both", "twice"])
def test_those_that_are_refused_are_found_between_those_that_are_written(refused: str, created: bool) -> None:
    rows = [(ID, True, created, "")] * 3
    begin = [REFUSED] * (refused in {"first", "both"})
    end = [REFUSED] * (2 if refused == "twice" else refused in {"last", "both"})
    content = (HEADER + "".join(_line(*row, "\n") for row in (*begin, *rows[:2], *end, *rows[2:], *end))).encode()
    assert _read(content) == _by_value(content)


@given(ROWS, st.sampled_from(["\n", "\n", "\r\n"]), st.data())
def test_every_way_reads_the_same_whatever_the_bytes(
    rows: list[tuple[str, bool, bool, str]], end: str, data: st.DataObject
) -> None:
    content = (HEADER + "".join(_line(*row, end) for row in rows)).encode()
    for _ in range(data.draw(st.integers(0, 2))):
        place = data.draw(st.integers(0, len(content)))
        content = (
            content[:place]
            + data.draw(st.sampled_from([b"", b'"', b",", b"\n", b"\xff", b"t"]))
            + content[place + data.draw(st.integers(0, 2)) :]
        )
    assert _verdict(_read, content) == _verdict(_by_value, content)


@given(st.binary(max_size=60))
@example(b'"')
@example(b"\xef\xbb\xbf")
def test_anything_is_results_or_refused(content: bytes) -> None:
    for each in (content, HEADER.encode() + content):
        assert _verdict(_read, each) == _verdict(_by_value, each)


@pytest.fixture
def outputs(tmp_path: Path) -> Iterator[Outputs]:
    outputs = Outputs(tmp_path, b"Code__c,Text__c", [])
    yield outputs
    outputs.discard()


def ended(rows: bytes, results: bytes | None, records: int) -> Ended:
    outcomes = Outcomes(()) if results is None else read(results, records, whole=True)
    return Ended(1, 1, records, [rows], outcomes, "the org did not get to it")


def test_outputs_join_results_to_rows(tmp_path: Path, outputs: Outputs) -> None:
    outputs.add(ended(b'1,"a\nb"\n2,c\n', of(went_in(), refused('X:a, ""b"":F --')), 2))
    outputs.add(ended(b"3,x\r\n4,y", of(went_in(), went_in(SHORT_ID, "false")), 2))
    outputs.add(ended(b"5,z\n", None, 1))
    outputs.publish()
    assert (tmp_path / "success.csv").read_bytes() == (
        f'sf__Id,sf__Created,Code__c,Text__c\n{ID},true,1,"a\nb"\n{ID},true,3,x\n{SHORT_ID},false,4,y\n'.encode()
    )
    assert (tmp_path / "failed.csv").read_bytes() == b'sf__Id,sf__Error,Code__c,Text__c\n,"X:a, ""b"":F --",2,c\n'
    assert (tmp_path / "unprocessed.csv").read_bytes() == b"sf__Error,Code__c,Text__c\nthe org did not get to it,5,z\n"
    assert (outputs.tally.succeeded, outputs.tally.failed, outputs.tally.unprocessed) == (3, 1, 1)
    assert [(group.status_code, group.row) for group in outputs.tally.groups()] == [("X", 2), ("BATCH", 1)]


@pytest.mark.parametrize("results", [of(went_in(), went_in()), of(went_in(), refused("a:b:--")), None])
@pytest.mark.parametrize("rows", [b"1,a\n", b"1,a\n2,b\n3,c\n", b'1,"a\n2,b\n3,c\n', b""])
def test_rows_that_are_not_the_batch_s_any_more_are_told(outputs: Outputs, rows: bytes, results: bytes | None) -> None:
    with pytest.raises(SourceChanged, match="batch 1"):
        outputs.add(ended(rows, results, 2))


KNOWN = [f"00300000000000{letter}" for letter in "abcd"]


def of_ids(*ids: str) -> bytes:
    return of(*(went_in(one) if one else refused("X:no:--") for one in ids))


@pytest.mark.parametrize(
    ("ids", "sent", "fits"),
    [
        (KNOWN, KNOWN, True),
        (KNOWN, [one + "AAA" for one in KNOWN], True),
        ([one + "AAA" for one in KNOWN], KNOWN, True),
        (["", *KNOWN[1:]], KNOWN, True),
        (KNOWN[:2], KNOWN[:2], True),
        # Upserted without an id, or with what is none.
        (KNOWN, ["", "#N/A", "nonsense", KNOWN[3]], True),
        (KNOWN[::-1], KNOWN, False),
        ([*KNOWN[:3], KNOWN[0]], KNOWN, False),
        (["", KNOWN[0], *KNOWN[2:]], KNOWN, False),
        # Two records whose ids differ in case alone; the check characters would tell if case was lost.
        ([*KNOWN[:3], "00300000000000D"], KNOWN, False),
        ([*KNOWN[:3], "00300000000000D"], [*KNOWN[:3], "00300000000000DAAA".lower()], True),
    ],
)
def test_results_name_the_records_that_were_sent(ids: list[str], sent: list[str], fits: bool) -> None:
    problem = check(of_ids(*ids), len(ids), whole=True, ids=[one.encode() for one in sent])
    assert problem is None if fits else str(problem).endswith("is about a different record than was sent there")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("quoted", ["", "ids", "texts", "both"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_column_is_read_wherever_it_stands(place: int, quoted: str, end: str) -> None:
    texts = ["plain", 'a "b", c\nd' if quoted in {"texts", "both"} else "other"]
    values = ["003000000000001AAA", "", "003000000000002"] * 1_000
    records = []
    for number, value in enumerate(values):
        written = f'"{value}"' if quoted in {"ids", "both"} else value
        text = quote(texts[number % 2])
        records.append(",".join(written if at == place else text for at in range(3)) + end)
    found = column_of("".join(records).encode(), len(values), place, 3)
    assert found == [value.encode() for value in values]
