"""Parts: records counted whatever is in them, and nothing that was cut ever passes for whole."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.extraction import TEXTS

from bulkforce.errors import FormatError
from bulkforce.extract import result_file
from bulkforce.extract.borders import Alike, Borders


class Blocks:
    """A stream of some bytes, in blocks."""

    framed = True

    def __init__(self, content: bytes, block_bytes: int = 7) -> None:
        self._content, self._block_bytes = content, block_bytes
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        for begin in range(0, len(self._content), self._block_bytes):
            yield self._content[begin : begin + self._block_bytes]

    def close(self) -> None:
        self.closed = True


def written(rows: list[list[str]], *, quoting: int = csv.QUOTE_ALL, line_end: str = "\n") -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=quoting, lineterminator=line_end).writerows(rows)  # type: ignore[arg-type]
    return text.getvalue().encode()


WORST = written([["Id", "Text"], *([str(number), text[:50]] for number, text in enumerate(TEXTS))])


@pytest.mark.parametrize("block_bytes", [1, 2, 3, 7, 100_000])
@pytest.mark.parametrize("turned", [False, True])
def test_records_are_counted_whatever_is_in_them(tmp_path: Path, block_bytes: int, *, turned: bool) -> None:
    rows = [["a", "b"], *([text[:50], "x"] if turned else ["x", text[:50]] for text in TEXTS)]
    content = written(rows)
    stream = Blocks(content, block_bytes)
    fetched = result_file.fetch(stream, tmp_path / "part")
    assert fetched == result_file.Fetched(len(TEXTS), len(content), hashlib.sha256(content).hexdigest())
    assert (tmp_path / "part").read_bytes() == content
    assert stream.closed
    assert result_file.is_whole(tmp_path / "part", fetched)
    assert result_file.names_of(tmp_path / "part") == ("a", "b")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(st.text('",\n\rab', max_size=4), min_size=2, max_size=2), max_size=8),
    block_bytes=st.integers(1, 9),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_any_records_are_counted(tmp_path: Path, rows: list[list[str]], block_bytes: int, line_end: str) -> None:
    content = written([["Id", "Text"], *rows], line_end=line_end)
    assert result_file.fetch(Blocks(content, block_bytes), tmp_path / "part").rows == len(rows)


def test_records_without_quotes_are_counted(tmp_path: Path) -> None:
    content = written([["a", "b"], ["1", "2"], ["3", 'x"\ny']], quoting=csv.QUOTE_MINIMAL)
    assert result_file.fetch(Blocks(content), tmp_path / "part").rows == 2


@pytest.mark.parametrize("block_bytes", [1, 5, 100_000])
def test_records_are_counted_whatever_line_ends_stand_between_them(tmp_path: Path, block_bytes: int) -> None:
    content = b'"a","b"\r\n"1","x"\n"2","y"\r"3","z\r"\r\n"4",""\n\n"5","\n"\r"6",""\n"7",""'
    fetched = result_file.fetch(Blocks(content, block_bytes), tmp_path / "part")
    assert (fetched.rows, fetched.ended) == (7, False)


@pytest.mark.parametrize("block_bytes", [1, 2, 3, 100])
def test_bytes_that_are_no_utf8_are_told_and_kept_aside(tmp_path: Path, block_bytes: int) -> None:
    good = '"a","b"\n"1","Привет 😀"\n'.encode()
    assert result_file.fetch(Blocks(good, block_bytes), tmp_path / "part.csv").rows == 1
    for bad in (good.replace(b"1", b"\xff"), good + "😀".encode()[:-1], good[:-4] + good[-3:]):
        with pytest.raises(FormatError, match="not UTF-8"):
            result_file.fetch(Blocks(bad, block_bytes), tmp_path / "bad.csv")
        assert result_file.aside(tmp_path / "bad.csv").read_bytes() == bad
        assert not (tmp_path / "bad.csv").exists()
    result_file.fetch(Blocks(good, block_bytes), tmp_path / "bad.csv")
    assert not result_file.aside(tmp_path / "bad.csv").exists()


@pytest.mark.parametrize(
    ("selected", "header", "fits"),
    [
        (["Id", "Name"], "Id,Name", True),
        (["id", "NAME"], "Id,Name", True),
        (["Id", "Account.Owner.Name"], "Id,Account.Owner.Name", True),
        (["Id", "a.Name"], "Id,Name", True),
        (["Key__c", "toLabel(Status)"], "ns__Key__c,Status", True),
        (["FIELDS(ALL)"], "Id,Name", True),
        ([], "Id,Name", True),
        (["Id", "Name"], "Name,Id", False),
        (["Id"], "Id,Name", False),
        (["Id", "Account.Name"], "Id,Account.Id", False),
    ],
)
def test_columns_are_those_that_were_selected(tmp_path: Path, selected: list[str], header: str, fits: bool) -> None:
    content = Blocks(f"{header}\n".encode())
    if fits:
        result_file.fetch(content, tmp_path / "part.csv", selected)
    else:
        with pytest.raises(FormatError, match="columns"):
            result_file.fetch(content, tmp_path / "part.csv", selected)


@pytest.mark.parametrize(
    ("header", "fits"), [("Account.Name,Id,x", True), ("Id,x,Name", True), ("Account.Id,Id,x", False)]
)
def test_columns_may_come_in_another_order_where_the_org_orders_them(tmp_path: Path, header: str, fits: bool) -> None:
    content, selected = Blocks(f"{header}\n".encode()), ["Id", "Account.Name", "toLabel(Status)"]
    with nullcontext() if fits else pytest.raises(FormatError, match="columns"):
        result_file.fetch(content, tmp_path / "part.csv", selected, in_order=False)


@pytest.mark.parametrize("block_bytes", [1, 20, 100, 100_000])
@pytest.mark.parametrize("place", [0, 20, 39])
@pytest.mark.parametrize("broken", ['"1"', '"1","x","y"', '"1","x",', '"1",,"2"'])
def test_record_with_too_many_or_too_few_values_is_refused(
    tmp_path: Path, broken: str, place: int, block_bytes: int
) -> None:
    lines = [
        '"a","b"',
        *(f'"{number}","say ""x"",""y"""' if number == 7 else f'"{number}","x"' for number in range(40)),
    ]
    lines[1 + place] = broken
    with pytest.raises(FormatError, match=r"does not match the header|is truncated"):
        result_file.fetch(Blocks("\n".join([*lines, ""]).encode(), block_bytes), tmp_path / "part.csv")


