"""Bytes, spoilt as disks, programs and people spoil them."""

from __future__ import annotations

from random import Random

_ENDS = (b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\0\0\0\0")
_MARKS = (
    b'"',
    b",",
    b"\n",
    b"\r",
    b"\0",
    b"{",
    b"}",
    b"[",
    b"]",
    b"<",
    b">",
    b"&",
    b"\\",
    b"=",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xed\xa0\x80",
    b"9" * 5_000,
    b"1e999",
)


def mutated(content: bytes, chance: Random) -> bytes:
    """Spoil some content, mostly in one place."""
    spoilt = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        _spoil(spoilt, chance)
    return bytes(spoilt)


def _spoil(spoilt: bytearray, chance: Random) -> None:
    place = chance.randrange(len(spoilt) + 1)
    match chance.randrange(9):
        case 0 if place < len(spoilt):
            spoilt[place] ^= 1 << chance.randrange(8)
        case 1 if place < len(spoilt):
            spoilt[place] = chance.choice((0, 127, 128, 255, chance.randrange(256)))
        case 2:
            del spoilt[place : place + chance.choice((1, 4, 8, 100))]
        case 3:
            spoilt[place:place] = chance.randbytes(chance.choice((1, 4, 8)))
        case 4:
            del spoilt[place:]
        case 5:
            # A piece of it stands where another should.
            other, length = chance.randrange(len(spoilt) + 1), chance.choice((4, 8, 64))
            spoilt[place : place + length] = spoilt[other : other + length]
        case 6:
            # A number of four bytes, in its place.
            spoilt[place & ~3 : (place & ~3) + 4] = chance.choice((*_ENDS, chance.randbytes(4)))
        case 7:
            spoilt[place:place] = spoilt[place : place + chance.choice((1, 30, 300))] * chance.choice((1, 2, 50))
        case _:
            spoilt[place:place] = chance.choice(_MARKS)
