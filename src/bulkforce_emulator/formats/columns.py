"""Columns of texts to bytes, for all that is written out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable

_CONTROL = r"[\x00-\x1f\x7f]"


def data_of(lines: pa.StringArray) -> bytes:
    """All values of a column without nulls, one after the other: they lie like that in memory already."""
    if isinstance(lines, pa.ChunkedArray):
        return b"".join(data_of(chunk) for chunk in lines.chunks)
    if not len(lines):
        return b""
    width = np.dtype(np.int64) if pa.types.is_large_string(lines.type) else np.dtype(np.int32)
    _, offsets, values = lines.buffers()
    ends = np.frombuffer(offsets, dtype=width)
    first, last = int(ends[lines.offset]), int(ends[lines.offset + len(lines)])
    return b"" if values is None else bytes(memoryview(values)[first:last])


def json_texts(texts: Iterable[str]) -> list[str]:
    """Texts as JSON strings."""
    return [orjson.dumps(text).decode() for text in texts]


def json_escaped(column: pa.StringArray) -> pa.StringArray:
    """The inside of JSON strings; only columns that need it pay for the escapes."""
    if pc.any(pc.match_substring_regex(column, _CONTROL)).as_py():
        quoted = pa.array([None if text is None else orjson.dumps(text).decode()[1:-1] for text in column.to_pylist()])
        return quoted.cast(pa.string())
    escaped = pc.replace_substring(column, "\\", "\\\\")
    return pc.replace_substring(escaped, '"', '\\"')


def xml_escaped(column: pa.StringArray) -> pa.StringArray:
    """The inside of XML elements. Characters that XML cannot hold are left out."""
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#xd;")):
        column = pc.replace_substring(column, character, entity)
    return pc.replace_substring_regex(column, r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "")


def csv_escaped(column: pa.StringArray) -> pa.StringArray:
    """The inside of quoted CSV values."""
    return pc.replace_substring(column, '"', '""')
