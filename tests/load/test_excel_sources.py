"""Excel workbooks: cells keep their types, and what cannot be loaded is named by its cell."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from bulkforce.errors import FormatError, UsageError
from bulkforce.load.sources import excel, to_csv
from bulkforce.load.sources.options import SourceOptions

HEADER = ["LastName", "Amount__c"]


def workbook(
    folder: Path, *sheets: Sequence[Sequence[Any]], errors: dict[str, str] | None = None, left: int = 0
) -> Path:
    """Write a workbook with so many empty columns and rows before each table; and errors in cells of the first sheet."""
    book = openpyxl.Workbook()
    for number, rows in enumerate(sheets, 1):
        sheet = book.active if number == 1 else book.create_sheet()
        sheet.title = f"Sheet {number}"
        for row_number, row in enumerate(rows, 1 + left):
            for column, value in enumerate(row, 1 + left):
                if value is not None:
                    sheet.cell(row_number, column, value)
    for cell, error in (errors or {}).items():
        book.worksheets[0][cell].value = error
        book.worksheets[0][cell].data_type = "e"
    path = folder / "a.xlsx"
    book.save(path)
    return path


def rows_of(path: Path, folder: Path, **options: Any) -> list[list[str]]:
    found = to_csv(path, folder, options=SourceOptions(**options))
    assert found.ours
    return list(csv.reader(io.StringIO(found.path.read_bytes().decode(), newline="")))


def refused(path: Path, folder: Path, kind: type[Exception] = FormatError, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        to_csv(path, folder, options=SourceOptions(**options))
    assert not list(folder.glob("source*"))
    assert caught.value.__context__ is None or "Calamine" not in repr(caught.value.__context__)
    return str(caught.value)


def test_cells_keep_their_types(tmp_path: Path) -> None:
    values = [1001, 2.5, True, "007", date(2026, 3, 4), datetime(2026, 3, 4, 5, 6, 7), time(5, 6), None, "#N/A"]  # noqa: DTZ001
    names = [f"f{place}" for place in range(len(values))]
    path = workbook(tmp_path, [names, values], errors={"I2": "#N/A"})
    (record,) = excel.records(path, SourceOptions())
    assert list(record.values()) == [*values[:7], "", None]
    assert type(record["f0"]) is int


def test_first_sheet_is_read_unless_another_is_named(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["A"], ["x"]], [["B"], ["y"]])
    assert rows_of(path, tmp_path) == [["A"], ["x"]]
    for sheet in ("Sheet 2", " sheet 2", 2, "2"):
        assert rows_of(path, tmp_path, sheet=sheet) == [["B"], ["y"]]
    for sheet in ("Sheet 3", 3, "0"):
        (tmp_path / "source.csv").unlink(missing_ok=True)
        assert "'Sheet 1', 'Sheet 2'" in refused(path, tmp_path, UsageError, sheet=sheet)


def test_table_may_begin_anywhere(tmp_path: Path) -> None:
    path = workbook(tmp_path, [HEADER, ["x", 1], ["y", None]], left=2, errors={"D4": "#N/A"})
    assert rows_of(path, tmp_path) == [HEADER, ["x", "#N/A"], ["y", ""]]


def test_empty_column_without_a_name_is_left_out_and_blanks_around_names_are_removed(tmp_path: Path) -> None:
    path = workbook(tmp_path, [[" LastName\xa0", None, "Email", " "], ["x", None, "y"]])
    assert rows_of(path, tmp_path) == [["LastName", "Email"], ["x", "y"]]


@pytest.mark.parametrize(
    ("rows", "errors", "said"),
    [
        ([HEADER, ["x", 1], ["y", "z"]], {"B3": "#REF!"}, "The cell B3 holds an error"),
        ([["LastName", None], ["x", 1]], {}, "The column B has values, but no name in the cell B1"),
        ([["LastName", 7], ["x", 1]], {}, "The cell B1 must be the name of a column"),
        ([["LastName", "lastname "], ["x", 1]], {}, "twice; the second time in the cell B1"),
        ([HEADER, ["x", timedelta(hours=30)]], {}, "The cell B2 holds a duration"),
    ],
)
def test_what_cannot_be_loaded_is_named_by_its_cell(
    tmp_path: Path, rows: list[list[Any]], errors: dict[str, str], said: str
) -> None:
    assert said in refused(workbook(tmp_path, rows, errors=errors), tmp_path)


def test_formula_that_found_nothing_is_no_null(tmp_path: Path) -> None:
    path, failed = workbook(tmp_path, [HEADER, ["x", 1]], errors={"B2": "#N/A"}), tmp_path / "failed.xlsx"
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(failed, "w") as after:
        for name in before.namelist():
            # A workbook's writer that does not calculate writes no results of formulas.
            after.writestr(name, before.read(name).replace(b'"e"><v>', b'"e"><f>VLOOKUP(A2,D1:E2,2)</f><v>'))
    assert "The cell B2 holds an error" in refused(failed, tmp_path)


def test_errors_are_found_in_a_long_sheet(tmp_path: Path) -> None:
    rows: list[list[Any]] = [HEADER, *([f"name {place}", place] for place in range(20_000))]
    path = workbook(tmp_path, rows, errors={"B5000": "#N/A", "A15001": "#N/A"})
    found = rows_of(path, tmp_path)
    assert [place for place, row in enumerate(found, 1) if "#N/A" in row] == [5000, 15001]


def test_workbook_that_is_none_or_empty_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"")
    assert "empty" in refused(path, tmp_path, UsageError)
    path.write_bytes(b"LastName,Email\nx,y\n")
    assert "no complete Excel workbook" in refused(path, tmp_path)
    whole = workbook(tmp_path, [HEADER, ["x", 1]]).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "no complete Excel workbook" in refused(path, tmp_path)
    assert "is empty" in refused(workbook(tmp_path, []), tmp_path, UsageError)


def test_library_is_named_if_it_is_missing(tmp_path: Path) -> None:
    path = workbook(tmp_path, [HEADER, ["x", 1]])
    code = (
        "import sys; sys.modules['python_calamine'] = None\n"
        "from pathlib import Path; from bulkforce.load.sources import to_csv\n"
        f"to_csv(Path({str(path)!r}), Path({str(tmp_path)!r}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'bulkforce[excel]'" in found.stderr
