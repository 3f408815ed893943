"""PK chunking: its options, and the id ranges that a query is split into."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from bulkforce_emulator.errors import ApiError
from bulkforce_emulator.ids import from_base62, to_base62
from bulkforce_emulator.standard import PK_CHUNKABLE
from bulkforce_emulator.state.store import quoted

if TYPE_CHECKING:
    from bulkforce_emulator.schema import Schema, SObject
    from bulkforce_emulator.settings import Settings
    from bulkforce_emulator.state.store import Store

DEFAULT_CHUNK_SIZE = 100_000
#: Significant characters of an id, without the key prefix and the check characters.
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class ChunkOptions:
    """How a query is to be split."""

    chunk_size: int = DEFAULT_CHUNK_SIZE
    parent: str | None = None
    start_row: str | None = None


def chunked(options: ChunkOptions, sobject: SObject, schema: Schema, settings: Settings) -> tuple[SObject, str]:
    """The object whose ids are split into ranges, and the field that holds them.

    This is the `Id` of the object itself, or in a share or history table the field that names the parent (our choice:
    the guide does not show it).

    Raises:
        ApiError: The object cannot be chunked.
    """
    texts = settings.texts.calls
    parent = sobject if options.parent is None else schema.get(options.parent)
    if parent is None:
        raise ApiError.of(texts.object_unknown, name=options.parent)
    if not parent.custom and parent.name not in PK_CHUNKABLE:
        raise ApiError.of(texts.chunk_object_unfit, name=parent.name)
    if parent is sobject:
        return parent, "Id"
    for field in sobject.fields.values():
        if parent.name in field.reference_to:
            return parent, field.name
    raise ApiError.of(texts.chunk_parent_unfit, name=sobject.name, parent=parent.name)


def ranges(options: ChunkOptions, sobject: SObject, store: Store) -> list[tuple[str, str]]:
    """The bounds of the chunks, the lower included, the upper excluded. Deleted records count, too."""
    table = store.query(f'SELECT min("Id") AS low, max("Id") AS high FROM {quoted(sobject.name)}')
    low, high = table["low"][0].as_py(), table["high"][0].as_py()
    if low is None:
        low = high = f"{sobject.key_prefix}{'0' * _DIGITS}"
    first = from_base62((options.start_row or low)[3:15])
    last = from_base62(high[3:15])
    borders = [*range(first, last + 1, options.chunk_size)] or [first]
    borders.append(borders[-1] + options.chunk_size)
    written = [sobject.key_prefix + to_base62(border, _DIGITS) for border in borders]
    return list(pairwise(written))
