"""Finds cells of an Excel workbook that hold an error, such as ``#REF!``, in constant memory.

Source: ECMA-376, part 1, "SpreadsheetML": a cell ``c`` has its place in ``r``, the type ``e`` for an error in ``t``, a
formula in ``f`` and its value in ``v``.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bulkforce.errors import FormatError

_READ_BYTES: Final = 262_144
_SHEET: Final = re.compile(rb'<(?:\w+:)?sheet\s[^>]*\w+:id="([^"]*)"')
_RELATIONSHIP: Final = re.compile(rb"<(?:\w+:)?Relationship\s[^>]*>")
_ERROR_CELL: Final = re.compile(rb'<(?:\w+:)?c\s([^>]*\bt="e"[^>]*)>(.*?)</(?:\w+:)?c>', re.DOTALL)
_PLACE: Final = re.compile(rb'\br="([A-Z]+[0-9]+)"')
_VALUE: Final = re.compile(rb"<(?:\w+:)?v>([^<]*)<")
_FORMULA: Final = re.compile(rb"<(?:\w+:)?f[\s/>]")
_ENDS: Final = (b"</c>", b":c>", b"</row>", b":row>")


def not_available(path: Path, sheet: int) -> Iterator[str]:
    """Yield the name of each cell with ``#N/A`` that was typed there: it means null, as in CSV.

    Args:
        path: The workbook.
        sheet: The sheet's place among all, from 0.

    Raises:
        FormatError: A formula has failed, or a cell holds another error; the error names it.
    """
    try:
        for found in _error_cells(path, sheet):
            place, value = _PLACE.search(found[1]), _VALUE.search(found[2])
            name = place[1].decode() if place else "?"
            if value is None or value[1] != b"#N/A" or _FORMULA.search(found[2]):
                raise FormatError(f"The cell {name} holds an error, not a value; correct its formula, or clear it")
            yield name
    except (zipfile.BadZipFile, zlib.error, KeyError, IndexError, EOFError, NotImplementedError) as error:
        problem = type(error).__name__
    else:
        return
    raise FormatError(f"The source {path.name} is no complete Excel workbook ({problem}); save it as .xlsx again")


def _error_cells(path: Path, sheet: int) -> Iterator[re.Match[bytes]]:
    with zipfile.ZipFile(path) as archive, archive.open(_part_of(archive, sheet)) as file:
        carry = b""
        while block := file.read(_READ_BYTES):
            content = carry + block
            cut = max(place + len(end) if (place := content.rfind(end)) >= 0 else 0 for end in _ENDS)
            if b'"e"' in content:
                yield from _ERROR_CELL.finditer(content, 0, cut)
            carry = content[cut:]


def _part_of(archive: zipfile.ZipFile, sheet: int) -> str:
    """Return the name of a sheet's file in the workbook."""
    wanted = _SHEET.findall(archive.read("xl/workbook.xml"))[sheet]
    for found in _RELATIONSHIP.findall(archive.read("xl/_rels/workbook.xml.rels")):
        attributes = dict(re.findall(rb'(\w+)="([^"]*)"', found))
        if attributes.get(b"Id") == wanted:
            return posixpath.normpath(posixpath.join("/xl", attributes[b"Target"].decode())).lstrip("/")
    raise KeyError(sheet)