def test_values_that_look_like_several_are_one(tmp_path: Path) -> None:
    rows = [["a", "b"], *([str(number), 'he said "no","yes"'] for number in range(100))]
    assert result_file.fetch(Blocks(written(rows), 50), tmp_path / "part").rows == 100


def test_nothing_found_is_no_record(tmp_path: Path) -> None:
    fetched = result_file.fetch(Blocks(b"Records not found for this query"), tmp_path / "part")
    assert (fetched.rows, result_file.names_of(tmp_path / "part")) == (0, ())


def test_a_file_cut_anywhere_never_passes_for_whole(tmp_path: Path) -> None:
    """It is refused, or has fewer records, or lacks the line end."""
    whole = result_file.fetch(Blocks(WORST, 50), tmp_path / "part")
    for cut in range(len(WORST)):
        try:
            fetched = result_file.fetch(Blocks(WORST[:cut], 50), tmp_path / "part")
        except FormatError:
            continue
        assert fetched.rows < whole.rows or not fetched.ended, WORST[:cut][-20:]


def test_what_broke_off_leaves_no_part(tmp_path: Path) -> None:
    with pytest.raises(FormatError):
        result_file.fetch(Blocks(b'"Id","Text"\n"1","a'), tmp_path / "part")
    assert not (tmp_path / "part").exists()


def as_the_org_would(records: int) -> bytes:
    """Records whose ids begin alike, with all that may stand in a value."""
    texts = [text[:200] for text in TEXTS]
    return written([["Id", "Text", "More"], *([f"003{n:012}AAA", texts[n % len(texts)], ""] for n in range(records))])


@pytest.mark.parametrize("block_bytes", [600, 1_000, 4_096, 100_000])
@pytest.mark.parametrize("expected", [None, 0, 299, 300, 301])
def test_records_whose_ids_begin_alike_are_counted_whatever_the_org_says(
    tmp_path: Path, block_bytes: int, expected: int | None
) -> None:
    content = as_the_org_would(300)
    fetched = result_file.fetch(Blocks(content, block_bytes), tmp_path / "part", expected=expected)
    assert fetched == result_file.Fetched(300, len(content), hashlib.sha256(content).hexdigest())


def test_plain_records_whose_ids_begin_alike_are_told_apart_at_any_border_of_blocks(tmp_path: Path) -> None:
    content = written([["Id", "Text"], *([f"003{n:012}AAA", "a,b"] for n in range(40))])
    for block_bytes in range(60, 200):
        fetched = result_file.fetch(Blocks(content, block_bytes), tmp_path / "part", expected=40)
        assert (fetched.rows, fetched.size) == (40, len(content))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"003000000000150AAA","', b'"003000000000150AAA'),  # two values run together
        (b'"003000000000150AAA","', b'"003000000000150AAA","","'),  # one value too many
        (b'"003000000000150AAA"', b'003000000000150AAA"'),
    ],
)
def test_a_record_with_other_columns_is_refused_even_if_the_org_s_number_is_right(
    tmp_path: Path, old: bytes, new: bytes
) -> None:
    content = written([["Id", "Text"], *([f"003{n:012}AAA", "a,b"] for n in range(300))])
    with pytest.raises(FormatError):
        result_file.fetch(Blocks(content.replace(old, new), 1_000), tmp_path / "part", expected=300)


def test_a_file_whose_ids_begin_alike_cut_anywhere_never_passes_for_whole(tmp_path: Path) -> None:
    content = as_the_org_would(12)
    for cut in range(800, len(content)):
        try:
            fetched = result_file.fetch(Blocks(content[:cut], 700), tmp_path / "part", expected=12)
        except FormatError:
            continue
        assert fetched.rows < 12 or not fetched.ended, content[:cut][-20:]


@pytest.mark.parametrize("block_bytes", [7, 100_000])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("ids", ["003", ""])
def test_a_value_without_its_last_quote_never_hides_the_next_record(
    tmp_path: Path, ids: str, line_end: str, block_bytes: int
) -> None:
    rows = [["Id", "Text"], *([f"{ids}{number}", "some text"] for number in range(5))]
    rows[3][1] = 'and "more"\n'
    content = written(rows, line_end=line_end)
    ends = [place for place in range(len(content)) if content.startswith(f'"{line_end}"'.encode(), place)]
    ends = [place for place in ends if content[place - 4 : place] != b"more"]
    assert len(ends) >= 5
    for place in ends[1:]:
        stream = Blocks(content[:place] + content[place + 1 :], block_bytes)
        try:
            rows_counted = result_file.fetch(stream, tmp_path / "part", expected=5).rows
        except FormatError:
            continue
        assert rows_counted != 5


def test_a_value_that_ends_with_a_quote_and_a_line_end_is_no_reason_to_count_again() -> None:
    rows = [[f"003{number}", 'and "more"\n'] for number in range(50)]
    content = written([["Id", "Text"], *rows])
    sure = Borders()
    sure.feed(content)
    assert not sure.lost
    assert Alike.of(content) is not None
