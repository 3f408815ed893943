"""The data of a job of Bulk API 2.0: checked, written in the job's form, and cut into pieces."""

from __future__ import annotations

import csv as standard
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkforce.errors import FormatError
from bulkforce.load.job_data import in_form, job_data, pieces_of
from bulkforce.protocol.exchange import Body
from bulkforce.vocabulary import ColumnDelimiter, LineEnding

VALUES = st.text(alphabet='ab,|`^;\t"\n é', max_size=6)
RECORDS = st.lists(st.lists(VALUES, min_size=2, max_size=2), max_size=8)


def written(records: list[list[str]]) -> bytes:
    target = io.StringIO(newline="")
    standard.writer(target, lineterminator="\n").writerows([["A", "B"], *records])
    return target.getvalue().encode()


def whole(body: Body) -> bytes:
    with body.open() as file:
        return b"".join(iter(lambda: file.read(3), b""))


def blocks(content: bytes) -> Iterator[bytes]:
    return (content[begin : begin + 5] for begin in range(0, len(content), 5))


@given(RECORDS, st.sampled_from(list(ColumnDelimiter)), st.sampled_from(["\n", "\r\n"]))
def test_records_are_the_same_in_any_form(records: list[list[str]], delimiter: ColumnDelimiter, end: str) -> None:
    formed = b"".join(in_form(blocks(written(records)), delimiter.character.encode(), end.encode())).decode()
    read = list(standard.reader(io.StringIO(formed, newline=""), delimiter=delimiter.character))
    assert read == [["A", "B"], *([value.replace("\n", end) for value in record] for record in records)]
    if end == "\r\n":
        assert formed.count("\n") == formed.count("\r\n")


@given(RECORDS, st.integers(40, 80))
def test_pieces_have_the_header_and_together_all_records(records: list[list[str]], most: int) -> None:
    content = written(records)
    pieces = [whole(piece) for piece in pieces_of(Body.of(content), most)]
    assert all(len(piece) <= most for piece in pieces)
    read = [list(standard.reader(io.StringIO(piece.decode(), newline=""))) for piece in pieces]
    assert all(one[0] == ["A", "B"] for one in read)
    assert [record for one in read for record in one[1:]] == records


def test_piece_says_how_long_it_is_and_can_be_read_again() -> None:
    pieces = list(pieces_of(Body.of(b"A\n" + b"1234567\n" * 10), 30))
    assert len(pieces) == 4
    for piece in pieces:
        assert len(whole(piece)) == piece.length
        with piece.open() as file:
            assert file.read() + file.read() == whole(piece)


def test_record_longer_than_a_piece_is_refused() -> None:
    with pytest.raises(FormatError, match="longer than 20 bytes"):
        list(pieces_of(Body.of(b"A\n1\n" + b"2" * 30 + b"\n"), 20))


@given(st.lists(st.sampled_from([b"a", b'"', b"\r", b"\n", b"\r\n", "é".encode()]), max_size=12))
def test_check_of_line_ends_sees_what_a_parser_sees(pieces: list[bytes]) -> None:
    content = b"".join(pieces)
    outside = b"|".join(content.split(b'"')[::2])
    rest = outside.replace(b"\r\n", b"")
    fits = {LineEnding.LF: b"\r" not in outside, LineEnding.CRLF: not (b"\r" in rest or b"\n" in rest)}
    for line_ending, expected in fits.items():
        try:
            with job_data(content, ColumnDelimiter.COMMA, line_ending) as body:
                assert whole(body) == content
            fitted = True
        except FormatError:
            fitted = False
        assert fitted == expected


@pytest.mark.parametrize("place", [2, 65_534, 65_535, 65_536, 262_143])
def test_place_of_what_is_not_utf_8_is_told(place: int) -> None:
    content = b"A\n".ljust(place, b"x") + b"\xc3("
    with (
        pytest.raises(FormatError, match="not UTF-8") as caught,
        job_data(content, ColumnDelimiter.COMMA, LineEnding.LF),
    ):
        pass
    assert caught.value.byte == place


def test_line_end_on_the_border_of_two_blocks_is_one(tmp_path: Path) -> None:
    content = b"A\r\n" + b"x" * (1_048_576 - 4) + b"\r\n" + b"y\r\n"
    (tmp_path / "a.csv").write_bytes(content)
    with job_data(tmp_path / "a.csv", ColumnDelimiter.COMMA, LineEnding.CRLF) as body:
        assert body.length == len(content)
