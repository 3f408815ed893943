"""The files of a source: their kind by name, and their content in blocks, decompressed."""

from __future__ import annotations

import stat
import sys
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Final

from bulkforce.errors import FormatError, MissingExtra, UsageError
from bulkforce.transport import gzip

_BLOCK_BYTES: Final = 262_144
_GZIP, _ZSTD = ".gz", ".zst"
_OTHERS: Final = {
    ".zip": "unpack it first",
    ".xls": "save it as .xlsx or as CSV UTF-8",
    ".xlsb": "save it as .xlsx or as CSV UTF-8",
    ".ods": "save it as .xlsx or as CSV",
    ".html": "export the table it shows as CSV",
    ".bz2": "unpack it first",
    ".xz": "unpack it first",
}
"""What to do with files that people have, too."""

# Four bytes can hold a block of 128 KiB, so little is decompressed at a time.
_ZSTD_BLOCK_BYTES: Final = 8_192


def form_of(path: Path, known: Collection[str], unpackable: Collection[str]) -> tuple[str, str]:
    """Return a file's form (``.csv``, ...) and packing (``.gz``, ``.zst`` or nothing), judged by its name.

    Raises:
        UsageError: The file does not exist, or its name does not show its form.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise UsageError(f"The source {path} cannot be read: {error.strerror}") from error
    if stat.S_ISDIR(mode):
        raise UsageError(f"The source {path} is a directory; name a file")
    suffix = path.suffix.lower()
    packing = suffix if suffix in {_GZIP, _ZSTD} else ""
    form = Path(path.stem).suffix.lower() if packing else suffix
    # The name of a pipe does not show a form; neither does "contacts.gz".
    if not form and (packing or not stat.S_ISREG(mode)):
        form = ".csv"
    if form in known or (form in unpackable and not packing):
        return form, packing
    if remedy := _OTHERS.get(form):
        raise UsageError(f"The source {path} cannot be read; {remedy}")
    raise UsageError(
        f"The name of the source {path} does not show its format; "
        f"known are {', '.join(known)} (also followed by {_GZIP} or {_ZSTD}) and {', '.join(unpackable)}"
    )


def look_at(path: Path) -> None:
    """Check that a file that will be used in place can be read and is not empty.

    Raises:
        UsageError: It cannot be read, or is empty.
    """
    start_of(path, 1)


def start_of(path: Path, length: int) -> bytes:
    """Return the first bytes of a file.

    Raises:
        UsageError: It cannot be read, or is empty.
    """
    with _opened(path) as file:
        for block in checked(read(file, length)):
            return block
    return b""


def peeked(blocks: Iterable[bytes], length: int) -> tuple[bytes, Iterator[bytes]]:
    """Read the first bytes, or a little more, and return them and the blocks, of which nothing is missing.

    Raises:
        UsageError: There is no content.
    """
    rest = iter(blocks)
    found: list[bytes] = []
    for block in rest:
        found.append(block)
        if sum(map(len, found)) >= length:
            break
    start = b"".join(found)
    return start, checked(chain([start], rest))


def unpacked(path: Path, packing: str) -> Iterator[bytes]:
    """Read a file in blocks, decompressed.

    Raises:
        UsageError: It cannot be read.
        FormatError: It is not in the packing's format, or is truncated.
    """
    with _opened(path) as file:
        if packing == _GZIP:
            yield from _gunzip(file)
        elif packing == _ZSTD:
            yield from _unzstd(file)
        else:
            yield from read(file)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise UsageError(f"The source {path} cannot be read: {error.strerror}") from error


def read(file: BinaryIO, block_bytes: int = _BLOCK_BYTES) -> Iterator[bytes]:
    """Read an open file in blocks, to its end.

    Raises:
        UsageError: It cannot be read, or is open as text.
    """
    while block := _block(file, block_bytes):
        yield block


def _block(file: BinaryIO, block_bytes: int) -> bytes:
    try:
        block: object = file.read(block_bytes)
    except (OSError, ValueError) as error:
        # ValueError: it is closed, or not open for reading.
        raise UsageError(f"The source {name_of(file)} cannot be read: {error}") from error
    if not isinstance(block, (bytes, bytearray, memoryview)):
        raise UsageError("The file is open as text; open it in binary mode ('rb')")
    return bytes(block)


def standard_input() -> Iterator[bytes]:
    """Read the standard input.

    Raises:
        UsageError: It is closed.
    """
    if sys.stdin is None:
        raise UsageError("Standard input is closed, so nothing can be read from it; name a file")
    return read(sys.stdin.buffer)


def name_of(file: object) -> str:
    """Return the name of an open file for messages."""
    name = getattr(file, "name", None)
    return Path(name).name if isinstance(name, str) else "an open file"


def checked(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Pass blocks on that are not empty.

    Raises:
        UsageError: There is no content.
    """
    empty = True
    for block in blocks:
        if block:
            empty = False
            yield block
    if empty:
        raise UsageError("The source is empty")


def _gunzip(file: BinaryIO) -> Iterator[bytes]:
    try:
        yield from gzip.decompress(read(file))
    except (gzip.CutShort, gzip.NotGzip) as error:
        raise FormatError(f"The source is not a complete gzip file: {error}") from error


def _unzstd(file: BinaryIO) -> Iterator[bytes]:
    try:
        if sys.version_info >= (3, 14):
            from compression.zstd import ZstdDecompressor, ZstdError
        else:
            from zstandard import ZstdDecompressor, ZstdError
    except ImportError as error:
        raise MissingExtra("zstd", "Reading a .zst file") from error

    def frame() -> Any:  # noqa: ANN401  (the two libraries have no type in common)
        return ZstdDecompressor() if sys.version_info >= (3, 14) else ZstdDecompressor().decompressobj()

    unpacker, begun = frame(), False
    try:
        for block in read(file, _ZSTD_BLOCK_BYTES):
            rest = block
            while rest:
                yield unpacker.decompress(rest)
                rest, begun = unpacker.unused_data, not unpacker.eof
                if unpacker.eof:
                    # A stream may consist of several frames.
                    unpacker = frame()
    except ZstdError as error:
        raise FormatError(f"The source is not a zstd file: {error}") from error
    if begun:
        raise FormatError("The source is not a complete zstd file: it is truncated")
