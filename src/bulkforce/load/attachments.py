"""The files that records name: found in their folder, measured, and packed into the zip of a batch.

A batch's zip has ``request.txt``, which is CSV, and a file of its own for each binary value. Each is named by its
digest, so that equal requests have equal files: the digest of a batch is that of its request.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from bulkforce.formats.csv import NULL
from bulkforce.formats.zip import REQUEST
from bulkforce.load.mapping import Shape
from bulkforce.protocol import limits

_BLOCK_BYTES: Final = 65_536
_LONGEST_PATH: Final = 4_096
# A local header, an entry of the directory, and twice the name.
_ENTRY_BYTES: Final = 30 + 46
_END_BYTES: Final = 22


class Unusable(Exception):
    """A value of a binary field cannot be sent; the text says why, and what to do, without the value."""


@dataclass(frozen=True, slots=True)
class Binary:
    """What a value of a binary field stands for.

    Attributes:
        path: The file; ``None`` if the value is the content.
        content: The content, if the value is.
    """

    path: Path | None = None
    content: bytes = b""

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the content.

        Raises:
            Unusable: The file cannot be read.
        """
        try:
            with io.BytesIO(self.content) if self.path is None else self.path.open("rb") as file:
                yield file
        except OSError as error:
            raise Unusable(f"the file cannot be read: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Measured:
    """A binary value and its size.

    Attributes:
        binary: The value.
        size: Number of bytes.
        packed: Number of bytes in a zip.
        sha256: Digest of the content.
    """

    binary: Binary
    size: int
    packed: int
    sha256: str

    def name(self, number: int) -> str:
        """Return the name of the file in the zip, where it is the file with this number."""
        return f"{number:04}-{self.sha256}"


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder that files are in.

    Attributes:
        path: Its path; files outside it are never read.
    """

    path: Path

    def find(self, value: str) -> Binary:
        """Find what a value stands for: a file (``#`` and its path, or its path alone), or base64.

        Raises:
            Unusable: It stands for nothing that can be sent, or for two things.
        """
        if value.startswith("#"):
            return Binary(self._inside(value[1:]))
        content = _decoded(value)
        try:
            path = self._inside(value)
        except Unusable:
            if content is None:
                raise
            return Binary(None, content)
        if content is not None:
            raise Unusable("the value is the path of a file, and base64 as well; write # before a path")
        return Binary(path)

    def _inside(self, name: str) -> Path:
        if not name or len(name) > _LONGEST_PATH or "\0" in name:
            raise Unusable(f"the value is neither base64 nor the path of a file in {self.path}")
        outside = f"the file is not inside {self.path}; only files in there are sent: move it, or name another folder"
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise Unusable(outside)
        try:
            path = (self.path / name).resolve(strict=True)
            mode = path.stat().st_mode
        except (OSError, RuntimeError) as error:
            why = getattr(error, "strerror", None) or "it cannot be found"
            raise Unusable(
                f"there is no such file in {self.path} ({why}); write # and the path of a file, relative to that folder"
            ) from error
        if not path.is_relative_to(self.path.resolve()):
            raise Unusable(outside)
        if not stat.S_ISREG(mode):
            raise Unusable("the value names a folder or a device, and not a file")
        return path


def _decoded(value: str) -> bytes | None:
    try:
        return base64.b64decode("".join(value.split()), validate=True) if value.isascii() else None
    except binascii.Error:
        return None


def measure(binary: Binary) -> Measured:
    """Read a binary value to its end, and say how large it is.

    Raises:
        Unusable: It cannot be read, or is larger than a whole zip may be.
    """
    size, packed = 0, 0
    digest, packer = hashlib.sha256(), zlib.compressobj(wbits=-zlib.MAX_WBITS)
    with binary.open() as file:
        known = os.fstat(file.fileno()).st_size if binary.path else len(binary.content)
        if known > limits.ZIP_UNPACKED_BYTES:
            raise Unusable(
                f"the file has {known:,} bytes; with all else in its zip it may have {limits.ZIP_UNPACKED_BYTES:,}"
            )
        while block := file.read(_BLOCK_BYTES):
            size += len(block)
            digest.update(block)
            packed += len(packer.compress(block))
    return Measured(binary, size, packed + len(packer.flush()), digest.hexdigest())


@dataclass(slots=True)
class Weight:
    """What a zip weighs, by all that is limited.

    Attributes:
        request: Bytes of ``request.txt``.
        files: Number of files besides it.
        unpacked: Bytes of these.
        packed: Bytes of the zip that these take.
    """

    request: int
    files: int = 0
    unpacked: int = 0
    packed: int = 0

    def add(self, line: int, files: Sequence[Measured]) -> None:
        """Add a record: the length of its line, and its files."""
        self.request += line
        self.files += len(files)
        self.unpacked += sum(one.size for one in files)
        self.packed += sum(one.packed + _ENTRY_BYTES + 2 * len(one.name(0)) for one in files)

    @property
    def zip(self) -> int:
        """The most bytes that the zip can have."""
        # Deflate makes nothing larger than this.
        request = self.request + self.request // 1_000 + 100
        return self.packed + request + _ENTRY_BYTES + 2 * len(REQUEST) + _END_BYTES

    def excess(self) -> str | None:
        """Say which limit is exceeded, if any."""
        for what, given, most in (
            ("files in its zip", self.files + 1, limits.ZIP_FILES),
            ("bytes in its zip", self.zip, limits.ZIP_BYTES),
            ("bytes in its zip, unpacked", self.unpacked + self.request, limits.ZIP_UNPACKED_BYTES),
            ("bytes without its files", self.request, limits.BATCH_BYTES),
        ):
            if given > most:
                return f"{given:,} {what}; a batch has at most {most:,}"
        return None


class Packer:
    """Turns records into the request of a zip and the files that it names.

    Args:
        shape: How records are converted before they are sent.
        folder: The folder that files are in.
    """

    def __init__(self, shape: Shape, folder: Path) -> None:
        self.shape, self._folder = shape, Folder(folder)

    def measured(self, values: Sequence[str]) -> list[Measured]:
        """Find and measure the files of a record, whose values are as they are sent.

        Raises:
            Unusable: One of them cannot be sent.
        """
        found = []
        for place in self.shape.files:
            if values[place] not in {"", NULL}:
                try:
                    found.append(measure(self._folder.find(values[place])))
                except Unusable as error:
                    raise Unusable(f"{self.shape.names[place]}: {error}") from error
        return found

    def named(self, values: Sequence[str], files: Sequence[Measured], number: int) -> list[str]:
        """Return a record's values, with the names of its files in the zip, the first of which has this number."""
        named, rest = list(values), iter(enumerate(files, number))
        for place in self.shape.files:
            if named[place] not in {"", NULL}:
                number, one = next(rest)
                named[place] = f"#{one.name(number)}"
        return named

    def request(self, rows: bytes) -> tuple[bytes, list[Measured]]:
        """Return the request for some records, and their files.

        Raises:
            Unusable: One of the files cannot be sent.
        """
        lines, files = [], list[Measured]()
        for values in self.shape.rows(rows):
            found = self.measured(values)
            lines.append(self.named(values, found, len(files) + 1))
            files += found
        return self.shape.header + self.shape.written(lines), files


def pack(request: bytes, files: Sequence[Measured]) -> bytes:
    """Pack a request and its files.

    Raises:
        Unusable: A file is not what was measured.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        with archive.open(_entry(REQUEST, len(request)), "w") as into:
            into.write(request)
        for number, one in enumerate(files, 1):
            digest = hashlib.sha256()
            with one.binary.open() as file, archive.open(_entry(one.name(number), one.size), "w") as into:
                left = one.size
                while left and (block := file.read(min(left, _BLOCK_BYTES))):
                    left -= len(block)
                    digest.update(block)
                    into.write(block)
            if digest.hexdigest() != one.sha256:
                raise Unusable("the file changes while it is read")
    return packed.getvalue()


def _entry(name: str, size: int) -> zipfile.ZipInfo:
    # A fixed time, so that the same records and files give the same bytes.
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type, entry.file_size = zipfile.ZIP_DEFLATED, size
    return entry
