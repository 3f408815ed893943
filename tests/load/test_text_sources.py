"""Text files of every dialect: the org gets plain CSV with every value unchanged, and a guess is said aloud."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkforce.errors import FormatError, UsageError
from bulkforce.load.sources import to_csv
from bulkforce.load.sources.dialect import Dialect
from bulkforce.load.sources.options import SourceOptions
from bulkforce.load.sources.plain import plain

ROWS = [["Name", "Note"], ["a,b", "c;d"], ["two\r\nlines", 'a "quote"'], ["", "it's | ^ \t"]]


def file(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def text_of(rows: list[list[str]], delimiter: str = ",", quote: str = '"', end: str = "\n") -> str:
    def written(value: str) -> str:
        plain = not set(value) & {delimiter, quote, "\r", "\n"}
        return value if plain else quote + value.replace(quote, quote * 2) + quote

    return "".join(delimiter.join(map(written, row)) + end for row in rows)


def read(path: Path, folder: Path, **options: str) -> tuple[list[list[str]], list[str]]:
    """Return the rows of a source, and what was said about it."""
    folder.mkdir(exist_ok=True)
    said: list[str] = []
    found = to_csv(path, folder, options=SourceOptions(**options), tell=said.append)
    return list(csv.reader(io.StringIO(found.path.read_bytes().decode("utf-8-sig"), newline=""), strict=True)), said


def refused(path: Path, folder: Path, **options: str) -> str:
    folder.mkdir(exist_ok=True)
    with pytest.raises(FormatError) as caught:
        read(path, folder, **options)
    assert list(folder.iterdir()) == []
    return str(caught.value)


@pytest.mark.parametrize(
    ("delimiter", "name"), [(";", "semicolon"), ("\t", "tab"), ("|", "pipe"), ("^", "caret")], ids=lambda one: one
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiter_is_guessed_from_the_header_and_the_guess_is_said(
    tmp_path: Path, delimiter: str, name: str, end: str
) -> None:
    path = file(tmp_path, "a.csv", text_of(ROWS, delimiter, end=end))
    rows, said = read(path, tmp_path / "run")
    assert rows == ROWS
    assert len(said) == 1
    assert f"separated by {name}s" in said[0]
    for word in (delimiter, name, name.upper()):
        assert read(path, tmp_path / "run", delimiter=word) == (ROWS, [])
    assert read(path, tmp_path / "run", delimiter="auto") == (rows, said)


@pytest.mark.parametrize("name", ["a.tsv", "a.TAB", "a.tsv.gz"])
def test_tsv_has_tabs_without_a_guess(tmp_path: Path, name: str) -> None:
    content = text_of(ROWS, "\t").encode()
    path = file(tmp_path, name, gzip.compress(content) if name.endswith("gz") else content)
    assert read(path, tmp_path / "run") == (ROWS, [])


def test_txt_is_csv_and_used_in_place(tmp_path: Path) -> None:
    path = file(tmp_path, "a.txt", text_of(ROWS))
    (tmp_path / "run").mkdir()
    found = to_csv(path, tmp_path / "run")
    assert (found.path, found.ours) == (path, False)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "Name;Amount, EUR;City\na;1,5;x\nb;2,5;y\n",
            [["Name", "Amount, EUR", "City"], ["a", "1,5", "x"], ["b", "2,5", "y"]],
        ),
        ("Id,Notes; remarks\n1,x\n2,y\n", None),
        ('"Name; first",Note\na,b\n', None),
        ("Name\nx;y\n", None),
        ("A;B\n", [["A", "B"]]),
    ],
)
def test_header_with_several_delimiters_is_split_as_the_records_are(
    tmp_path: Path, content: str, expected: list[list[str]] | None
) -> None:
    path = file(tmp_path, "a.csv", content)
    rows, said = read(path, tmp_path / "run")
    assert rows == (expected or list(csv.reader(io.StringIO(content))))
    assert bool(said) == bool(expected)


@pytest.mark.parametrize("first", ["sep=;\n", '"sep=;"\r\n', "SEP=;\r", "\ufeffsep=;\n"])
def test_sep_line_of_excel_names_the_delimiter(tmp_path: Path, first: str) -> None:
    path = file(tmp_path, "a.csv", first + text_of(ROWS, ";"))
    assert read(path, tmp_path / "run") == (ROWS, [])
    comma = file(tmp_path, "b.csv", first.replace(";", ",") + text_of(ROWS))
    assert read(comma, tmp_path / "run") == (ROWS, [])


@pytest.mark.parametrize("encoding", ["windows-1252", "utf-16", "utf-16-le", "utf-8-sig", "utf-32", "cp1252", "latin1"])
def test_encoding_can_be_given(tmp_path: Path, encoding: str) -> None:
    rows = [["Näme", "Note"], ["Žofie" if encoding.startswith("utf") else "Zoé", "ü,é\r\nß"]]
    path = file(tmp_path, "a.csv", text_of(rows).encode(encoding))
    assert read(path, tmp_path / "run", encoding=encoding) == (rows, [])


def test_shift_jis_is_read(tmp_path: Path) -> None:
    # The second byte of some of these is a backslash or a pipe.
    rows = [["Name", "Note"], ["表示|ソ", "日本語"]]
    path = file(tmp_path, "a.csv", text_of(rows).encode("shift-jis"))
    assert read(path, tmp_path / "run", encoding="Shift-JIS") == (rows, [])


@pytest.mark.parametrize("order", ["le", "be"])
def test_utf_16_with_its_mark_is_read_unasked(tmp_path: Path, order: str) -> None:
    content = b"\xff\xfe" if order == "le" else b"\xfe\xff"
    path = file(tmp_path, "a.txt", content + text_of(ROWS, "\t", end="\r\n").encode(f"utf-16-{order}"))
    rows, said = read(path, tmp_path / "run")
    assert rows == ROWS
    assert len(said) == 1
    assert read(path, tmp_path / "run", encoding=f"utf-16-{order}", delimiter="tab")[0] == ROWS


def test_wrong_encoding_is_told_with_its_line(tmp_path: Path) -> None:
    content = "Name\nx\né\n".encode("shift-jis", "ignore") + b"\xff\xff\n"
    said = refused(file(tmp_path, "a.csv", content), tmp_path / "run", encoding="shift-jis")
    assert "not shift_jis" in said
    assert "line 4" in said
    marked = file(tmp_path, "b.csv", "\ufeffName\nx\n".encode())
    assert "byte order mark of UTF-8" in refused(marked, tmp_path / "run", encoding="windows-1252")
    cut = file(tmp_path, "c.csv", "Name\nx\n".encode("utf-16")[:-1])
    assert "not utf-16" in refused(cut, tmp_path / "run")
    bare = file(tmp_path, "d.csv", "Name\nx\n".encode("utf-16-be"))
    assert "utf-16-be (--encoding)" in refused(bare, tmp_path / "run")


@pytest.mark.parametrize("quote", ["'", "|", "~"])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_other_characters_may_be_around_values(tmp_path: Path, quote: str, delimiter: str) -> None:
    path = file(tmp_path, "a.csv", text_of(ROWS, delimiter, quote))
    assert read(path, tmp_path / "run", quote=quote, delimiter=delimiter) == (ROWS, [])


def test_values_may_have_no_quotes_at_all(tmp_path: Path) -> None:
    path = file(tmp_path, "a.tsv", 'Name\tNote\n12" disc\t"so, so\n')
    assert read(path, tmp_path / "run", quote="none")[0] == [["Name", "Note"], ['12" disc', '"so, so']]


def test_misplaced_quote_of_another_kind_is_told_with_its_line(tmp_path: Path) -> None:
    path = file(tmp_path, "a.csv", "Name,Note\n'two\nlines',x\nO'Brien,y\nd'Arc,z\n")
    said = refused(path, tmp_path / "run", quote="'")
    assert "inside an unquoted value" in said
    assert "line 4" in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04\x14\0\0\0\x08\0", "a zip archive or an Excel workbook; name it .xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", "Excel 97"),
        (b"\x1f\x8b\x08\0", "packed with gzip; name it .csv.gz"),
        (b"\x28\xb5\x2f\xfd\0", "packed with zstd"),
        (b"PAR1\x15\x04", "a Parquet file"),
        (b"ARROW1\0\0", "an Arrow file"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"\xef\xbb\xbf\r\n<!DOCTYPE html>\n<html>", "an HTML page"),
        (b"<HTML><body>", "an HTML page"),
        ("<html>".encode("utf-16"), "an HTML page"),
        (b"<?xml version='1.0'?>", "an XML document"),
        (b'{"result": {"records": [', "JSON; name it .json"),
        (b'[{"Name": "x"}]', "JSON"),
        (b'{\n  "status": 0,', "JSON"),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.csv.gz"])
def test_what_is_no_csv_is_called_what_it_is(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = file(tmp_path, name, gzip.compress(content) if name.endswith("gz") else content)
    assert said in refused(path, tmp_path / "run")


def test_header_that_looks_like_another_kind_is_still_a_header(tmp_path: Path) -> None:
    path = file(tmp_path, "a.csv", "PAR1,[x],{y}\n1,2,3\n")
    assert read(path, tmp_path / "run") == ([["PAR1", "[x]", "{y}"], ["1", "2", "3"]], [])


@pytest.mark.parametrize("name", ["a.zip", "a.xls", "a.ods", "a.html"])
def test_files_that_people_have_too_are_told_what_to_do(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"unpack it|save it as|export"):
        to_csv(file(tmp_path, name, "x"), tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {"delimiter": ""},
        {"delimiter": "ab"},
        {"delimiter": "\n"},
        {"delimiter": "§"},
        {"delimiter": '"'},
        {"quote": ";", "delimiter": ";"},
        {"quote": ""},
        {"quote": "''"},
        {"encoding": "klingon"},
        {"encoding": "base64"},
        {"encoding": ""},
        {"sheet": 0},
        {"columns": "Name"},
        {"columns": []},
        {"columns": ["a", ""]},
        {"columns": [1]},
    ],
    ids=str,
)
def test_options_of_no_meaning_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        SourceOptions(**options)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.csv", {"sheet": "x"}),
        ("a.csv", {"columns": ["a"]}),
        ("a.json", {"delimiter": ";"}),
        ("a.xml", {"encoding": "utf-8"}),
        ("a.parquet", {"encoding": "utf-8"}),
    ],
    ids=str,
)
def test_options_for_another_kind_of_source_are_refused(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    path = file(tmp_path, name, "x,y\n1,2\n")
    with pytest.raises(UsageError, match="has no meaning for a"):
        to_csv(path, tmp_path, options=SourceOptions(**options))


cells = st.text(st.sampled_from("ab,;'\"|\t\r\n é"), max_size=5)


@given(
    st.lists(st.lists(cells, min_size=2, max_size=2), min_size=1, max_size=5),
    st.sampled_from(",;|\t^"),
    st.sampled_from("\"'"),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.integers(1, 40),
    st.booleans(),
)
def test_every_value_is_unchanged(
    rows: list[list[str]], delimiter: str, quote: str, end: str, step: int, is_closed: bool
) -> None:
    """Whatever the dialect and wherever blocks end, the standard library reads the same values before and after."""
    text = text_of(rows, delimiter, quote, end)
    content = (text if is_closed else text.removesuffix(end)).encode("utf-16-le")
    blocks = [content[begin : begin + step] for begin in range(0, len(content), step)]
    found = b"".join(plain(blocks, Dialect(delimiter, quote, "utf-16-le")))
    assert list(csv.reader(io.StringIO(found.decode(), newline=""), strict=True)) == rows
