"""An upload as the table that the checks read: a column per field, and others for nulls and malformed ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bulkforce_emulator import ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bulkforce_emulator.state.rows.columns import Column
    from bulkforce_emulator.uploads import Upload


@dataclass(frozen=True, slots=True)
class Given:
    """One column of the upload, by the names that its values and flags have in the table."""

    column: Column
    #: Where the values are; canonical ids if `is_id`.
    text: str
    is_id: bool
    #: Which rows ask for null, if any does.
    nulled: str | None
    #: Malformed ids as they were sent, if there are any.
    malformed: str | None
    #: Whether no row has a value, whether every row has one, and the bytes of the longest: these save checks.
    empty: bool
    full: bool
    longest: int


@dataclass(frozen=True, slots=True)
class Incoming:
    """The table, and what its columns are."""

    table: pa.Table
    given: tuple[Given, ...]
    #: The column named Id, if there is one.
    id: Given | None


def incoming(upload: Upload, columns: Sequence[Column], new_ids: pa.StringArray) -> Incoming:
    """Lay out an upload for the checks."""
    arrays: dict[str, pa.Array] = {"row": pa.array(np.arange(upload.count, dtype=np.int32)), "new_id": new_ids}
    arrays["fault"] = upload.faults if upload.faults is not None else pa.nulls(upload.count, pa.string())
    given = [_lay_out(arrays, number, column, upload) for number, column in enumerate(columns)]
    own = next((one for one in given if one.column.field.type == "id" and one.column.field.name == "Id"), None)
    return Incoming(pa.table(arrays), tuple(one for one in given if one is not own), own)


def _lay_out(arrays: dict[str, pa.Array], number: int, column: Column, upload: Upload) -> Given:
    values = upload.columns[column.header]
    nulled = malformed = None
    marked = pc.equal(values, upload.null_mark)
    if pc.any(marked).as_py():
        nulled = f"n{number}"
        arrays[nulled] = pc.fill_null(marked, fill_value=False)
        values = pc.if_else(marked, ids.no_texts(len(values)), values)
    is_id = column.field.type in {"id", "reference"} and (column.index is None or column.index.type == "id")
    if is_id and values.null_count < len(values):
        canonical = ids.canonical(values)
        if canonical.null_count > values.null_count:
            malformed = f"m{number}"
            arrays[malformed] = pc.if_else(pc.is_null(canonical), values, ids.no_texts(len(values)))
        values = canonical
    arrays[f"c{number}"] = values
    return Given(
        column,
        f"c{number}",
        is_id,
        nulled,
        malformed,
        empty=values.null_count == len(values) and malformed is None,
        full=values.null_count == 0,
        longest=pc.max(pc.binary_length(values)).as_py() or 0,
    )
