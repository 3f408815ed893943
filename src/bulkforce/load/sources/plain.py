"""Rewrites a text file as the CSV that the org reads: UTF-8, commas, double quotes. Values keep every character.

It works on blocks of bytes, in constant memory, and creates no Python object per value unless quotes have to change.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator

from bulkforce.errors import FormatError
from bulkforce.formats import csv
from bulkforce.load.sources.dialect import UTF_8, Dialect
from bulkforce.load.sources.options import NO_QUOTE


def plain(blocks: Iterable[bytes], dialect: Dialect) -> Iterator[bytes]:
    """Rewrite a file.

    Raises:
        FormatError: It is not written as the dialect says; the error says where.
    """
    found = _without_mark(utf_8(blocks, dialect.encoding))
    if dialect.sep_line:
        found = _without_first_line(found)
    if (dialect.delimiter, dialect.quote) == (",", '"'):
        return found
    return _rewritten(found, dialect, first_line=2 if dialect.sep_line else 1)


def utf_8(blocks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Convert text to UTF-8; text that is in UTF-8 already passes unchanged.

    Raises:
        FormatError: The text is not in its encoding.
    """
    return iter(blocks) if encoding == UTF_8 else _converted(blocks, encoding)


def _converted(blocks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = 1
    for block in _and_end(blocks):
        text, problem = "", ""
        try:
            text = decoder.decode(block, final=not block)
            content = text.encode()
        except UnicodeDecodeError as error:
            lines += error.object[: error.start].decode(encoding, "replace").count("\n")
            problem = f"The content is not {encoding}"
        except (UnicodeError, ValueError):
            problem = f"The content is not {encoding}, or contains half a surrogate pair"
        # Raised outside the handlers: Python would chain the handled error, which holds the text.
        if problem:
            raise FormatError(f"{problem}; give the encoding that the file was saved in", line=lines)
        lines += content.count(b"\n")
        if content:
            yield content


def _and_end(blocks: Iterable[bytes]) -> Iterator[bytes]:
    for block in blocks:
        if block:
            yield block
    yield b""


def _without_mark(blocks: Iterable[bytes]) -> Iterator[bytes]:
    rest, start = iter(blocks), b""
    for block in rest:
        start += block
        if len(start) >= len(csv.BOM):
            break
    if start:
        yield start.removeprefix(csv.BOM)
    yield from rest


def _without_first_line(blocks: Iterable[bytes]) -> Iterator[bytes]:
    rest, start = iter(blocks), b""
    for block in rest:
        start += block
        # A CR at the end of a block may be half of a CRLF.
        if found := re.search(rb"\r\n|\n|\r(?!\Z)", start):
            yield start[found.end() :]
            break
    yield from rest


def _rewritten(blocks: Iterable[bytes], dialect: Dialect, first_line: int) -> Iterator[bytes]:
    rewrite, end_of_records = _tools_for(dialect)
    carry, line = b"", first_line
    for block in blocks:
        content = carry + block
        cut = end_of_records(content)
        if cut:
            yield rewrite(content[:cut], line)
            line += _line_ends(content[:cut])
        carry = content[cut:]
        if len(carry) > csv.LONGEST_RECORD_BYTES:
            raise FormatError("A quoted value does not end; a quote here is not closed or not doubled", line=line)
    if carry:
        yield rewrite(carry, line)


def _line_ends(content: bytes) -> int:
    return content.count(b"\n") or content.count(b"\r")


def _tools_for(dialect: Dialect) -> tuple[Callable[[bytes, int], bytes], Callable[[bytes], int]]:
    """Return what rewrites whole records, and what finds where the last whole record ends."""
    mark = dialect.delimiter.encode()
    if dialect.quote == NO_QUOTE:
        return _without_quotes(mark), lambda content: max(content.rfind(b"\n"), content.rfind(b"\r", 0, -1)) + 1
    if dialect.quote == '"':
        return _with_double_quotes(mark), csv.end_of_records
    quote = dialect.quote.encode()
    swapped = bytes.maketrans(b'"' + quote, quote + b'"')
    return _with_other_quotes(mark, quote), lambda content: csv.end_of_records(content.translate(swapped))


def _with_double_quotes(mark: bytes) -> Callable[[bytes, int], bytes]:
    value = _values(mark)

    def rewrite(content: bytes, _line: int) -> bytes:
        pieces = content.split(b'"')
        outside = pieces[::2]
        if b"," in b"".join(outside):
            outside = [value.sub(_quoted_if_needed, piece) if b"," in piece else piece for piece in outside]
        pieces[::2] = [piece.replace(mark, b",") for piece in outside]
        return b'"'.join(pieces)

    return rewrite


def _without_quotes(mark: bytes) -> Callable[[bytes, int], bytes]:
    value = _values(mark)

    def rewrite(content: bytes, _line: int) -> bytes:
        if b'"' in content or (mark != b"," and b"," in content):
            content = value.sub(_quoted_if_needed, content)
        return content.replace(mark, b",")

    return rewrite


def _with_other_quotes(mark: bytes, quote: bytes) -> Callable[[bytes, int], bytes]:
    delimiter, around = re.escape(mark), re.escape(quote)
    # Possessive quantifiers, so that no step back is remembered for each byte of a long value.
    token = re.compile(
        rb"(?<![^%(d)b\r\n])%(q)b([^%(q)b]*+(?:%(q)b%(q)b[^%(q)b]*+)*+)%(q)b(?![^%(d)b\r\n])|%(d)b|[^%(d)b%(q)b\r\n]++|%(q)b"
        % {b"d": delimiter, b"q": around}
    )

    unquoted = _without_quotes(mark)

    def rewrite(content: bytes, line: int) -> bytes:
        if quote not in content:
            return unquoted(content, line)

        def one(found: re.Match[bytes]) -> bytes:
            if found[1] is not None:
                return b'"%b"' % found[1].replace(quote * 2, quote).replace(b'"', b'""')
            if found[0] == mark:
                return b","
            if found[0] == quote:
                raise FormatError(
                    "A quote is inside an unquoted value; put a value with quotes in quotes, and double its own quotes",
                    line=line + _line_ends(content[: found.start()]),
                )
            return _quoted_if_needed(found)

        return token.sub(one, content)

    return rewrite


def _values(mark: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"[^%b\r\n]++" % re.escape(mark))


def _quoted_if_needed(found: re.Match[bytes]) -> bytes:
    value = found[0]
    return b'"%b"' % value.replace(b'"', b'""') if b"," in value or b'"' in value else value
