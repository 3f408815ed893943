"""Columns of texts to bytes, for all that is written out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable


def data_of(lines: pa.StringArray) -> bytes:
    """All values of a column, one after the other: they lie like that in memory already."""
    if not len(lines):
        return b""
    _, offsets, values = lines.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)
    first, last = int(ends[lines.offset]), int(ends[lines.offset + len(lines)])
    return b"" if values is None else bytes(memoryview(values)[first:last])


def json_texts(texts: Iterable[str]) -> list[str]:
    """Texts as JSON strings."""
    return [orjson.dumps(text).decode() for text in texts]


def json_escaped(column: pa.Array) -> pa.Array:
    """The inside of JSON strings; only columns that need it pay for the escapes."""
    data = data_of(column)
    if _has_control(data, allowed=b""):
        quoted = [None if text is None else orjson.dumps(text).decode()[1:-1] for text in column.to_pylist()]
        return pa.array(quoted, pa.string())
    if b"\\" in data:
        column = pc.replace_substring(column, "\\", "\\\\")
    return pc.replace_substring(column, '"', '\\"') if b'"' in data else column


def xml_escaped(column: pa.Array) -> pa.Array:
    """The inside of XML elements. Characters that XML cannot hold are left out."""
    data = data_of(column)
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#xd;")):
        if character.encode() in data:
            column = pc.replace_substring(column, character, entity)
    if _has_control(data, allowed=b"\t\n\r"):
        column = pc.replace_substring_regex(column, r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "")
    return column


def _has_control(data: bytes, *, allowed: bytes) -> bool:
    """Whether there are control characters besides those allowed."""
    found = np.frombuffer(data, dtype=np.uint8)
    controls = int(np.count_nonzero((found < 32) | (found == 127)))
    return controls > sum(data.count(bytes([one])) for one in allowed)
