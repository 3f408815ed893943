from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from bulkforce.errors import UsageError
from bulkforce.transport.stream import AsyncResultStream, ResultStream


class Blocks:
    framed = True

    def __init__(self, *blocks: bytes) -> None:
        self.blocks = blocks
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        yield from self.blocks

    def close(self) -> None:
        self.closed += 1


def test_stream_reads_exactly_what_is_asked_for() -> None:
    stream = ResultStream(Blocks(b"abc", b"de", b"fgh"))
    assert [stream.read(2), stream.read(0), stream.read(4), stream.read(10), stream.read(1)] == [
        b"ab",
        b"",
        b"cdef",
        b"gh",
        b"",
    ]


def test_stream_reads_to_its_end() -> None:
    stream = ResultStream(Blocks(b"abc", b"de"))
    assert stream.read(1) == b"a"
    assert stream.read() == b"bcde"
    assert stream.read() == b""
    assert stream.readable()
    assert stream.framed


def test_stream_gives_blocks_beginning_with_the_rest() -> None:
    stream = ResultStream(Blocks(b"abc", b"de"))
    assert stream.read(1) == b"a"
    assert list(stream) == [b"bc", b"de"]


def test_stream_is_closed_once() -> None:
    blocks = Blocks(b"abc")
    with ResultStream(blocks) as stream:
        assert stream.read(1) == b"a"
    stream.close()
    assert blocks.closed == 1


def test_closed_stream_does_not_look_like_a_short_one() -> None:
    stream = ResultStream(Blocks(b"abc", b"def"))
    iterator = iter(stream)
    assert next(iterator) == b"abc"
    stream.close()
    with pytest.raises(UsageError, match="closed"):
        next(iterator)
    with pytest.raises(UsageError, match="closed"):
        stream.read()


def test_async_stream_reads_and_iterates() -> None:
    blocks = Blocks(b"abc", b"de")

    async def main() -> list[bytes]:
        async with AsyncResultStream(ResultStream(blocks)) as stream:
            return [await stream.read(1), *[block async for block in stream]]

    assert asyncio.run(main()) == [b"a", b"bc", b"de"]
    assert blocks.closed == 1
