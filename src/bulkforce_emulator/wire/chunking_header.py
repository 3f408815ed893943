"""The header `Sforce-Enable-PKChunking`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from bulkforce_emulator.errors import ApiError
from bulkforce_emulator.ids import canonical
from bulkforce_emulator.state.chunking import DEFAULT_CHUNK_SIZE, ChunkOptions

if TYPE_CHECKING:
    from bulkforce_emulator.settings import Settings

#: Longer numbers are refused.
_MOST_DIGITS = 12


def read_chunking(value: str | None, settings: Settings) -> ChunkOptions | None:
    """Read the header: TRUE, FALSE, or options with semicolons between and after them, in any letter case.

    Raises:
        ApiError: The chunk size is not a number, or too large where that is refused, or the start is not an id.
    """
    if value is None:
        return None
    size, parent, start = DEFAULT_CHUNK_SIZE, None, None
    wanted = False
    for part in filter(None, (part.strip() for part in value.split(";"))):
        name, _, argument = (word.strip() for word in part.partition("="))
        match name.lower():
            case "true":
                wanted = True
            case "false":
                return None
            case "chunksize":
                wanted, size = True, _size(argument, settings)
            case "parent":
                wanted, parent = True, argument
            case "startrow":
                wanted, start = True, _start(argument, settings)
            case _:
                pass  # useSampledData, and anything else
    return ChunkOptions(size, parent, start) if wanted else None


def _size(argument: str, settings: Settings) -> int:
    size = int(argument) if argument.isdecimal() and len(argument) <= _MOST_DIGITS else 0
    if size == 0:
        raise ApiError.of(settings.texts.calls.chunk_size_unreadable, given=argument)
    if size > settings.limits.chunk_size and not settings.cut_chunk_size:
        raise ApiError.of(settings.texts.calls.chunk_size_too_large, given=size, most=settings.limits.chunk_size)
    return min(size, settings.limits.chunk_size)


def _start(argument: str, settings: Settings) -> str:
    if canonical(pa.array([argument])).null_count:
        raise ApiError.of(settings.texts.calls.chunk_start_unreadable, given=argument)
    return argument
