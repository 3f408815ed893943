"""Records of an Excel workbook, typed as in its cells.

The library holds one sheet in memory, about 100 bytes per cell; it does not show errors of formulas, so those are
looked up in the file itself (`excel_errors`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bulkforce import arguments
from bulkforce.errors import FormatError, MissingExtra, UsageError
from bulkforce.formats.text import trimmed
from bulkforce.formats.values import Value
from bulkforce.load.sources.excel_errors import not_available
from bulkforce.load.sources.options import SourceOptions

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

    Cell = int | float | str | bool | time | date | datetime | timedelta

_LARGEST_EXACT: Final = 2.0**53


def records(path: Path, options: SourceOptions) -> Iterator[Mapping[str, Value]]:
    """Read the records of one sheet; its first row names the columns.

    A number without a fraction is an int, as Excel shows it. An empty cell is an empty value; ``#N/A``, unless a
    formula failed with it, is null.

    Raises:
        MissingExtra: The library is not installed.
        UsageError: There is no such sheet.
        FormatError: The workbook cannot be read, or a cell cannot be loaded; the error names the cell.
    """
    workbook = _opened(path)
    sheet = _sheet(workbook, options.sheet, path)
    nulls = frozenset(not_available(path, workbook.sheet_names.index(sheet.name)))
    row, column = sheet.start or (0, 0)
    rows = _table(sheet)
    names, places = _columns(next(rows, []), sheet, row, column)
    for number, cells in enumerate(rows, row + 1):
        record: dict[str, Value] = {}
        for name, place in zip(names, places, strict=True):
            is_null = bool(nulls) and _cell(number, column + place) in nulls
            record[name] = None if is_null else _value(cells[place], number, column + place)
        # As in a CSV file with one column, an empty row is not a record.
        if len(names) > 1 or record[names[0]] != "":
            yield record


def _opened(path: Path) -> CalamineWorkbook:
    try:
        from python_calamine import CalamineError, CalamineWorkbook, PasswordError
    except ImportError as error:
        raise MissingExtra("excel", "Reading an Excel workbook") from error
    if path.stat().st_size == 0:
        raise UsageError(f"The source {path} is empty")
    try:
        return CalamineWorkbook.from_path(str(path))
    except PasswordError:
        problem = "it is protected by a password; save it without one"
    except (CalamineError, OSError, ValueError) as error:
        problem = f"it is no complete Excel workbook ({type(error).__name__}); save it as .xlsx again"
    raise FormatError(f"The source {path.name} cannot be read: {problem}")


def place_of_sheet(path: Path, wanted: str | int | None) -> int:
    """Return which sheet of a workbook is read, from 0.

    Raises:
        FormatError: The file is no workbook that can be read.
        UsageError: There is no such sheet.
    """
    return _known_place(_opened(path).sheet_names, wanted, path)


def _known_place(names: Sequence[str], wanted: str | int | None, path: Path) -> int:
    place = 0 if wanted is None else _place_of(wanted, names)
    if place is None or not 0 <= place < len(names):
        known = ", ".join(map(arguments.shown, names)) or "no sheets"
        raise UsageError(f"{path.name} has no sheet {arguments.shown(wanted)}; it has {known}")
    return place


def _sheet(workbook: CalamineWorkbook, wanted: str | int | None, path: Path) -> CalamineSheet:
    names = workbook.sheet_names
    place = _known_place(names, wanted, path)
    try:
        return workbook.get_sheet_by_index(place)
    except Exception as error:  # noqa: BLE001  (the library raises many kinds)
        problem = type(error).__name__
    raise FormatError(
        f"The sheet {arguments.shown(names[place])} of {path.name} cannot be read ({problem}); "
        "save the workbook again with Excel"
    )


def _place_of(wanted: str | int, names: Sequence[str]) -> int | None:
    if isinstance(wanted, int):
        return wanted - 1
    near = {name.strip().lower(): place for place, name in enumerate(names)}
    place = names.index(wanted) if wanted in names else near.get(wanted.strip().lower())
    # The command line cannot tell a number from a name.
    return int(wanted) - 1 if place is None and wanted.isdecimal() else place


def _table(sheet: CalamineSheet) -> Iterator[list[Cell]]:
    """Read the rows, from the first that is not empty."""
    return dropwhile(lambda cells: all(cell == "" for cell in cells), sheet.iter_rows())


def _columns(header: Sequence[Cell], sheet: CalamineSheet, row: int, column: int) -> tuple[list[str], list[int]]:
    """Return the names of the columns that have one, and their places."""
    if not header:
        raise UsageError(f"The sheet {arguments.shown(sheet.name)} is empty; name the one with the records as sheet")
    names: list[str] = []
    places: list[int] = []
    for place, cell in enumerate(header):
        where = _cell(row, column + place)
        if not isinstance(cell, str):
            raise FormatError(
                f"The cell {where} must be the name of a column, but is a {type(cell).__name__}; "
                "the first row that is not empty names the columns"
            )
        name = trimmed(cell)
        if name.lower() in map(str.lower, names):
            raise FormatError(f"The header names {arguments.shown(name)} twice; the second time in the cell {where}")
        if name:
            names.append(name)
            places.append(place)
    _refuse_nameless(sheet, set(range(len(header))) - set(places), row, column)
    if not names:
        raise FormatError("The first row of the sheet names no column")
    return names, places


def _refuse_nameless(sheet: CalamineSheet, places: Collection[int], row: int, column: int) -> None:
    """Refuse columns that have values but no name; those that are empty are left out."""
    for cells in _table(sheet) if places else ():
        for place in places:
            if cells[place] != "":
                raise FormatError(
                    f"The column {_letters(column + place)} has values, but no name in the cell "
                    f"{_cell(row, column + place)}; name it, or clear the column"
                )


def _value(cell: Cell, row: int, column: int) -> Value:
    if isinstance(cell, float) and cell.is_integer() and abs(cell) <= _LARGEST_EXACT:
        return int(cell)
    if isinstance(cell, timedelta):
        raise FormatError(
            f"The cell {_cell(row, column)} holds a duration, for which Salesforce has no type; "
            "format it as a number or as text"
        )
    return cell


def _cell(row: int, column: int) -> str:
    """Return the name of a cell.

    >>> _cell(0, 27)
    'AB1'
    """
    return f"{_letters(column)}{row + 1}"


def _letters(column: int) -> str:
    letters = ""
    while column >= 0:
        column, place = divmod(column, 26)
        letters = chr(ord("A") + place) + letters
        column -= 1
    return letters
