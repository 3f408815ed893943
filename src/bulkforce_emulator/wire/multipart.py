"""The body of a request that creates a job of Bulk API 2.0 together with its data."""

from __future__ import annotations

import re

_BOUNDARY = re.compile(r"""boundary\s*=\s*(?:"([^"]+)"|([^;\s]+))""", re.IGNORECASE)
_NAME = re.compile(
    rb"""^content-disposition\s*:[^\r\n]*?[;\s]name\s*=\s*"?([^";\r\n]+)""", re.IGNORECASE | re.MULTILINE
)
_BLANK = re.compile(rb"\r?\n\r?\n")


def parts_of(body: bytes, content_type: str) -> dict[str, bytes] | None:
    """The contents of the parts by their names; None if it cannot be read.

    One line end before a boundary belongs to the boundary, not to the contents.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        return None
    boundary = b"--" + (found[1] or found[2]).encode()
    pieces = re.split(rb"(?:^|\r?\n)" + re.escape(boundary) + rb"(?=--|\r?\n|[ \t])", body)
    parts: dict[str, bytes] = {}
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            return parts
        head, blank, content = _split(re.sub(rb"^[ \t]*\r?\n", b"", piece, count=1))
        name = _NAME.search(head)
        if name is None or not blank:
            return None
        parts[name[1].decode("utf-8", "replace")] = content
    return None


def _split(piece: bytes) -> tuple[bytes, bool, bytes]:
    found = _BLANK.search(piece)
    return (piece, False, b"") if found is None else (piece[: found.start()], True, piece[found.end() :])
