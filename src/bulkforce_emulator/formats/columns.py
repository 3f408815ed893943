"""Columns of strings to bytes, for everything that is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable


def data_of(lines: pa.StringArray) -> bytes:
    """All values of a column, end to end, as they are in memory already."""
    if not len(lines):
        return b""
    _, offsets, values = lines.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)
    first, last = int(ends[lines.offset]), int(ends[lines.offset + len(lines)])
    return b"" if values is None else bytes(memoryview(values)[first:last])


def json_texts(texts: Iterable[str]) -> list[str]:
    """Strings as JSON strings."""
    return [orjson.dumps(text).decode() for text in texts]


def json_escaped(column: pa.Array) -> pa.Array:
    """The contents of JSON strings; only columns that need escapes pay for them."""
    data = data_of(column)
    if _has_control(data, allowed=b""):
        quoted = [None if text is None else orjson.dumps(text).decode()[1:-1] for text in column.to_pylist()]
        return pa.array(quoted, pa.string())
    if b"\\" in data:
        column = pc.replace_substring(column, "\\", "\\\\")
    return pc.replace_substring(column, '"', '\\"') if b'"' in data else column


def xml_escaped(column: pa.Array) -> pa.Array:
    """The contents of XML elements. Characters that XML cannot hold are left out."""
    data = data_of(column)
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#xd;")):
        if character.encode() in data:
            column = pc.replace_substring(column, character, entity)
    if _has_control(data, allowed=b"\t\n\r"):
        column = pc.replace_substring_regex(column, r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "")
    return column


def _has_control(data: bytes, *, allowed: bytes) -> bool:
    """Whether there are control characters other than those allowed."""
    found = np.frombuffer(data, dtype=np.uint8)
    controls = int(np.count_nonzero((found < 32) | (found == 127)))
    return controls > sum(data.count(bytes([one])) for one in allowed)
