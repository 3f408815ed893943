"""Turn whatever a user passes to ``add_batch`` into one sealed batch, and check every limit before anything is sent."""

from __future__ import annotations

import hashlib
import io
import os
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias, cast

from bulkforce import arguments
from bulkforce.errors import FormatError, UsageError
from bulkforce.formats import csv, json, xml
from bulkforce.formats import zip as zipped
from bulkforce.formats.naming import naming
from bulkforce.formats.text import encoded
from bulkforce.formats.values import Value
from bulkforce.protocol import limits
from bulkforce.protocol.exchange import Body
from bulkforce.vocabulary import ContentType, Operation

Content: TypeAlias = (
    str | bytes | os.PathLike[str] | BinaryIO | Iterable[Mapping[str, Value]] | ET.Element | zipped.Attachments
)
"""A batch's content: a string, bytes, the path of a file, an open binary file, records, an ``sObjects`` element, or
attachments."""


@dataclass(frozen=True, slots=True)
class SealedBatch:
    """Content that was checked and will not change.

    Attributes:
        body: The bytes, which can be opened as often as needed.
        records: Number of records; 0 for a query.
        characters: Number of characters; for a zip, those of ``request.txt``.
        sha256: Digest of the bytes.
    """

    body: Body
    records: int
    characters: int
    sha256: str


def seal(content: Content, content_type: ContentType, operation: Operation) -> SealedBatch:
    """Check content against its format and all limits.

    Args:
        content: What to send. A string is always content, never a file name; for a file, pass a ``pathlib.Path``.
        content_type: The content type of the job.
        operation: The operation of the job; the content of a query is SOQL.

    Raises:
        FormatError: The content does not match the content type, or exceeds a limit.
        UsageError: A job of this type does not accept this kind of content.
    """
    with naming(arguments.path(content, "The file").name if isinstance(content, os.PathLike) else None):
        return _seal(content, content_type, operation)


def _seal(content: Content, content_type: ContentType, operation: Operation) -> SealedBatch:
    if operation.is_query and not (isinstance(content, (str, bytes, os.PathLike)) or hasattr(content, "read")):
        raise UsageError(f"The batch of a {operation} job must be SOQL: a string, bytes, a path or a binary file")
    if isinstance(content, zipped.Attachments):
        if not content_type.is_zip:
            raise UsageError(f"Attachments need a ZIP_CSV, ZIP_JSON or ZIP_XML job, not {content_type}")
        request = _bytes_of(content.records, content_type.records)
        content = zipped.build(_opened(request).open().read(), content.files)
    body = _opened(content if content_type.is_zip else _bytes_of(content, content_type.records))
    if body.length == 0:
        raise FormatError("The content is empty; the org does not accept a batch without records")
    if operation.is_query:
        measured = _soql(body)
    elif content_type.is_zip:
        with body.open() as file:
            request_text = zipped.request_of(file, body.length)
        measured = _measure(_opened(request_text), content_type.records)
    else:
        measured = _measure(body, content_type)
    return SealedBatch(body, measured.records, measured.characters, _digest(body))


def _measure(body: Body, content_type: ContentType) -> csv.Measure:
    if body.length > limits.BATCH_BYTES:
        raise FormatError(f"A batch has at most {limits.BATCH_BYTES:,} bytes, not {body.length:,}")
    measured = _MEASURES[content_type](body)
    if measured.records == 0:
        raise FormatError("The content has no records")
    if measured.records > limits.BATCH_RECORDS:
        raise FormatError(f"A batch has at most {limits.BATCH_RECORDS:,} records, not {measured.records:,}")
    if measured.characters > limits.BATCH_CHARACTERS:  # pragma: no cover  (never more characters than bytes)
        raise FormatError(f"A batch has at most {limits.BATCH_CHARACTERS:,} characters, not {measured.characters:,}")
    return measured


def _whole(body: Body) -> bytes:
    with body.open() as file:
        return file.read()


def _soql(body: Body) -> csv.Measure:
    if body.length > limits.BATCH_BYTES:
        raise FormatError(f"A batch has at most {limits.BATCH_BYTES:,} bytes, not {body.length:,}")
    text = csv.characters_of(_whole(body), 0)
    if not _whole(body).strip():
        raise FormatError("The query is empty")
    return csv.Measure(0, text)


