"""Ids: fifteen significant characters, and three that check their letter case.

An id is a key prefix (3), a pod (2), a reserved `0` and a serial number of nine digits in base 62.
Columns of ids are handled as byte matrices, never record by record.
"""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SERIAL_DIGITS = 9
_DIGITS = np.frombuffer(DIGITS.encode(), dtype=np.uint8)
_CHECK = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", dtype=np.uint8)
_BITS = np.array([1, 2, 4, 8, 16], dtype=np.uint8)
_CHECK_VALUE = np.full(256, 255, dtype=np.uint8)
_CHECK_VALUE[_CHECK] = np.arange(32)
_CHECK_VALUE[_CHECK[:26] + 32] = np.arange(26)  # the check characters are read in any letter case
_IS_DIGIT = np.zeros(256, dtype=bool)
_IS_DIGIT[_DIGITS] = True


class IdSource:
    """Hands out ids, the same ones for the same seed."""

    def __init__(self, seed: int = 0) -> None:
        chance = random.Random(f"pod {seed}")  # noqa: S311 - ids to tell orgs apart, not secrets
        self.pod = "".join(chance.choice(DIGITS[10:]) for _ in range(2))
        self._first = chance.randrange(1, 62**3)
        self._next: dict[str, int] = {}
        self._lock = threading.Lock()

    def take(self, key_prefix: str, count: int) -> pa.StringArray:
        """The next `count` ids of 18 characters."""
        with self._lock:
            first = self._next.get(key_prefix, self._first)
            self._next[key_prefix] = first + count
        return _ids(f"{key_prefix}{self.pod}0", first, count)

    def one(self, key_prefix: str) -> str:
        """A new id of 18 characters for a record with this key prefix."""
        return str(self.take(key_prefix, 1)[0].as_py())

    def skip(self, key_prefix: str, count: int) -> None:
        """Skip the next `count` ids."""
        with self._lock:
            self._next[key_prefix] = self._next.get(key_prefix, self._first) + count

    def skip_past(self, key_prefix: str, record_id: str) -> None:
        """Never hand out this id or one before it; for an org that is kept in a file."""
        number = from_base62(record_id[6:15])
        with self._lock:
            self._next[key_prefix] = max(self._next.get(key_prefix, self._first), number + 1)


def _ids(head: str, first: int, count: int) -> pa.StringArray:
    matrix = np.empty((count, 18), dtype=np.uint8)
    matrix[:, :6] = np.frombuffer(head.encode(), dtype=np.uint8)
    numbers = np.arange(first, first + count, dtype=np.int64)
    for place in range(_SERIAL_DIGITS):
        numbers, digit = np.divmod(numbers, 62)
        matrix[:, 14 - place] = _DIGITS[digit]
    matrix[:, 15:] = _check_characters(matrix[:, :15])
    return _column(matrix)


def _check_characters(significant: NDArray[np.uint8]) -> NDArray[np.uint8]:
    upper = (significant >= ord("A")) & (significant <= ord("Z"))
    groups = upper.reshape(len(significant), 3, 5) * _BITS
    checks: NDArray[np.uint8] = _CHECK[groups.sum(axis=2)]
    return checks


def _column(matrix: NDArray[np.uint8]) -> pa.StringArray:
    count, width = matrix.shape
    offsets = np.arange(0, (count + 1) * width, width, dtype=np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(matrix)))


def to_18(record_id: str) -> str:
    """A 15-character id as 18 characters; others stay as they are."""
    if len(record_id) != 15:
        return record_id
    return str(canonical(pa.array([record_id]))[0].as_py() or record_id)


def canonical(ids: pa.StringArray) -> pa.StringArray:
    """Ids of 15 or 18 characters, as 18 in the right letter case; null where one is missing or malformed."""
    lengths = pc.binary_length(ids)
    sized = pc.or_(pc.equal(lengths, 15), pc.equal(lengths, 18))
    plain = pc.fill_null(pc.if_else(sized, ids, no_texts(len(ids))), "")
    padded = pc.ascii_rpad(plain, 18, "-").cast(pa.binary(18))
    matrix = np.frombuffer(padded.buffers()[1], dtype=np.uint8)[padded.offset * 18 :].reshape(-1, 18)[: len(ids)].copy()
    short = matrix[:, 15] == ord("-")
    significant = matrix[:, :15]
    good = _IS_DIGIT[significant].all(axis=1)
    good &= short | _restore_case(significant, matrix[:, 15:], short)
    matrix[:, 15:] = _check_characters(significant)
    return pc.if_else(pa.array(good), _column(matrix), no_texts(len(ids)))


def no_texts(count: int) -> pa.StringArray:
    """Nulls for `if_else`: before version 24 pyarrow made texts out of bounds of a slice and one null for all."""
    return pa.nulls(count, pa.string())


def _restore_case(
    significant: NDArray[np.uint8], check: NDArray[np.uint8], short: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Restore the case of letters from the check characters; return which of those were readable."""
    values = _CHECK_VALUE[check]
    readable: NDArray[np.bool_] = (values != 255).all(axis=1)
    upper = ((values[:, :, None] & _BITS) != 0).reshape(len(check), 15)
    letters = ((significant | 32) >= ord("a")) & ((significant | 32) <= ord("z"))
    change = letters & (readable & ~short)[:, None]
    significant[change & upper] &= 0xDF
    significant[change & ~upper] |= 0x20
    return readable


def to_base62(number: int, width: int) -> str:
    """A number in base 62, with leading zeros."""
    digits = ""
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits = DIGITS[digit] + digits
    return digits


def from_base62(digits: str) -> int:
    """What `to_base62` wrote."""
    number = 0
    for digit in digits:
        number = number * 62 + DIGITS.index(digit)
    return number
