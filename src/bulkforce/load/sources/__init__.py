"""Converts any source of records to one CSV file on disk, in constant memory.

Null works the same for all: a missing name and an empty string become an empty value, which leaves the field as it is;
``None``, JSON ``null``, XML ``nil`` and Arrow null (which includes pandas' missing values) become ``#N/A``, which sets
the field to null. The columns are the union of all names, in order of first appearance.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias, cast

from bulkforce import arguments
from bulkforce.errors import UsageError
from bulkforce.formats.values import Value
from bulkforce.load.sources import arrow, files, json, xml
from bulkforce.load.sources.arrow import Arrow
from bulkforce.load.sources.ragged import of_reader
from bulkforce.load.sources.rewriting import rewrite
from bulkforce.load.sources.writing import OnBlock, csv_file
from bulkforce.objects.forms import Forms
from bulkforce.run.files import whole
from bulkforce.run.folder import SOURCE, THEIRS

Source: TypeAlias = str | os.PathLike[str] | BinaryIO | Arrow | Iterable[Mapping[str, Value]] | Iterable[Arrow]
"""Where records come from: the path of a file (``"-"``: standard input), an open binary file of CSV, records as
mappings, Arrow record batches, or anything that offers Arrow data (a frame of pandas or polars, a table of pyarrow)."""

STANDARD_INPUT: Final = "-"
_RECORDS: Final[Mapping[str, Callable[[Iterable[bytes]], Iterator[Mapping[str, Value]]]]] = {
    ".json": json.array,
    ".jsonl": json.lines,
    ".ndjson": json.lines,
    ".xml": xml.sobjects,
}
_ARROW: Final = {".parquet": arrow.parquet, ".arrow": arrow.ipc, ".feather": arrow.ipc}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A source as a CSV file.

    Attributes:
        path: The file.
        ours: Whether we made it, in the run's folder; else it is the user's own.
    """

    path: Path
    ours: bool


def name_of(source: Source) -> str:
    """Return the name of a source for reports."""
    if isinstance(source, (str, os.PathLike)):
        return "standard input" if source == STANDARD_INPUT else arguments.path(source, "The source").name
    if arrow.is_arrow(source):
        return arrow.name_of(source)
    return files.name_of(source) if hasattr(source, "read") else "records"


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
    files.look_at(path)
    return path.absolute()


def to_csv(source: Source, folder: Path, on_block: OnBlock = lambda: None, forms: Forms | None = None) -> SourceFile:
    """Return a source as a CSV file: a CSV file on disk unchanged, anything else as ``source.csv`` in ``folder``.

    Args:
        source: Where records come from.
        folder: The run's folder.
        on_block: Called after each block of records; an exception from it stops the conversion.
        forms: How the values of each column are written; by default so that any field can read them.

    Raises:
        UsageError: The file does not exist, its kind is not known, or it is empty.
        MissingExtra: The kind needs a library that is not installed.
        FormatError: The records cannot be read or written; the error says where. No ``source.csv`` is left behind.
    """
    forms, target = forms or Forms(), folder / SOURCE
    if isinstance(source, (str, os.PathLike)):
        return _of_path(source, target, on_block, forms)
    if isinstance(source, (bytes, bytearray, memoryview)):
        raise UsageError("The source is bytes; pass CSV in memory as io.BytesIO(...)")
    if isinstance(source, Mapping):
        raise UsageError("The source is a single mapping; pass a list of records")
    if arrow.is_arrow(source):
        arrow.write(arrow.batches([cast(Arrow, source)]), target, on_block, forms)
        return SourceFile(target, ours=True)
    if hasattr(source, "read"):
        return _copied(files.read(cast(BinaryIO, source)), target, on_block, forms)
    if isinstance(source, Iterable):
        _write_items(source, target, on_block, forms)
        return SourceFile(target, ours=True)
    raise UsageError(f"A source is a path, an open binary file, records or Arrow data, not {type(source).__name__}")


def _of_path(given: str | os.PathLike[str], target: Path, on_block: OnBlock, forms: Forms) -> SourceFile:
    if given == STANDARD_INPUT:
        return _copied(files.standard_input(), target, on_block, forms)
    path = arguments.path(given, "The source")
    form, packing = _form_of(path)
    if form in _ARROW:
        arrow.write(_ARROW[form](path), target, on_block, forms)
    elif form in _RECORDS:
        _write_records(_RECORDS[form](files.unpacked(path, packing)), target, on_block, forms)
    elif packing or not path.is_file():
        return _copied(files.unpacked(path, packing), target, on_block, forms)
    else:
        files.look_at(path)
        return SourceFile(target, ours=True) if rewrite(path, target, forms, on_block) else SourceFile(path, ours=False)
    return SourceFile(target, ours=True)


def _form_of(path: Path) -> tuple[str, str]:
    return files.form_of(path, known=[".csv", *_RECORDS], unpackable=_ARROW)


def _copied(blocks: Iterable[bytes], target: Path, on_block: OnBlock, forms: Forms) -> SourceFile:
    with whole(target) as file:
        for block in files.checked(blocks):
            file.write(block)
            on_block()
    rewrite(target, target, forms, on_block)
    return SourceFile(target, ours=True)


def _write_items(source: Iterable[object], target: Path, on_block: OnBlock, forms: Forms) -> None:
    items = _given(of_reader(source) if isinstance(source, csv.DictReader) else source)
    for first in items:
        rest = chain([first], items)
        if arrow.is_arrow(first):
            arrow.write(arrow.batches(cast(Iterable[Arrow], rest)), target, on_block, forms)
        else:
            _write_records(cast(Iterator[Mapping[str, Value]], rest), target, on_block, forms)
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


def _write_records(records: Iterable[Mapping[str, Value]], target: Path, on_block: OnBlock, forms: Forms) -> None:
    with csv_file(target, on_block, forms) as file:
        file.write_records(records)
