"""PK chunking: the header's options, and the id ranges that a query is split into (section 4.1 of the reference)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from bulkforce_emulator.errors import ApiError
from bulkforce_emulator.ids import from_base62, to_base62
from bulkforce_emulator.store import quoted

if TYPE_CHECKING:
    from bulkforce_emulator.schema import Schema, SObject
    from bulkforce_emulator.settings import Settings
    from bulkforce_emulator.store import Store

DEFAULT_CHUNK_SIZE = 100_000
#: Characters of an id that count, without key prefix and check characters.
_DIGITS = 12
#: The list of 2026, of those objects that this emulator may know; custom objects are supported, all of them.
SUPPORTED = frozenset(
    [
        "Account",
        "Asset",
        "Campaign",
        "CampaignMember",
        "Case",
        "CaseComment",
        "Contact",
        "Contract",
        "ContentDocument",
        "ContentVersion",
        "EmailMessage",
        "Entitlement",
        "Event",
        "EventRelation",
        "FeedItem",
        "Individual",
        "Lead",
        "Note",
        "Opportunity",
        "OpportunityContactRole",
        "OpportunityLineItem",
        "Order",
        "OrderItem",
        "Pricebook2",
        "PricebookEntry",
        "Product2",
        "Quote",
        "QuoteLineItem",
        "Task",
        "TaskRelation",
        "User",
        "UserRole",
        "WorkOrder",
        "WorkOrderLineItem",
    ]
)


@dataclass(frozen=True, slots=True)
class ChunkOptions:
    """What `Sforce-Enable-PKChunking` says."""

    chunk_size: int = DEFAULT_CHUNK_SIZE
    parent: str | None = None
    start_row: str | None = None


def read_header(value: str | None, settings: Settings) -> ChunkOptions | None:
    """Read the header: TRUE, FALSE, or options with semicolons between and after them, in any letter case.

    Raises:
        ApiError: A chunk size that is no number, or too large where that is refused.
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
                wanted, start = True, argument
            case _:
                pass  # useSampledData and whatever comes
    return ChunkOptions(size, parent, start) if wanted else None


def _size(argument: str, settings: Settings) -> int:
    if not argument.isdecimal() or int(argument) == 0:
        raise ApiError("InvalidJob", f"Invalid chunkSize: {argument}")
    size = int(argument)
    if size > settings.limits.chunk_size and not settings.cut_chunk_size:
        raise ApiError("InvalidJob", f"chunkSize {size} exceeds the maximum of {settings.limits.chunk_size}")
    return min(size, settings.limits.chunk_size)


def parent_of(options: ChunkOptions, sobject: SObject, schema: Schema) -> SObject:
    """The object whose ids are cut.

    Raises:
        ApiError: It is not one that can be chunked.
    """
    if options.parent is None:
        chunked = sobject
    else:
        named = schema.get(options.parent)
        if named is None:
            raise ApiError("InvalidJob", f"Unable to find object: {options.parent}")
        chunked = named
    if not chunked.custom and chunked.name not in SUPPORTED:
        raise ApiError("InvalidJob", f"Entity '{chunked.name}' is not supported for PK chunking.")
    return chunked


def field_of(chunked: SObject, sobject: SObject) -> str:
    """The field whose ids are cut: `Id`, or in a share or history table the one that names the parent (our choice; the guide does not show it)."""
    if chunked is sobject:
        return "Id"
    for field in sobject.fields.values():
        if chunked.name in field.reference_to:
            return field.name
    raise ApiError("InvalidJob", f"{sobject.name} has no parent {chunked.name}")


def ranges(options: ChunkOptions, sobject: SObject, store: Store) -> list[tuple[str, str]]:
    """The borders of the chunks, lower ones included and upper ones not; all records count, deleted ones too."""
    table = store.query(f'SELECT min("Id") AS low, max("Id") AS high FROM {quoted(sobject.name)}')  # noqa: S608
    low, high = table["low"][0].as_py(), table["high"][0].as_py()
    if low is None:
        low = high = f"{sobject.key_prefix}{'0' * _DIGITS}"
    first = from_base62((options.start_row or low)[3:15])
    last = from_base62(high[3:15])
    borders = [*range(first, last + 1, options.chunk_size)] or [first]
    borders.append(borders[-1] + options.chunk_size)
    written = [sobject.key_prefix + to_base62(border, _DIGITS) for border in borders]
    return list(pairwise(written))
