"""The CSV reader against the server's rules, and against a plain model of them."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkforce_emulator import Limits, Settings
from bulkforce_emulator.formats.csv_reader import read_csv
from bulkforce_emulator.uploads import BatchError

SETTINGS = Settings()


def table(body: bytes | str, **options: str) -> dict[str, list[str | None]]:
    upload = read_csv(body.encode() if isinstance(body, str) else body, SETTINGS, **options)
    return {name: column.to_pylist() for name, column in upload.columns.items()}


def failure(body: bytes | str, settings: Settings = SETTINGS) -> str:
    with pytest.raises(BatchError) as caught:
        read_csv(body.encode() if isinstance(body, str) else body, settings)
    return str(caught.value)


def model(text: str) -> list[list[str | None]] | str:  # noqa: C901 - a parser, spelled out
    """The server's parser, character by character: rows, or its message."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    rows: list[list[str | None]] = []
    row: list[str | None] = []
    value, at, blank = "", 0, True
    while at <= len(text):
        character = text[at] if at < len(text) else "\n"
        if character == '"' and not value:
            blank = False
            end = at + 1
            while True:
                close = text.find('"', end)
                if close < 0:
                    return "EOF reached before closing an opened quote"
                value += text[end:close]
                if text[close + 1 : close + 2] != '"':
                    break
                value += '"'
                end = close + 2
            at = close + 1
            if at < len(text) and text[at] not in ",\n":
                return "Not expecting more text after end quote"
            character = text[at] if at < len(text) else "\n"
        elif character == '"':
            return "Found unescaped quote. A value with quote should be within a quote"
        if character == ",":
            row.append(value or None)
            value, blank = "", False
        elif character == "\n":
            if value or not blank:
                row.append(value or None)
                rows.append(row)
            row, value, blank = [], "", True
        else:
            value += character
            blank = False
        at += 1
    return rows


@settings(deadline=None)
@given(st.text(alphabet='ab",\n\r #', max_size=30))
def test_reader_agrees_with_the_character_by_character_model(text: str) -> None:
    body = "h1,h2\n" + text
    expected = model(body)
    if isinstance(expected, str):
        assert failure(body) == f"InvalidBatch : Failed to parse CSV. {expected}"
    elif len(expected) == 1:
        assert failure(body) == "InvalidBatch : Records not found"
    elif any(len(row) != 2 for row in expected):
        assert "values, the header has 2" in failure(body)
    else:
        assert list(table(body).values()) == [list(column) for column in zip(*expected[1:], strict=True)]


@settings(deadline=None)
@given(st.lists(st.lists(st.text(max_size=8), min_size=3, max_size=3), min_size=1, max_size=6), st.booleans())
def test_what_a_csv_writer_writes_is_read_back(rows: list[list[str]], everything: bool) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL if everything else csv.QUOTE_MINIMAL).writerows([["a", "b", "c"], *rows])
    body = out.getvalue().encode("utf-8", "surrogatepass")
    try:
        body.decode()
    except UnicodeDecodeError:
        return
    read = list(table(body).values())
    expected = [
        [value.replace("\r\n", "\n").replace("\r", "\n") or None for value in column]
        for column in zip(*rows, strict=True)
    ]
    assert read == expected


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('a\nx"y\n', "Found unescaped quote. A value with quote should be within a quote"),
        ('a,b\nx, "y"\n', "Found unescaped quote. A value with quote should be within a quote"),
        ('a\n"x"y\n', "Not expecting more text after end quote"),
        ('a\n"x\n', "EOF reached before closing an opened quote"),
        ('\ufeff"a"\nx\n', "Found unescaped quote. A value with quote should be within a quote"),
    ],
)
def test_bad_quoting_is_told_in_the_servers_words(body: str, message: str) -> None:
    assert failure(body) == f"InvalidBatch : Failed to parse CSV. {message}"


def test_tabs_blanks_nul_and_markers_are_data() -> None:
    assert table('a,b\n x\t , \0\n#N/A,""\n') == {"a": [" x\t ", "#N/A"], "b": [" \0", None]}


def test_bom_before_a_bare_header_stays_in_its_name() -> None:
    assert list(table("\ufeffName\nx\n")) == ["\ufeffName"]


def test_line_ends_in_values_become_one_lf_or_crlf() -> None:
    body = 'a\n"1\r\n2\r3\n4"\n'
    assert table(body) == {"a": ["1\n2\n3\n4"]}
    assert table(body, line_ending="\r\n") == {"a": ["1\r\n2\r\n3\r\n4"]}


def test_charsets_are_read() -> None:
    assert table("a\nZoë\n".encode("iso-8859-1"), charset="ISO-8859-1") == {"a": ["Zoë"]}
    assert table(b"a\n\xff\n") == {"a": ["\ufffd"]}


def test_limits_are_told_with_their_numbers() -> None:
    row_limit = failure("a\n" + "x\n" * 10_001)
    assert row_limit.endswith(
        "Exceeded number of records : 10002. Number of records should be less than or equal to 10001"
    )
    assert failure("a\n" + "x" * 131_073).endswith("Exceeded max field size: 131073")
    assert failure(",".join(f"c{n}" for n in range(5001)) + "\nx").endswith(
        "Exceeded max number of columns per record : 5000"
    )
    wide = "a,b,c,d\n" + ",".join(["x" * 100_001] * 4)
    assert "Exceeded max length for one record: 400004." in failure(wide)
    few = Settings(limits=Limits(batch_characters=10))
    assert "Exceeded max file size: 13." in failure("a\nabcdef\nabcdef\n", few)


def test_limits_count_characters_and_not_bytes() -> None:
    assert len(table("a\n" + "é" * 131_072)["a"][0] or "") == 131_072


@pytest.mark.parametrize("body", ["Name\n", "\n\n", "Name"])
def test_header_without_records_is_refused(body: str) -> None:
    assert failure(body) == "InvalidBatch : Records not found"


def test_ragged_rows_do_what_the_settings_say() -> None:
    body = "a,b\n1,2\n3\n4,5,6\n"
    assert "Row 2 has 1 values, the header has 2" in failure(body)
    upload = read_csv(body.encode(), Settings(short_csv_row="fill", long_csv_row="row error"))
    assert upload.columns["b"].to_pylist() == ["2", None, "5"]
    assert upload.faults is not None
    assert [fault is None for fault in upload.faults.to_pylist()] == [True, True, False]


def test_same_header_twice_is_refused_or_the_last_one_counts() -> None:
    assert failure("a,a\n1,2\n") == "InvalidBatch : Duplicate field name : a"
    upload = read_csv(b"a,a\n1,2\n", Settings(duplicate_csv_header="last"))
    assert upload.columns["a"].to_pylist() == ["2"]
