"""Converts any source of records to one CSV file on disk, in constant memory.

Null works the same for all: a missing name and an empty string become an empty value, which leaves the field as it is;
``None``, JSON ``null``, XML ``nil`` and Arrow null (which includes pandas' missing values) become ``#N/A``, which sets
the field to null. The columns are the union of all names, in order of first appearance.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, TypeAlias, cast

from bulkforce import arguments
from bulkforce.errors import UsageError
from bulkforce.formats.naming import naming
from bulkforce.later import later
from bulkforce.load.sources import files
from bulkforce.load.sources.dialect import LOOK_BYTES, Dialect, encoding_of, look
from bulkforce.load.sources.options import SourceOptions
from bulkforce.load.sources.plain import plain, utf_8
from bulkforce.load.sources.rewriting import rewrite
from bulkforce.objects.forms import Forms
from bulkforce.run.files import whole
from bulkforce.run.folder import SOURCE, THEIRS

if TYPE_CHECKING:
    from bulkforce.formats.values import Value
    from bulkforce.load.sources import arrow, cursors, frames, json, ragged, rows, sql, writing, xml
    from bulkforce.load.sources.arrow import Arrow
    from bulkforce.load.sources.cursors import Cursor
    from bulkforce.load.sources.writing import OnBlock
else:  # a CSV file needs none of them
    arrow = later("bulkforce.load.sources.arrow")
    cursors = later("bulkforce.load.sources.cursors")
    frames = later("bulkforce.load.sources.frames")
    json = later("bulkforce.load.sources.json")
    ragged = later("bulkforce.load.sources.ragged")
    rows = later("bulkforce.load.sources.rows")
    sql = later("bulkforce.load.sources.sql")
    writing = later("bulkforce.load.sources.writing")
    xml = later("bulkforce.load.sources.xml")

Source: TypeAlias = (
    "str | os.PathLike[str] | BinaryIO | Arrow | Cursor | sql.SqlQuery"
    " | Iterable[Mapping[str, Value] | Sequence[Value]] | Iterable[Arrow]"
)
"""Where records come from: the path of a file (``"-"``: standard input), an open binary file of CSV, records as
mappings or as sequences of values, Arrow record batches, anything that offers Arrow data (a frame of pandas or polars,
a table of pyarrow), a cursor whose query was executed, or a query to a database."""

STANDARD_INPUT: Final = "-"
_AS_IT_SAYS: Final = SourceOptions()
_TEXT: Final[Mapping[str, str]] = {".csv": ",", ".txt": ",", ".tsv": "\t", ".tab": "\t"}
"""Text files, and the delimiter that each name suggests."""

_RECORDS: Final = (".json", ".jsonl", ".ndjson", ".xml")
_EXCEL: Final = (".xlsx", ".xlsm")
_ARROW: Final = (".parquet", ".arrow", ".feather")


Tell: TypeAlias = Callable[[str], None]
"""Called with what the user should know about how the source is read."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A source as a CSV file.

    Attributes:
        path: The file.
        ours: Whether we made it, in the run's folder; else it is the user's own.
        first_line: Which line of the user's file the header is; ``None`` if that was no CSV file.
    """

    path: Path
    ours: bool
    first_line: int | None = None


@dataclass(frozen=True, slots=True)
class _How:
    """How a source is converted; see `to_csv`."""

    on_block: OnBlock
    forms: Forms
    options: SourceOptions
    tell: Tell


def name_of(source: Source) -> str:
    """Return the name of a source for reports."""
    if isinstance(source, (str, os.PathLike)):
        return "standard input" if source == STANDARD_INPUT else arguments.path(source, "The source").name
    if isinstance(source, sql.SqlQuery):
        return source.name
    if arrow.is_arrow(source):
        return arrow.name_of(source)
    if cursors.is_cursor(source):
        return cursors.name_of(source)
    return files.name_of(source) if hasattr(source, "read") else "records"


def file_name_of(source: Source) -> str | None:
    """Return the name of a source that is a file or a stream; ``None`` if it is in memory."""
    is_file = isinstance(source, (str, os.PathLike)) or (hasattr(source, "read") and not arrow.is_arrow(source))
    return name_of(source) if is_file else None


def place_of(source: Source) -> Path | None:
    """Return the path of a source that can be read repeatedly; ``None`` if it can be read only once, or is in memory.

    Raises:
        UsageError: The file cannot be read, or its kind is not known.
    """
    if not isinstance(source, (str, os.PathLike)) or source == STANDARD_INPUT:
        return None
    path = arguments.path(source, "The source")
    _form_of(path)
    if not path.is_file():
        return None
    with naming(path.name):
        files.look_at(path)
    return path.absolute()


def to_csv(
    source: Source,
    folder: Path,
    on_block: OnBlock = lambda: None,
    forms: Forms | None = None,
    options: SourceOptions = _AS_IT_SAYS,
    tell: Tell = lambda _text: None,
) -> SourceFile:
    """Return a source as a CSV file: a plain CSV file on disk unchanged, anything else as ``source.csv`` in ``folder``.

    Args:
        source: Where records come from.
        folder: The run's folder.
        on_block: Called after each block of records; an exception from it stops the conversion.
        forms: How the values of each column are written; by default so that any field can read them.
        options: How to read the source, where it does not say so itself.
        tell: Called with what was guessed or left out.

    Raises:
        UsageError: The file does not exist, its kind is not known, or it is empty.
        MissingExtra: The kind needs a library that is not installed.
        FormatError: The records cannot be read or written; the error says where. No ``source.csv`` is left behind.
    """
    target, how = folder / SOURCE, _How(on_block, forms or Forms(), options, tell)
    if isinstance(source, (str, os.PathLike)):
        return _of_path(source, target, how)
    if isinstance(source, (bytes, bytearray, memoryview)):
        raise UsageError("The source is bytes; pass CSV in memory as io.BytesIO(...)")
    if isinstance(source, Mapping):
        raise UsageError("The source is a single mapping; pass a list of records")
    if isinstance(source, sql.SqlQuery):
        with source.cursor() as cursor:
            return _of_cursor(cursor, target, how)
    if cursors.is_cursor(source):
        return _of_cursor(source, target, how)
    if arrow.is_arrow(source):
        options.refuse_but(kind="Arrow data")
        mixed = frames.records(source)
        if mixed is None:
            arrow.write(arrow.batches([cast("Arrow", source)]), target, on_block, how.forms)
        else:
            _write_records(mixed, target, how)
        return SourceFile(target, ours=True)
    if hasattr(source, "read"):
        return _copied(files.read(cast(BinaryIO, source)), target, how)
    if isinstance(source, Iterable):
        options.refuse_but("columns", kind="records")
        _write_items(source, target, how)
        return SourceFile(target, ours=True)
    raise UsageError(f"A source is a path, an open binary file, records or Arrow data, not {type(source).__name__}")


def _of_cursor(cursor: Cursor, target: Path, how: _How) -> SourceFile:
    how.options.refuse_but(kind="a query, which names its own columns")
    stream = cursors.as_arrow(cursor)
    if stream is None:
        _write_records(cursors.records(cursor), target, how)
    else:
        arrow.write(arrow.batches([stream]), target, how.on_block, how.forms)
    return SourceFile(target, ours=True)


def _of_path(given: str | os.PathLike[str], target: Path, how: _How) -> SourceFile:
    if given == STANDARD_INPUT:
        return _copied(files.standard_input(), target, how)
    path = arguments.path(given, "The source")
    form, packing = _form_of(path)
    if form in _TEXT:
        if packing or not path.is_file():
            return _copied(files.unpacked(path, packing), target, how, _TEXT[form])
        dialect = _looked_at(files.start_of(path, LOOK_BYTES), how, _TEXT[form])
        if not dialect.is_plain:
            return _rewritten(files.unpacked(path, packing), dialect, target, how)
        if rewrite(path, target, how.forms, how.on_block):
            return SourceFile(target, ours=True)
        return SourceFile(path, ours=False, first_line=1)
    if form in _ARROW:
        how.options.refuse_but(kind=f"a {form} file")
        batches = arrow.parquet(path) if form == ".parquet" else arrow.ipc(path)
        arrow.write(batches, target, how.on_block, how.forms)
    elif form in _EXCEL:
        how.options.refuse_but("sheet", kind="an Excel workbook")
        from bulkforce.load.sources import excel

        _write_records(excel.records(path, how.options), target, how)
    else:
        blocks: Iterable[bytes] = files.unpacked(path, packing)
        how.options.refuse_but(*(() if form == ".xml" else ("encoding",)), kind=f"a {form} file")
        if form != ".xml":  # which declares its own encoding
            start, blocks = files.peeked(blocks, LOOK_BYTES)
            blocks = utf_8(blocks, encoding_of(start, how.options.encoding))
        _write_records(_records(form, blocks), target, how)
    return SourceFile(target, ours=True)


def _records(form: str, blocks: Iterable[bytes]) -> Iterator[Mapping[str, Value]]:
    match form:
        case ".xml":
            return xml.sobjects(blocks)
        case ".json":
            return json.array(blocks)
        case _:
            return json.lines(blocks)


def _form_of(path: Path) -> tuple[str, str]:
    return files.form_of(path, known=[*_TEXT, *_RECORDS], unpackable=[*_ARROW, *_EXCEL])


def _copied(blocks: Iterable[bytes], target: Path, how: _How, usual: str = ",") -> SourceFile:
    """Write a text file that cannot be used in place."""
    start, whole_text = files.peeked(blocks, LOOK_BYTES)
    return _rewritten(whole_text, _looked_at(start, how, usual), target, how)


def _looked_at(start: bytes, how: _How, usual: str) -> Dialect:
    how.options.refuse_but("delimiter", "encoding", "quote", kind="a CSV file")
    dialect, guess = look(start, how.options, usual)
    if guess:
        how.tell(guess)
    return dialect


def _rewritten(blocks: Iterable[bytes], dialect: Dialect, target: Path, how: _How) -> SourceFile:
    with whole(target) as file:
        for block in blocks if dialect.is_plain else plain(blocks, dialect):
            file.write(block)
            how.on_block()
    if rewrite(target, target, how.forms, how.on_block):
        # Blank lines are gone, so that lines have other numbers.
        return SourceFile(target, ours=True)
    return SourceFile(target, ours=True, first_line=2 if dialect.sep_line else 1)


def _write_items(source: Iterable[object], target: Path, how: _How) -> None:
    if isinstance(source, list) and ragged.is_list_of_reader(source):
        how.tell(
            "The last fields of some records are None, which sets them to null. If these are rows of csv.DictReader "
            "that were too short, pass the reader itself: then the fields stay as they are"
        )
    items = _given(ragged.of_reader(source) if isinstance(source, csv.DictReader) else source)
    for first in items:
        rest = chain([first], items)
        if rows.is_row(first):
            _write_records(rows.mappings(rest, how.options.columns), target, how)
            return
        how.options.refuse_but(kind="records that name their own fields")
        if arrow.is_arrow(first):
            arrow.write(arrow.batches(cast("Iterable[Arrow]", rest)), target, how.on_block, how.forms)
        else:
            _write_records(cast("Iterator[Mapping[str, Value]]", rest), target, how)
        return
    raise UsageError("The source has no records")


def _given(source: Iterable[object]) -> Iterator[object]:
    """Yield the items of the caller's own iterable.

    An exception from it is the caller's and passes through unchanged, even where we turn I/O errors into our own.
    """
    try:
        yield from source
    except Exception as error:
        error.add_note(THEIRS)
        raise


def _write_records(records: Iterable[Mapping[str, Value]], target: Path, how: _How) -> None:
    with writing.csv_file(target, how.on_block, how.forms) as file:
        file.write_records(records)
