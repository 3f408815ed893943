"""JSON Lines: one object per record, with its values as the org wrote them, or numbers as plain decimals.

Numbers, ``true`` and ``false`` have no quotes; the empty value is ``null``.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from bulkforce.extract.arrow_types import constant, pyarrow
from bulkforce.extract.columns import Column
from bulkforce.extract.record_batches import PartReader
from bulkforce.extract.sinks.target import Target
from bulkforce.formats.values import without_exponent

if TYPE_CHECKING:
    import pyarrow as pa

# Values that are valid JSON as they are, by the type of the field.
_NUMBER: Final = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$"
_BARE: Final = dict.fromkeys(("int", "long", "double", "currency", "percent"), _NUMBER) | {"boolean": "^(true|false)$"}
_ESCAPED: Final = (b"\\", b'"', *(bytes([code]) for code in range(0x20)))
_PLAIN: Final = bytes(code for code in range(256) if bytes([code]) not in _ESCAPED)


class JsonLinesSink:
    """Writes JSON Lines.

    Args:
        target: Where to write.
        plain: Whether to write numbers as plain decimals.

    Raises:
        MissingExtra: pyarrow is not installed.
    """

    def __init__(self, target: Target, *, plain: bool = True) -> None:
        pyarrow("Writing JSON Lines")
        self._plain = plain
        self._target = target
        # One thread for all parts: Arrow's allocators keep memory for each thread that uses them.
        self._thread = ThreadPoolExecutor(1, "bulkforce-sink")

    def begin(self, columns: Sequence[Column]) -> None:
        """Begin to write."""
        import pyarrow as pa

        self._bare = [_BARE.get(column.type or "") for column in columns]
        names = [orjson.dumps(column.name).decode() + ":" for column in columns]
        self._names = ["{" + names[0], *("," + name for name in names[1:])] if names else []
        self._reader = PartReader(pa.schema([(column.name, pa.string()) for column in columns]))
        self._target.open()

    def add(self, part: Path) -> int:
        """Write the next part, and return how many records it has.

        Raises:
            FormatError: It is not CSV.
        """
        return self._thread.submit(self._add, part).result()

    def _add(self, part: Path) -> int:
        records = 0
        for batch in self._reader.read(part):
            self._target.write(self._lines(batch))
            records += batch.num_rows
        return records

    def _lines(self, batch: pa.RecordBatch) -> memoryview:
        import pyarrow.compute as pc

        pieces: list[Any] = []
        behind = ""
        for name, bare, column in zip(self._names, self._bare, batch.columns, strict=True):
            before, values, after = _values(_plain(column) if self._plain and bare == _NUMBER else column, bare)
            pieces += [constant(behind + name + before), values]
            behind = after
        return _content(
            pc.binary_join_element_wise(
                *pieces, constant(behind + "}\n"), constant(""), null_handling="replace", null_replacement="null"
            )
        )

    def finish(self) -> None:
        """Move the file in place."""
        self._target.publish()

    def discard(self) -> None:
        """Leave nothing behind."""
        self._target.discard()
        self._thread.shutdown(wait=False)


def _plain(column: pa.Array) -> pa.Array:
    """Write the numbers of a column as plain decimals; most blocks have none that need it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pc.any(pc.match_substring(column, "E")).as_py():
        return column
    return pa.array([None if value is None else without_exponent(value) for value in column.to_pylist()], pa.string())


def _values(column: pa.Array, bare: str | None) -> tuple[str, pa.Array, str]:
    """Write the values of a column as JSON, separate from the text that precedes and follows every value."""
    import pyarrow.compute as pc

    if bare is not None:
        fits = pc.match_substring_regex(column, bare)
        return "", column if pc.all(fits).as_py() else pc.if_else(fits, column, _quoted(column)), ""
    if column.null_count:
        return "", _quoted(column), ""
    return '"', _escaped(column), '"'


def _escaped(column: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    # Most blocks of most columns have nothing to escape, which one look at their bytes shows.
    found = bytes(_content(column)).translate(None, _PLAIN)
    for character in _ESCAPED:
        if character in found:
            column = pc.replace_substring(column, character.decode(), orjson.dumps(character.decode()).decode()[1:-1])
    return column


def _quoted(column: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(constant('"'), _escaped(column), constant('"'), constant(""))


def _content(texts: pa.Array) -> memoryview:
    """Return the concatenated bytes of all values."""
    _, ends, content = texts.buffers()
    if not len(texts) or content is None:
        return memoryview(b"")
    places = memoryview(ends).cast("i")
    return memoryview(content)[places[texts.offset] : places[texts.offset + len(texts)]]
