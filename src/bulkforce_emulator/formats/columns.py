"""Columns of strings to bytes, for everything that is written."""

from __future__ import annotations

from decimal import Decimal
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


def java_doubles(column: pa.Array) -> pa.Array:
    """Doubles as Java writes them: with a decimal point; from 10,000,000 on and below 0.001 as `1.6147805824397E13`."""
    text, size = column.cast(pa.string()), pc.abs(column)
    ends = pc.min_max(size).as_py()
    if ends["max"] is None or (ends["min"] >= 1e-3 and ends["max"] < 1e7):
        # Nearly always; then a number without a point is whole.
        return pc.if_else(pc.match_substring(text, "."), text, _join(text, ".0"))
    whole = pc.invert(pc.or_(pc.match_substring(text, "."), pc.match_substring(text, "e")))
    written = pc.if_else(whole, _join(text, ".0"), text)
    size = pc.fill_null(size, 0)
    large, small = pc.greater_equal(size, 1e7), pc.and_(pc.less(size, 1e-3), pc.greater(size, 0))
    if pc.any(large).as_py():
        written = pc.replace_with_mask(written, large, _scientific(text.filter(large)))
    if pc.any(small).as_py():
        few = [_java(value) for value in column.filter(small).to_pylist()]
        written = pc.replace_with_mask(written, small, pa.array(few, pa.string()))
    return written


def _join(*parts: pa.Array | str) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")


def _scientific(text: pa.Array) -> pa.Array:
    """What Arrow writes of large doubles, `123456789.5` or `1.5e+20`, in Java's notation."""
    powers = pc.replace_substring(text, "e+", "E")
    powers = pc.if_else(pc.match_substring(text, "."), powers, pc.replace_substring(powers, "E", ".0E"))
    if pc.all(pc.match_substring(text, "e")).as_py():
        return powers
    negative = pc.starts_with(text, "-")
    plain = pc.if_else(negative, pc.utf8_slice_codeunits(text, 1), text)
    point = pc.find_substring(plain, ".")
    before = pc.if_else(pc.less(point, 0), pc.utf8_length(plain), point)
    digits = pc.utf8_rtrim(pc.replace_substring(plain, ".", ""), "0")
    more = pc.utf8_slice_codeunits(digits, 1)
    more = pc.if_else(pc.equal(pc.utf8_length(more), 0), "0", more)
    power = pc.subtract(before, 1).cast(pa.string())
    long = _join(pc.if_else(negative, "-", ""), pc.utf8_slice_codeunits(digits, 0, 1), ".", more, "E", power)
    return pc.if_else(pc.match_substring(text, "e"), powers, long)


def _java(value: float) -> str:
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    first, *rest = map(str, digits)
    power = len(digits) - 1 + int(exponent)
    return f"{'-' if sign else ''}{first}.{''.join(rest) or '0'}E{power}"


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
