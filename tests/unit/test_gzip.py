from __future__ import annotations

import gzip as standard
import io
import zlib
from collections.abc import Iterator

import pytest

from bulkforce.transport import gzip

TEXT = b"".join(b"%d,Morkel\n" % number for number in range(20_000))
BOUND = 262_144


def one_by_one(content: bytes) -> Iterator[bytes]:
    return (content[place : place + 1] for place in range(len(content)))


def test_compress_is_read_by_the_standard_library() -> None:
    assert standard.decompress(gzip.compress(io.BytesIO(TEXT))) == TEXT
    assert standard.decompress(gzip.compress(io.BytesIO(b""))) == b""


def test_decompress_reads_whole_one_byte_at_a_time_and_several_members() -> None:
    packed = standard.compress(TEXT)
    assert b"".join(gzip.decompress([packed])) == TEXT
    assert b"".join(gzip.decompress(one_by_one(packed))) == TEXT
    assert b"".join(gzip.decompress([packed + packed])) == TEXT + TEXT
    assert b"".join(gzip.decompress(one_by_one(packed + packed))) == TEXT + TEXT
    assert b"".join(gzip.decompress([packed, b"", packed])) == TEXT + TEXT


def test_decompress_of_nothing_is_nothing() -> None:
    assert list(gzip.decompress([])) == []
    assert b"".join(gzip.decompress([standard.compress(b"")])) == b""


def test_decompress_refuses_a_stream_cut_anywhere() -> None:
    packed = standard.compress(TEXT[:2_000])
    for cut in range(1, len(packed)):
        with pytest.raises(EOFError):
            b"".join(gzip.decompress([packed[:cut]]))


def test_decompress_refuses_a_second_member_cut_anywhere() -> None:
    packed = standard.compress(b"one")
    for cut in range(1, len(packed)):
        with pytest.raises(EOFError):
            b"".join(gzip.decompress([packed, packed[:cut]]))


@pytest.mark.parametrize("content", [b"Id\n1\n", b"<html>", standard.compress(TEXT) + b"garbage", zlib.compress(TEXT)])
def test_decompress_refuses_what_is_no_gzip(content: bytes) -> None:
    with pytest.raises((gzip.NotGzip, EOFError)):
        b"".join(gzip.decompress([content]))


def test_decompress_refuses_a_wrong_checksum() -> None:
    packed = bytearray(standard.compress(TEXT))
    packed[-6] ^= 1
    with pytest.raises(gzip.NotGzip):
        b"".join(gzip.decompress([bytes(packed)]))


@pytest.mark.parametrize("level", [0, 1, 6, 9])
@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_decompress_takes_content_of_about_whole_blocks_for_whole(level: int, blocks: int) -> None:
    """Where the last block of content is full, the end of the stream may still be ahead, or behind."""
    for more in (-65_536, -259, -258, -2, -1, 0, 1, 2, 257, 258, 259):
        content = bytes(blocks * BOUND + more)
        packed = standard.compress(content, level)
        assert b"".join(gzip.decompress([packed])) == content
        assert b"".join(gzip.decompress([packed[:-9], packed[-9:-1], packed[-1:]])) == content
        for cut in (1, 8, 9, 12):
            with pytest.raises(EOFError):
                b"".join(gzip.decompress([packed[:-cut]]))


def test_decompress_gives_a_bomb_out_in_bounded_blocks() -> None:
    bomb = standard.compress(bytes(50_000_000))
    sizes = [len(block) for block in gzip.decompress([bomb])]
    assert sum(sizes) == 50_000_000
    assert max(sizes) <= BOUND
