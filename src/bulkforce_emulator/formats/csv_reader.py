"""Reads CSV uploads as the server does.

There are two passes, and neither goes over records in Python: numpy checks the quotes by the server's own rules, which
are stricter than any library's; then Arrow, which is more lenient, takes out the values.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from bulkforce_emulator.formats.charsets import codec, is_utf8
from bulkforce_emulator.uploads import BatchError, RowError, Upload

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bulkforce_emulator.settings import Limits, Settings
    from bulkforce_emulator.texts import BatchTexts

NULL = "#N/A"
_QUOTE, _LF = ord('"'), ord("\n")
_LINE_END = re.compile(rb"\r\n?")


def read_csv(
    body: bytes, settings: Settings, *, charset: str = "utf-8", line_ending: str = "\n", delimiter: str = ","
) -> Upload:
    """Read the rows of a CSV batch.

    Args:
        body: The file as posted.
        settings: Limits, and what to do with ragged rows.
        charset: The charset in the request's Content-Type.
        line_ending: What a line end inside a value becomes.
        delimiter: What separates the values.

    Raises:
        BatchError: The file cannot be read, or breaks a limit.
    """
    texts = settings.texts.batches
    data = _utf8(body, charset, texts)
    if b"\r" in data:
        data = _LINE_END.sub(b"\n", data)  # outside quotes each ends a row, inside each becomes one LF
    quotes = judge_quotes(data, texts, delimiter)
    header, rows, faults = _split(data, _width(data, quotes, delimiter), settings, delimiter)
    check_limits(rows, data, settings, header=sum(map(len, header)), unquoted=quotes is None)
    if not len(rows[0]):
        raise BatchError.of(texts.records_none)
    if line_ending != "\n":
        rows = [pc.replace_substring(column, "\n", line_ending) for column in rows]
    strict = settings.csv_type_error == "batch error"
    return Upload(_by_header(header, rows, settings), len(rows[0]), NULL, faults, strict_types=strict)


def _by_header(header: list[str], rows: list[pa.StringArray], settings: Settings) -> dict[str, pa.StringArray]:
    if len(set(header)) < len(header) and settings.duplicate_csv_header == "refuse":
        twice = next(name for name in header if header.count(name) > 1)
        raise BatchError.of(settings.texts.batches.field_twice, name=twice)
    return dict(zip(header, rows, strict=True))


def _utf8(body: bytes, charset: str, texts: BatchTexts) -> bytes:
    """The text in UTF-8. Bytes that cannot be decoded become U+FFFD, as in a Java reader."""
    try:
        if is_utf8(charset):
            return body if body.isascii() else body.decode("utf-8", "replace").encode()
        return body.decode(codec(charset), "replace").encode()
    except LookupError:
        raise BatchError.of(texts.encoding_unknown, name=charset) from None


def judge_quotes(data: bytes, texts: BatchTexts, delimiter: str = ",") -> NDArray[np.int64] | None:
    """Where the quotes are; None if there are none.

    Up to the first mistake, quotes 0, 2, 4 ... open a value (or continue one after a doubled quote), and quotes 1, 3,
    5 ... close one (or begin a doubled quote). So the first mistake in the file is found exactly.

    Raises:
        BatchError: A quote is wrong; the words are those of the server's parser.
    """
    if b'"' not in data:
        return None
    text, between = np.frombuffer(data, dtype=np.uint8), ord(delimiter)
    quotes = np.flatnonzero(text == _QUOTE)
    opening, closing = quotes[0::2], quotes[1::2]
    before = text[np.maximum(opening - 1, 0)]
    resumed = np.zeros(len(opening), dtype=bool)
    resumed[1:] = opening[1:] == closing[: len(opening) - 1] + 1
    bad_open = opening[~((opening == 0) | (before == between) | (before == _LF) | resumed)]
    after = text[np.minimum(closing + 1, len(text) - 1)]
    good_close = (closing == len(text) - 1) | (after == between) | (after == _LF) | (after == _QUOTE)
    bad_close = closing[~good_close]
    first_open = bad_open[0] if len(bad_open) else len(text)
    first_close = bad_close[0] if len(bad_close) else len(text)
    if first_close < first_open:
        raise BatchError.of(texts.quote_continued)
    if first_open < len(text):
        raise BatchError.of(texts.quote_unescaped)
    if len(quotes) % 2:
        raise BatchError.of(texts.quote_unclosed)
    return quotes


def _width(data: bytes, quotes: NDArray[np.int64] | None, delimiter: str) -> int:
    """How many values the first row has; blank rows before it are skipped."""
    start = len(data) - len(data.lstrip(b"\n"))
    if quotes is None:
        end = data.find(b"\n", start)
        return data.count(delimiter.encode(), start, end if end >= 0 else len(data)) + 1
    at, count = start, 1
    while at < len(data) and data[at] != _LF:
        if data[at] == _QUOTE:
            nth = int(np.searchsorted(quotes, at))
            at = int(quotes[nth + 1])
        elif data[at] == ord(delimiter):
            count += 1
        at += 1
    return count


def _split(
    data: bytes, width: int, settings: Settings, delimiter: str
) -> tuple[list[str], list[pa.StringArray], pa.StringArray | None]:
    if width > settings.limits.record_fields:
        raise BatchError.of(settings.texts.batches.csv_row_too_wide, most=settings.limits.record_fields)
    if not data.strip(b"\n"):
        raise BatchError.of(settings.texts.batches.records_none)
    table, ragged = _parse(data, width, delimiter)
    if ragged:
        table, faults = _mend(data, width, settings, delimiter)
    else:
        faults = None
    columns = [_array(column) for column in table.columns]
    if width == 1 and not ragged and settings.lone_empty_value == "blank":
        columns = [columns[0].drop_null()]
        if not len(columns[0]):
            raise BatchError.of(settings.texts.batches.records_none)
    header = [column[0].as_py() or "" for column in columns]
    return header, [column.slice(1) for column in columns], faults


def _parse(data: bytes, width: int, delimiter: str) -> tuple[pa.Table, list[csv.InvalidRow]]:
    names = [str(number) for number in range(width)]
    if data.startswith(codecs.BOM_UTF8):
        data = codecs.BOM_UTF8 + data  # Arrow would remove one, the server removes none
    ragged: list[csv.InvalidRow] = []

    def skip(row: csv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    table = csv.read_csv(
        pa.BufferReader(data),
        read_options=csv.ReadOptions(column_names=names, block_size=len(data) + 1, use_threads=False),
        parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            null_values=[""],
        ),
    )
    return table, ragged


def _mend(data: bytes, width: int, settings: Settings, delimiter: str) -> tuple[pa.Table, pa.StringArray]:
    """Treat rows with more or fewer values than the header as the settings say."""
    rows = rows_of(data, delimiter)
    if settings.lone_empty_value == "blank":
        rows = [row for row in rows if row != [None]]
    errors: list[str | None] = []
    for number, row in enumerate(rows[1:], start=1):
        if len(row) > settings.limits.record_fields:
            raise BatchError.of(settings.texts.batches.csv_row_too_wide, most=settings.limits.record_fields)
        how = settings.short_csv_row if len(row) < width else settings.long_csv_row
        facts = {"row": number, "given": len(row), "wanted": width}
        if len(row) == width or how == "fill":
            errors.append(None)
        elif how == "batch error":
            raise BatchError.of(settings.texts.batches.csv_row_uneven, **facts)
        else:
            errors.append(str(RowError.of(settings.texts.rows.row_uneven, **facts)))
    even = [(row + [None] * width)[:width] for row in rows]
    table = pa.table({str(number): pa.array([row[number] for row in even], pa.string()) for number in range(width)})
    return table, pa.array(errors, pa.string())


def rows_of(data: bytes, delimiter: str = ",") -> list[list[str | None]]:
    """The rows of a valid file with LF line ends, value by value; for small or ragged files."""
    import csv as plain_csv
    import io

    plain_csv.field_size_limit(2**31 - 1)
    reader = plain_csv.reader(io.StringIO(data.decode("utf-8"), newline=""), delimiter=delimiter, strict=True)
    return [[value or None for value in row] for row in reader if row]


def _array(column: pa.ChunkedArray) -> pa.StringArray:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def check_limits(
    columns: list[pa.StringArray], data: bytes, settings: Settings, *, header: int, unquoted: bool
) -> None:
    """Check the parser's own limits, which count the characters of values, without quotes, commas and line ends.

    Args:
        columns: The values, without the header.
        data: The file.
        settings: The limits.
        header: The characters of the header.
        unquoted: Whether there is no quote in the file.

    Raises:
        BatchError: A limit is exceeded, and where it first is.
    """
    limits, texts = settings.limits, settings.texts.batches
    count = len(columns[0]) if columns else 0
    if count > limits.batch_records:
        allowed = limits.batch_records + 1
        raise BatchError.of(texts.csv_too_many_rows, given=allowed + 1, most=allowed)
    if len(data) > limits.batch_characters:
        sizes = pc.cumulative_sum(_sizes(columns).cast(pa.int64()), header)
        over = sizes.filter(pc.greater(sizes, limits.batch_characters))
        if len(over):
            raise BatchError.of(texts.csv_too_large, given=over[0], most=limits.batch_characters)
    if unquoted and _longest_line(data) <= limits.field_characters:
        return
    _check_records(columns, limits, texts)


def _longest_line(data: bytes) -> int:
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == _LF)
    return int(np.diff(ends, prepend=-1, append=len(data)).max())


def _check_records(columns: list[pa.StringArray], limits: Limits, texts: BatchTexts) -> None:
    if not columns or not len(columns[0]):
        return
    for column in columns:
        longest = pc.max(pc.utf8_length(column)).as_py() or 0
        if longest > limits.field_characters:
            raise BatchError.of(texts.csv_value_too_long, given=longest)
    sizes = _sizes(columns)
    over = sizes.filter(pc.greater(sizes, limits.record_characters))
    if len(over):
        raise BatchError.of(texts.csv_row_too_long, given=over[0], most=limits.record_characters)


def _sizes(columns: list[pa.StringArray]) -> pa.Array:
    """How many characters the values of each row have."""
    first, *more = (pc.fill_null(pc.utf8_length(column), 0) for column in columns)
    for lengths in more:
        first = pc.add(first, lengths)
    return first
