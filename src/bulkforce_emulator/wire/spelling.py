"""How the Bulk API spells what the state holds as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkforce_emulator.state.job import Operation
from bulkforce_emulator.uploads import Format

if TYPE_CHECKING:
    from bulkforce_emulator.state.job import JobRequest

# In the order of the API's own lists: clients may send a word's ordinal.
OPERATIONS = {
    "insert": Operation.INSERT,
    "upsert": Operation.UPSERT,
    "update": Operation.UPDATE,
    "delete": Operation.DELETE,
    "hardDelete": Operation.HARD_DELETE,
    "query": Operation.QUERY,
    "queryAll": Operation.QUERY_ALL,
}
#: The format of each content type, and whether it is zipped.
CONTENT_TYPES = {
    "XML": (Format.XML, False),
    "CSV": (Format.CSV, False),
    "JSON": (Format.JSON, False),
    "ZIP_XML": (Format.XML, True),
    "ZIP_CSV": (Format.CSV, True),
    "ZIP_JSON": (Format.JSON, True),
}
#: Whether batches run one after another.
CONCURRENCY_MODES = {"Parallel": False, "Serial": True}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}

_OPERATION_NAMES = {operation: name for name, operation in OPERATIONS.items()}
_CONTENT_TYPE_NAMES = {kind: name for name, kind in CONTENT_TYPES.items()}


def operation_name(operation: Operation) -> str:
    """The name of an operation: `hardDelete`, `queryAll`."""
    return _OPERATION_NAMES[operation]


def content_type_name(request: JobRequest) -> str:
    """The name of a job's content type: `CSV`, `ZIP_XML`."""
    return _CONTENT_TYPE_NAMES[request.format, request.zipped]


def concurrency_mode_name(request: JobRequest) -> str:
    """The name of a job's concurrency mode."""
    return "Serial" if request.serial else "Parallel"
