"""Files of Bulk API 2.0: where their rows are, whether their line ends are the job's, and rows written in quotes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bulkforce_emulator.formats.columns import data_of, java_doubles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bulkforce_emulator.schema import SObject
    from bulkforce_emulator.settings import Settings
    from bulkforce_emulator.uploads import Upload

_QUOTE, _LF, _CR = ord('"'), ord("\n"), ord("\r")
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_DOUBLES = {"double", "currency", "percent"}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the header of a file is, and its rows, so many at a time: first byte, and the byte after the last."""

    header: tuple[int, int]
    chunks: tuple[tuple[int, int], ...]
    #: How many rows there are in all.
    rows: int = 0


def has_line_ends(data: bytes, line_end: str, where: str) -> bool:
    """Whether the line ends of a file are the job's: all, those outside of quotes, or that of the header."""
    text = np.frombuffer(data, dtype=np.uint8)
    feeds, returns = np.flatnonzero(text == _LF), np.flatnonzero(text == _CR)
    if where != "everywhere":
        quotes = np.flatnonzero(text == _QUOTE)
        feeds, returns = _outside(feeds, quotes), _outside(returns, quotes)
    if where == "header":
        first = min([*feeds[:1], *returns[:1]], default=0)
        feeds, returns = feeds[feeds <= first + 1], returns[returns <= first]
    if line_end == "\n":
        return not len(returns)
    return len(feeds) == len(returns) and bool(np.all(feeds == returns + 1))


def lay_out(data: bytes, rows: int) -> Layout:
    """Find the header and the rows of a file, `rows` of them at a time. Blank lines are none."""
    starts, ends = _filled_lines(data)
    if not len(starts):
        return Layout((0, 0), ())
    places = range(1, len(starts), rows)
    chunks = tuple((int(starts[one]), int(ends[min(one + rows, len(ends)) - 1])) for one in places)
    return Layout((int(starts[0]), int(ends[0])), chunks, len(starts) - 1)


def count_rows(data: bytes) -> int:
    """How many rows a file has, its header not counted."""
    return max(0, len(_filled_lines(data)[0]) - 1) if data else 0


def _filled_lines(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the lines of a file that are not blank begin, and where those after them do."""
    text = np.frombuffer(data, dtype=np.uint8)
    ends = _outside(np.flatnonzero(text == _LF), np.flatnonzero(text == _QUOTE))
    if not data.endswith(b"\n") or not len(ends) or ends[-1] != len(data) - 1:
        ends = np.append(ends, len(data))
    starts = np.concatenate([np.zeros(1, dtype=ends.dtype), ends[:-1] + 1])
    sizes = ends - starts
    only_return = (sizes == 1) & (text[np.minimum(starts, len(data) - 1)] == _CR)
    filled = (sizes > 0) & ~only_return
    return starts[filled], np.minimum(ends[filled] + 1, len(data))


def _outside(places: NDArray[np.int64], quotes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places that are not within quotes."""
    return places[np.searchsorted(quotes, places) % 2 == 0] if len(quotes) else places


def header_cells(header: str, delimiter: str) -> list[str]:
    """The names of a header as they were sent, with their quotes."""
    between = re.escape(delimiter)
    return re.findall(rf'(?:^|{between})("(?:[^"]|"")*"|[^{between}]*)', header)


def quoted_lines(columns: Sequence[pa.StringArray], delimiter: str, line_end: str) -> pa.StringArray:
    """Rows as lines, each value in quotes; nulls are empty."""
    parts: list[pa.StringArray | str] = []
    for column in columns:
        values = pc.fill_null(column, "")
        if b'"' in data_of(values):
            values = pc.replace_substring(values, '"', '""')
        parts += ['"' if not parts else f'"{delimiter}"', values]
    return pc.binary_join_element_wise(*parts, f'"{line_end}', "")


def echoed(upload: Upload, ragged: pa.Array | None, sobject: SObject, settings: Settings) -> list[pa.StringArray]:
    """The values of an upload as the server understood them; of ragged rows it understood none."""
    columns = []
    for name, column in upload.columns.items():
        field, shown = sobject.field(name), column
        if settings.null_echo == "empty":
            shown = pc.if_else(pc.equal(shown, upload.null_mark), pa.scalar("", pa.string()), shown)
        if field is not None and field.type in _DOUBLES and settings.number_echo == "double":
            shown = _as_doubles(shown)
        if ragged is not None:
            shown = pc.if_else(pc.is_null(ragged), shown, pa.scalar(None, pa.string()))
        columns.append(shown)
    return columns


def _as_doubles(column: pa.StringArray) -> pa.StringArray:
    numbers = pc.fill_null(pc.match_substring_regex(column, _NUMBER), fill_value=False)
    if not pc.any(numbers).as_py():
        return column
    values = pc.replace_substring_regex(column.filter(numbers), r"^\+", "").cast(pa.float64())
    return pc.replace_with_mask(column, numbers, java_doubles(values))
