"""Gzip on the wire, by isal (extra ``fast``) if it is installed and zlib otherwise; a truncated stream is an error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO, Protocol, cast

try:
    from isal import isal_zlib as zlib
except ImportError:
    import zlib  # type: ignore[no-redef]

_BLOCK_BYTES = 262_144


class Packer(Protocol):
    """Compresses piece by piece."""

    def compress(self, data: bytes | memoryview, /) -> bytes:
        """Compress the next piece; return the output so far."""
        ...

    def flush(self) -> bytes:
        """Return the rest of the output."""
        ...


class CutShort(EOFError):
    """The compressed stream is truncated."""


def compress(file: BinaryIO) -> bytes:
    """Compress a whole batch, at level 1: it is faster than networks are, and higher levels are slower."""
    packing = packer(1)
    pieces = []
    while block := file.read(_BLOCK_BYTES):
        pieces.append(packing.compress(block))
    return b"".join([*pieces, packing.flush()])


def packer(level: int) -> Packer:
    """Start compressing; equal content gives equal bytes, since neither name nor time is written."""
    return cast(Packer, zlib.compressobj(level, zlib.DEFLATED, 31))


def decompress(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress a stream, yielding blocks of bounded size.

    Raises:
        CutShort: The stream ends too early.
        zlib.error: It is not gzip.
    """
    unpacker = zlib.decompressobj(31)
    started = False
    for block in blocks:
        rest = block
        while rest:
            if unpacker.eof:
                # Consecutive gzip members form one stream.
                unpacker, started = zlib.decompressobj(31), False
            started = True
            piece = unpacker.decompress(rest, _BLOCK_BYTES)
            rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
            if piece:
                yield piece
            elif not rest:
                break
    if started and not unpacker.eof:
        raise CutShort("the gzip stream is truncated")


NotGzip = cast("type[Exception]", zlib.error)