def _blocks(body: Body) -> Iterator[bytes]:
    with body.open() as file:
        while block := file.read(csv.BLOCK_BYTES):
            yield block


_MEASURES: Final[Mapping[ContentType, Callable[[Body], csv.Measure]]] = {
    ContentType.CSV: lambda body: csv.measure(_blocks(body)),
    ContentType.JSON: lambda body: json.measure(_whole(body)),
    ContentType.XML: lambda body: xml.measure(_blocks(body)),
}

_ENCODERS: Final[Mapping[ContentType, Callable[[Iterable[Mapping[str, Value]]], bytes]]] = {
    ContentType.CSV: csv.encode,
    ContentType.JSON: json.encode,
    ContentType.XML: xml.encode,
}


def _digest(body: Body) -> str:
    with body.open() as file:
        return hashlib.file_digest(cast(io.BytesIO, file), "sha256").hexdigest()


def _bytes_of(content: Content, content_type: ContentType) -> bytes | os.PathLike[str] | BinaryIO:
    """Encode content that is not encoded yet."""
    if isinstance(content, str):
        return encoded(content)
    if isinstance(content, (bytes, os.PathLike)):
        return content
    if isinstance(content, (bytearray, memoryview)):
        return bytes(content)
    if isinstance(content, (ET.Element, ET.ElementTree)):
        if content_type is not ContentType.XML:
            raise UsageError(f"An XML element needs an XML job, not {content_type}")
        root = content if isinstance(content, ET.Element) else content.getroot()
        return xml.encode_element(root)
    if isinstance(content, Mapping):
        raise UsageError("The content is a single mapping; pass a list of records")
    if hasattr(content, "read"):
        return cast(BinaryIO, content)
    if isinstance(content, Iterable):
        return _ENCODERS[content_type](content)
    raise UsageError(f"Content must be a string, bytes, a path, a binary file or records, not {type(content).__name__}")


def _opened(content: object) -> Body:
    """Make a body from bytes, a path or a binary file, without a byte order mark."""
    if isinstance(content, bytes):
        return Body.of(content.removeprefix(csv.BOM))
    if isinstance(content, os.PathLike):
        return file_body(arguments.path(content, "The file"))
    if isinstance(content, io.TextIOBase):
        raise UsageError("The file is open as text; open it in binary mode ('rb')")
    if hasattr(content, "read"):
        return Body.of(_read(cast(BinaryIO, content)).removeprefix(csv.BOM))
    raise UsageError(f"A zip batch must be bytes, a path, a binary file or Attachments, not {type(content).__name__}")


def _read(file: BinaryIO) -> bytes:
    # One byte over the limit shows that the content is too long, however long it is.
    content, left = [], limits.BATCH_BYTES + len(csv.BOM) + 1
    # Pipes and sockets may return less than was asked for.
    while left > 0 and (block := block_of(file, left)):
        content.append(block)
        left -= len(block)
    return b"".join(content)


def block_of(file: BinaryIO, length: int) -> bytes:
    """Read from a user's file.

    Raises:
        UsageError: It cannot be read, or is open as text.
    """
    try:
        block: object = file.read(length)
    except (OSError, ValueError) as error:
        # ValueError: the file is closed, or not open for reading.
        raise UsageError(f"The open file cannot be read: {error}") from error
    if not isinstance(block, (bytes, bytearray, memoryview)):
        raise UsageError("The file is open as text; open it in binary mode ('rb')")
    return bytes(block)


def file_body(path: Path) -> Body:
    """Make a body from a file, without a byte order mark.

    Raises:
        UsageError: The file cannot be read, or (when it is sent) has changed.
    """
    try:
        known = path.stat()
        with path.open("rb") as file:
            skip = len(csv.BOM) if file.read(len(csv.BOM)) == csv.BOM else 0
    except OSError as error:
        raise UsageError(f"The file {path} cannot be read: {error.strerror}") from error

    def open_again() -> BinaryIO:
        try:
            file = path.open("rb")
        except OSError as error:
            raise UsageError(
                f"The file {path} can no longer be read: {error.strerror}; the rest of it is not sent"
            ) from error
        now = os.fstat(file.fileno())
        if (now.st_size, now.st_mtime_ns) != (known.st_size, known.st_mtime_ns):
            file.close()
            raise UsageError(f"The file {path} changed while it was being sent; the rest of it is not sent")
        file.seek(skip)
        return file

    return Body(open_again, known.st_size - skip)
