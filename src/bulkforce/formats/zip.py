"""Zip batches: ``request.txt`` with the records, and the binary files that they name with ``#``.

Source: developer guide, "Load binary attachments"; limits page. This module checks the limits of the zip itself; the
format of the records checks theirs.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from bulkforce import arguments
from bulkforce.errors import FormatError, UsageError
from bulkforce.formats.values import Value
from bulkforce.protocol import limits

REQUEST: Final = "request.txt"


@dataclass(frozen=True, slots=True)
class Attachments:
    """Records with binary files, for a zip job.

    A record names a file with a leading ``#``: ``{"Name": "a.gif", "ParentId": "001...", "Body": "#a.gif"}``.

    Attributes:
        records: Records, or a whole ``request.txt`` as a string or bytes in the job's format.
        files: The other files of the zip, by path inside the zip: bytes, or the path of a file.

    Example:
        >>> record = {"Name": "a.txt", "ParentId": "001000000000001AAA", "Body": "#a.txt"}
        >>> content = Attachments([record], {"a.txt": b"hello"})
    """

    records: str | bytes | Iterable[Mapping[str, Value]]
    files: Mapping[str, bytes | os.PathLike[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.records, (Iterable, os.PathLike)):
            raise UsageError(
                f"The records of Attachments must be mappings or a whole request.txt, not {type(self.records).__name__}"
            )
        if not isinstance(self.files, Mapping):
            raise UsageError(
                f"The files of Attachments must map names to bytes or paths, not be {type(self.files).__name__}"
            )
        for name, content in self.files.items():
            arguments.text(name, "The name of a file of Attachments")
            if not isinstance(content, bytes):
                arguments.path(
                    content if isinstance(content, os.PathLike) else None, "A file of Attachments, if it is not bytes,"
                )


def build(request: bytes, files: Mapping[str, bytes | os.PathLike[str]]) -> bytes:
    """Pack the encoded records and the files.

    Raises:
        FormatError: They exceed a limit.
        UsageError: A name cannot be used in the zip.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        _write(archive, REQUEST, request)
        for name, content in files.items():
            # An empty part means a path from the root, a directory, or no name at all.
            if name == REQUEST or "\\" in name or {"", ".", ".."} & set(name.split("/")):
                raise UsageError(f"A file in a zip batch cannot be named {arguments.shown(name)}")
            _write(
                archive,
                name,
                content
                if isinstance(content, bytes)
                else _read(name, arguments.path(content, "A file of a zip batch")),
            )
    return packed.getvalue()


def _read(name: str, path: Path) -> bytes:
    try:
        if path.stat().st_size > limits.ZIP_UNPACKED_BYTES:
            raise FormatError(
                f"The file {arguments.shown(name)} is over {limits.ZIP_UNPACKED_BYTES:,} bytes, the limit for a whole "
                "unpacked zip batch"
            )
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"The file {path} cannot be read: {error.strerror}") from error


def _write(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    # A fixed time, so that the same records and files give the same bytes and digest.
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)


def request_of(file: BinaryIO, length: int) -> bytes:
    """Check a zip against the limits and return its ``request.txt``.

    Raises:
        FormatError: It is not a zip, has no ``request.txt`` at its root, or exceeds a limit.
    """
    if length > limits.ZIP_BYTES:
        raise FormatError(f"A zip batch has at most {limits.ZIP_BYTES:,} bytes, not {length:,}")
    try:
        with zipfile.ZipFile(file) as archive:
            _check(archive)
            return archive.read(REQUEST)
    except FormatError:
        raise
    except Exception as error:
        # zipfile fails on bad input in many ways: zlib.error, struct.error, EOFError, IndexError, ...
        raise FormatError(f"The content is not a readable zip: {error}") from error


def _check(archive: zipfile.ZipFile) -> None:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if REQUEST not in archive.namelist():
        raise FormatError(f"The zip has no {REQUEST} at its root; is everything wrapped in a folder?")
    if len(entries) > limits.ZIP_FILES:
        raise FormatError(f"A zip batch has at most {limits.ZIP_FILES:,} files, not {len(entries):,}")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > limits.ZIP_UNPACKED_BYTES:
        raise FormatError(f"A zip batch has at most {limits.ZIP_UNPACKED_BYTES:,} bytes unpacked, not {unpacked:,}")
    for entry in entries:
        if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise FormatError(
                f"The files of a zip batch must be stored or deflated; this one is not: {entry.filename[:40]!r}"
            )
        if len(entry.filename.encode()) > limits.ZIP_NAME_BYTES:
            raise FormatError(
                f"The name of a file in a zip batch has at most {limits.ZIP_NAME_BYTES} bytes: "
                f"{entry.filename[:40]!r}..."
            )
