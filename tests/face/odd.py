"""Values that a caller may hand over by mistake."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path

import pytest

import bulkforce as bf

ODD: dict[str, Callable[[], object]] = {
    "nothing": lambda: None,
    "empty": lambda: "",
    "NUL": lambda: "a\0b",
    "half a surrogate pair": lambda: "\ud800",
    "a name of the file system that is no text": lambda: "caf\udce9.csv",
    "a long text": lambda: "x" * 5_000,
    "lines": lambda: "é\n'\"",
    "bytes": lambda: b"\xff",
    "a negative number": lambda: -1,
    "zero": lambda: 0,
    "a number of many digits": lambda: 2**70,
    "a number of very many digits": lambda: 10**5_000,
    "a fraction": lambda: 3.5,
    "no number": lambda: math.nan,
    "a number without end": lambda: math.inf,
    "a truth": lambda: True,
    "a list": lambda: ["a"],
    "an empty list": list,
    "a mapping": lambda: {"Name": "\ud800"},
    "a mapping of numbers": lambda: {1: 2},
    "a mapping to lists": lambda: {"Name": ["x"]},
    "an object": object,
    "a class": lambda: int,
    "a path with NUL": lambda: Path("a\0b"),
    "a path that is no text": lambda: Path("\ud800"),
    "a folder": Path,
    "a file": lambda: Path("a.csv"),
    "below a file": lambda: Path("a.csv/b.csv"),
    "a long path": lambda: Path("x" * 5_000),
    "an open file": lambda: io.BytesIO(b"\xff"),
    "a text file": lambda: io.StringIO("x"),
    "a generator": lambda: (one for one in [1]),
}


def refusal(odd: str, call: Callable[[], object]) -> bf.Error:
    """Make a call with an odd value, and give the error that refuses it."""
    try:
        call()
    except bf.Error as error:
        return error
    return pytest.fail(f"{odd} was taken")
