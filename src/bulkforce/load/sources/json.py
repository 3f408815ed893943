"""Records in JSON, one at a time: an array of objects, or an object a line. Numbers keep the text they have."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NoReturn

from bulkforce.errors import FormatError
from bulkforce.formats.csv import LONGEST_RECORD_BYTES
from bulkforce.formats.values import Value
from bulkforce.load.sources.files import checked

_SPACE: Final = re.compile(r"[ \t\r\n]*")


def _refuse(constant: str) -> NoReturn:
    raise FormatError(f"{constant} is no number to Salesforce, nor to JSON; use null for a missing value")


# As text a number loses no digit, and costs nothing to convert.
_DECODER: Final = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refuse)


def lines(blocks: Iterable[bytes]) -> Iterator[Mapping[str, Value]]:
    """Read an object a line; blank lines are passed over.

    Raises:
        FormatError: A line is no JSON object; says which record, and the byte.
    """
    row, start = 0, 0
    for line in _lines(blocks):
        if line and not line.isspace():
            row += 1
            yield _object(line, row, start)
        start += len(line) + 1


def _lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    carry = b""
    for block in checked(blocks):
        *whole, carry = (carry + block).split(b"\n")
        if len(carry) > LONGEST_RECORD_BYTES:
            raise FormatError(f"A line has more than {LONGEST_RECORD_BYTES:,} bytes; JSON lines have one record a line")
        yield from whole
    yield carry


def _object(line: bytes, row: int, start: int) -> Mapping[str, Value]:
    try:
        text = line.strip().decode()
        value, end = _DECODER.raw_decode(text)
        whole = end == len(text)
    except (ValueError, RecursionError):
        whole = False
    # Nearly always it is; where not, the slow way tells what is wrong.
    return _record(value if whole else _decoded(line, row, start), row, start)


def _decoded(line: bytes, row: int, start: int) -> object:
    try:
        return _DECODER.decode(line.decode("utf-8-sig" if start == 0 else "utf-8"))
    except UnicodeDecodeError as error:
        ours = FormatError("The content is not UTF-8", row=row, byte=start + error.start)
    except json.JSONDecodeError as error:
        ours = FormatError(
            f"Not JSON: {error.msg}", row=row, byte=start + len(error.doc[: error.pos].encode("utf-8", "surrogatepass"))
        )
    except (FormatError, RecursionError) as error:
        ours = FormatError(_text_of(error), row=row, byte=start)
    # Behind the handler, here and below: Python would chain the error that it handles, and that one holds the whole
    # text.
    raise ours


def _text_of(error: FormatError | RecursionError) -> str:
    return error.text if isinstance(error, FormatError) else "A value is nested too deeply"


def _record(value: object, row: int, start: int) -> Mapping[str, Value]:
    if not isinstance(value, dict):
        raise FormatError("A record is a JSON object", row=row, byte=start)
    return value


def array(blocks: Iterable[bytes]) -> Iterator[Mapping[str, Value]]:
    """Read an array of objects, in constant memory.

    Raises:
        FormatError: It is none; says which record, and the byte.
    """
    text = _Text(blocks)
    if text.next() != "[":
        raise FormatError("A .json source is an array of records; is it .jsonl, with a record a line?", byte=text.byte)
    text.skip()
    row, mark = 1, text.next()
    while mark != "]":
        yield text.record(row)
        mark = text.next()
        if mark not in {",", "]"}:
            raise FormatError("Not JSON: ',' or ']' is due behind a record" if mark else _CUT, row=row, byte=text.byte)
        if mark == ",":
            text.skip()
            row += 1
    text.skip()
    if text.next():
        raise FormatError("Not JSON: something follows the array", byte=text.byte)


_CUT: Final = "The source is cut short: its array does not end"


class _Text:
    """Text that is read as far as it is needed."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = checked(blocks)
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._buffer = ""
        self._place = 0
        self._dropped_bytes = 0

    @property
    def byte(self) -> int:
        """Where we are."""
        return self._byte_of(self._place)

    def _byte_of(self, place: int) -> int:
        return self._dropped_bytes + len(self._buffer[:place].encode())

    def _read_on(self) -> bool:
        block = next(self._blocks, b"")
        more = self._decoded(block)
        self._dropped_bytes = self.byte
        self._buffer = self._buffer[self._place :] + more
        self._place = 0
        return bool(block)

    def _decoded(self, block: bytes) -> str:
        try:
            return self._decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            ours = FormatError("The content is not UTF-8", byte=self._byte_of(len(self._buffer)) + error.start)
        raise ours

    def next(self) -> str:
        """Give the next mark that is no space, but do not pass it; nothing at the end."""
        while True:
            match = _SPACE.match(self._buffer, self._place)
            assert match is not None
            self._place = match.end()
            if self._place < len(self._buffer):
                return self._buffer[self._place]
            if not self._read_on():
                return ""

    def skip(self) -> None:
        """Pass one mark."""
        self._place += 1

    def record(self, row: int) -> Mapping[str, Value]:
        """Pass a record and give it."""
        if self.next() != "{":
            raise FormatError("A record is a JSON object" if self.next() else _CUT, row=row, byte=self.byte)
        while (found := self._try(row)) is None:
            pass
        start, self._place = self._place, found[1]
        return _record(found[0], row, start)

    def _try(self, row: int) -> tuple[object, int] | None:
        """Read a record, and where it ends; nothing if more of the text was read first."""
        try:
            return _DECODER.raw_decode(self._buffer, self._place)
        except json.JSONDecodeError as error:
            message, place = error.msg, error.pos
        except (FormatError, RecursionError) as error:
            message, place = _text_of(error), None
        if place is None:
            raise FormatError(message, row=row, byte=self.byte)
        self._go_on(message, place, row)
        return None

    def _go_on(self, message: str, place: int, row: int) -> None:
        """Read more if the record may have failed only because it was not there to its end yet."""
        length = len(self._buffer)
        # The error stands at the end, or a word or escape before it; only a text may be open for longer.
        open_end = place + _LONGEST_WORD > length or message.startswith("Unterminated string")
        if not open_end or length - self._place > LONGEST_RECORD_BYTES:
            raise FormatError(f"Not JSON: {message}", row=row, byte=self._byte_of(place))
        # As much again as there is, so that a long record is not begun too often.
        wanted = 2 * (length - self._place)
        if not self._read_on():
            raise FormatError(f"{_CUT} ({message})", row=row, byte=self.byte)
        while len(self._buffer) < wanted and self._read_on():
            pass


_LONGEST_WORD: Final = len("\\uD800\\uDC00")
