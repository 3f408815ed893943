"""Gzip on the wire, with isal (extra ``fast``) if it is installed and zlib otherwise; a stream cut in the middle never
passes.
"""

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
        """Take the next piece; gives what is compressed so far."""
        ...

    def flush(self) -> bytes:
        """Give the rest."""
        ...


class CutShort(EOFError):
    """The compressed stream ends before its end."""


def compress(file: BinaryIO) -> bytes:
    """Compress a whole batch; level 1, since links are slower than it and faster than more."""
    packing = packer(1)
    pieces = []
    while block := file.read(_BLOCK_BYTES):
        pieces.append(packing.compress(block))
    return b"".join([*pieces, packing.flush()])


def packer(level: int) -> Packer:
    """Begin to compress; equal content makes equal bytes, since neither name nor time is written."""
    return cast(Packer, zlib.compressobj(level, zlib.DEFLATED, 31))


def decompress(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress a stream block by block; each block given out has a bounded size.

    Raises:
        CutShort: The stream ends too early.
        zlib.error: It is no gzip.
    """
    unpacker = zlib.decompressobj(31)
    started = False
    for block in blocks:
        rest = block
        while rest:
            if unpacker.eof:
                # Several gzip members after one another are one stream.
                unpacker, started = zlib.decompressobj(31), False
            started = True
            piece = unpacker.decompress(rest, _BLOCK_BYTES)
            rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
            if piece:
                yield piece
            elif not rest:
                break
    if started and not unpacker.eof:
        raise CutShort("the gzip stream ends before its end")


NotGzip = cast("type[Exception]", zlib.error)
