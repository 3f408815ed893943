"""How a text file of records is written, judged by its beginning: its encoding, delimiter and quotes."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bulkforce.errors import FormatError
from bulkforce.load.sources.options import DELIMITERS, NO_QUOTE, SourceOptions
from bulkforce.load.sources.signatures import refuse_others

LOOK_BYTES: Final = 65_536
"""How much of a file is looked at: much more than a usual header and some records."""

UTF_8: Final = "utf-8"
_MARKS: Final = (
    # Those of UTF-32 first, since one begins like the one of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, UTF_8),
)
_SEP_LINE: Final = re.compile(r'\ufeff?"?sep=(.?)"?(?:\r\n?|\n)', re.IGNORECASE)
_RECORDS: Final = 20


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text file is written.

    Attributes:
        delimiter: The character between columns.
        quote: The character around values, or ``none``.
        encoding: Its encoding.
        sep_line: Whether the first line is Excel's ``sep=``, which only names the delimiter.
    """

    delimiter: str = ","
    quote: str = '"'
    encoding: str = UTF_8
    sep_line: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether this is what the org reads."""
        return self == Dialect()


def encoding_of(start: bytes, given: str | None) -> str:
    """Return the encoding of a text file.

    Args:
        start: Its beginning.
        given: The encoding that it is said to have, as `codecs` names it.

    Raises:
        FormatError: It cannot be told, or the file has a mark of another encoding.
    """
    marked = next((name for mark, name in _MARKS if start.startswith(mark)), None)
    if given in {UTF_8, "utf-8-sig", None} and marked is None:
        if b"\0" in start[:4]:
            order = "le" if start[1:2] == b"\0" else "be"
            raise FormatError(
                "The source seems to be in UTF-16 or UTF-32 without a byte order mark, or is no text; "
                f"if it is text, give its encoding, such as utf-16-{order} (--encoding), or save it as UTF-8",
                byte=0,
            )
        return UTF_8
    if given is None or marked is None:
        return given or marked or UTF_8
    if given.removesuffix("-sig").startswith(marked):
        # The mark also tells the order of bytes.
        return marked
    raise FormatError(
        f"The source begins with the byte order mark of {marked.upper()}, but its encoding is given as {given}; "
        "leave the encoding out",
        byte=0,
    )


def look(start: bytes, options: SourceOptions, usual: str = ",") -> tuple[Dialect, str]:
    """Judge a text file by its beginning.

    Args:
        start: Its first `LOOK_BYTES` bytes.
        options: What is known about it.
        usual: The delimiter that its name suggests.

    Returns:
        How the file is written, and what to tell the user if that is a guess.

    Raises:
        FormatError: Its encoding cannot be told, or it is no CSV file.
    """
    refuse_others(start)
    encoding = encoding_of(start, options.encoding)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(start)
    if encoding != UTF_8:
        refuse_others(text.encode("utf-8", "replace"))
    quote = options.quote or '"'
    sep_line = _SEP_LINE.match(text)
    named = options.delimiter or (sep_line[1] if sep_line else "")
    if named:
        return Dialect(named, quote, encoding, bool(sep_line)), ""
    rest = text[sep_line.end() :] if sep_line else text
    found = _guessed(rest, quote, usual)
    dialect = Dialect(found, quote, encoding, bool(sep_line))
    if found == usual:
        return dialect, ""
    return dialect, (
        f"The columns are separated by {DELIMITERS[found]}s, to judge by the header. If that is wrong, or to be sure, "
        f"give the delimiter (delimiter={found!r}, --delimiter {DELIMITERS[found]})"
    )


def _guessed(text: str, quote: str, usual: str) -> str:
    """Return the character that most probably separates columns: one that is in the header, best as often as in the
    first records.
    """
    lines = _outside_quotes(text, quote)
    if not lines:
        return usual
    header, records = lines[0], lines[1 : 1 + _RECORDS]
    present = [mark for mark in DELIMITERS if mark in header]
    if not present:
        return usual
    fits = {mark: _share(header, records, mark) for mark in present}
    return max(present, key=lambda mark: (fits[mark], header.count(mark), mark == usual))


def _share(header: str, records: Sequence[str], mark: str) -> float:
    count = header.count(mark)
    return sum(record.count(mark) == count for record in records) / len(records) if records else 0.0


def _outside_quotes(text: str, quote: str) -> list[str]:
    """Return the first records without what stands in quotes, which may contain line ends."""
    if quote != NO_QUOTE:
        mark = re.escape(quote)
        text = re.sub(f"{mark}[^{mark}]*(?:{mark}|\\Z)", quote, text)
    lines = re.split(r"\r\n?|\n", text)
    # The last one may be cut off.
    whole = lines[:-1] if len(lines) > 1 else lines
    return [line for line in whole if line.strip()]
