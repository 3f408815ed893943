"""Names and limits of columns that did not come from CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from bulkforce_emulator.uploads import BatchError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from bulkforce_emulator.settings import Settings


def by_field(columns: Mapping[str, pa.StringArray], settings: Settings) -> dict[str, pa.StringArray]:
    """Columns whose names differ only in their letter case as one, since records may be spelled each in its own way.

    Raises:
        BatchError: One record has a value in two of them.
    """
    if len({name.lower() for name in columns}) == len(columns):
        return dict(columns)
    found: dict[str, tuple[str, pa.StringArray]] = {}
    for name, column in columns.items():
        first, values = found.get(name.lower(), (name, None))
        if values is not None:
            if pc.any(pc.and_(pc.is_valid(values), pc.is_valid(column))).as_py():
                raise BatchError.of(settings.texts.batches.field_twice, name=name)
            column = pc.coalesce(values, column)  # noqa: PLW2901
        found[name.lower()] = first, column
    return dict(found.values())


def check_sizes(columns: Collection[pa.StringArray], settings: Settings, fields: int) -> None:
    """Check the number of fields, and the characters in each field and each record.

    Raises:
        BatchError: One of them is too large.
    """
    limits, texts = settings.limits, settings.texts.batches
    if fields > limits.record_fields:
        raise BatchError.of(texts.record_too_wide, most=limits.record_fields)
    total = None
    for column in columns:
        lengths = pc.fill_null(pc.utf8_length(column), 0)
        longest = pc.max(lengths).as_py() or 0
        if longest > limits.field_characters:
            raise BatchError.of(texts.value_too_long, given=longest)
        total = lengths if total is None else pc.add(total, lengths)
    longest = (pc.max(total).as_py() or 0) if total is not None else 0
    if longest > limits.record_characters:
        raise BatchError.of(texts.record_too_long, given=longest, most=limits.record_characters)
