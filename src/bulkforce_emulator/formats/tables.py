"""Limits for columns that did not come from CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from bulkforce_emulator.uploads import BatchError

if TYPE_CHECKING:
    from collections.abc import Collection

    from bulkforce_emulator.settings import Settings


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
