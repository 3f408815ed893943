"""JSON records, one at a time: an array of objects, or one object per line. Numbers keep their text."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Final, NoReturn

from bulkforce.errors import FormatError
from bulkforce.formats.csv import LONGEST_RECORD_BYTES
from bulkforce.formats.values import Value, number
from bulkforce.load.sources.files import checked
from bulkforce.objects.forms import PlainNumber

_SPACE: Final = re.compile(r"[ \t\r\n]*")


def _refuse(constant: str) -> NoReturn:
    raise FormatError(f"{constant} is not a number in JSON or Salesforce; use null for a missing value")


def _number(text: str) -> PlainNumber:
    """Keep every digit of a number, without exponent and without a point in a whole one."""
    if "e" in text or "E" in text:
        text = number(Decimal(text))
    whole, _, decimals = text.partition(".")
    return PlainNumber(text if decimals.strip("0") else whole)


# As text, a number loses no digits and costs nothing to convert.
_DECODER: Final = json.JSONDecoder(parse_float=_number, parse_int=PlainNumber, parse_constant=_refuse)


def lines(blocks: Iterable[bytes]) -> Iterator[Mapping[str, Value]]:
    """Read one object per line; blank lines are skipped.

    Raises:
        FormatError: A line is not a JSON object; the error gives the record and the byte.
    """
    row, start = 0, 0
    for line in _lines(blocks):
        if line and not line.isspace():
            row += 1
            record = _object(line, row, start)
            if row == 1 and _is_envelope(record):
                raise FormatError("The first line is an answer that holds records; name the file .json", row=row)
            yield record
        start += len(line) + 1


def _is_envelope(record: Mapping[str, Value]) -> bool:
    inner = record.get("result", record)
    return isinstance(inner, Mapping) and isinstance(inner.get("records"), list)


def _lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    carry = b""
    for block in checked(blocks):
        *whole, carry = (carry + block).split(b"\n")
        if len(carry) > LONGEST_RECORD_BYTES:
            raise FormatError(
                f"A line has more than {LONGEST_RECORD_BYTES:,} bytes; JSON lines have one record per line"
            )
        yield from whole
    yield carry


def _object(line: bytes, row: int, start: int) -> Mapping[str, Value]:
    try:
        text = line.strip().decode()
        value, end = _DECODER.raw_decode(text)
        whole = end == len(text)
    except (ValueError, RecursionError):
        whole = False
    # It nearly always is; otherwise the slow way finds what is wrong.
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
    # Raised outside the handler, here and below: Python would chain the handled error, which holds the whole text.
    raise ours


def _text_of(error: FormatError | RecursionError) -> str:
    return error.text if isinstance(error, FormatError) else "A value is nested too deeply"


def _record(value: object, row: int, start: int) -> Mapping[str, Value]:
    if not isinstance(value, dict):
        hint = "; is it .json, one array of all records?" if isinstance(value, list) else ""
        raise FormatError(f"A record must be a JSON object{hint}", row=row, byte=start)
    return value


def array(blocks: Iterable[bytes]) -> Iterator[Mapping[str, Value]]:
    """Read an array of objects in constant memory.

    It may also stand under ``records``, as in the answers of REST, and that under ``result``, as the ``sf`` command
    line prints it with ``--json``.

    Raises:
        FormatError: The content is no such array, or the answer holds only some of a query's records; the error gives
            the record and the byte.
    """
    text = _Text(blocks)
    mark = text.next()
    if mark == "{":
        yield from _enveloped(text)
    elif mark == "[":
        yield from _elements(text)
    else:
        raise FormatError(_NO_ARRAY, byte=text.byte)
    if text.next():
        raise FormatError("Not JSON: something follows the array", byte=text.byte)


def _elements(text: _Text) -> Iterator[Mapping[str, Value]]:
    text.skip()
    row, mark = 1, text.next()
    while mark != "]":
        record = text.record(row)
        if row == 1 and record.keys() >= {"message", "errorCode"}:
            raise FormatError(f"{_AN_ERROR} (REST)", row=row)
        yield record
        mark = text.next()
        if mark not in {",", "]"}:
            raise FormatError("Not JSON: ',' or ']' expected after a record" if mark else _CUT, row=row, byte=text.byte)
        if mark == ",":
            text.skip()
            row += 1
    text.skip()


def _enveloped(text: _Text) -> Iterator[Mapping[str, Value]]:
    """Read the records inside an object; what else it holds only tells whether they are all."""
    start = text.byte
    found, others = 0, dict[str, object]()
    for name in text.names():
        mark = text.next()
        if (name, mark) in {("records", "["), ("result", "["), ("result", "{")}:
            found += 1
            yield from _elements(text) if mark == "[" else _enveloped(text)
        else:
            others[name] = text.value()
    if not found:
        raise FormatError(_AN_ERROR if others.keys() & {"errorCode", "exitCode"} else _NO_ARRAY, byte=start)
    if others.get("done") is False:
        raise FormatError(
            "The file holds only the first page of a query's records (done is false); fetch the pages at "
            "nextRecordsUrl, too, or use bulkforce extract"
        )


_NO_ARRAY: Final = (
    "A .json source must be an array of records, or an object that holds one under records; "
    "is it .jsonl, with one record per line?"
)
_AN_ERROR: Final = "The file holds the message of an error instead of records; run again what wrote it"
_CUT: Final = "The source is truncated: it ends inside a record or an object"


class _Text:
    """Text that is read only as far as needed."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = checked(blocks)
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._buffer = ""
        self._place = 0
        self._dropped_bytes = 0

    @property
    def byte(self) -> int:
        """The offset of the current place in the source."""
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
        """Return the next character that is not a space, without consuming it; an empty string at the end."""
        while True:
            match = _SPACE.match(self._buffer, self._place)
            assert match is not None
            self._place = match.end()
            if self._place < len(self._buffer):
                return self._buffer[self._place]
            if not self._read_on():
                return ""

    def skip(self) -> None:
        """Consume one character."""
        self._place += 1

    def names(self) -> Iterator[str]:
        """Consume an object, and yield each name when the value is next, which must be consumed before going on."""
        mark = "{"
        while mark != "}":
            self.skip()
            if mark == "{" and self.next() == "}":
                break
            is_name = self.next() == '"'
            name = str(self.value())
            if not is_name or self.next() != ":":
                raise FormatError("Not JSON: a name and ':' expected" if self.next() else _CUT, byte=self.byte)
            self.skip()
            yield name
            mark = self.next()
            if mark not in {",", "}"}:
                raise FormatError("Not JSON: ',' or '}' expected after a value" if mark else _CUT, byte=self.byte)
        self.skip()

    def value(self) -> object:
        """Consume any value and return it."""
        if not self.next():
            raise FormatError(_CUT, byte=self.byte)
        more = True
        # A number may go on in the next block, after a point or "e+".
        while (found := self._try(None)) is None or (more and found[1] + 2 >= len(self._buffer)):
            more = self._read_on()
        self._place = found[1]
        return found[0]

    def record(self, row: int) -> Mapping[str, Value]:
        """Consume a record and return it."""
        if self.next() != "{":
            raise FormatError("A record must be a JSON object" if self.next() else _CUT, row=row, byte=self.byte)
        while (found := self._try(row)) is None:
            pass
        start, self._place = self._place, found[1]
        return _record(found[0], row, start)

    def _try(self, row: int | None) -> tuple[object, int] | None:
        """Return a record and where it ends; ``None`` if more of the text had to be read first."""
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

    def _go_on(self, message: str, place: int, row: int | None) -> None:
        """Read more text if the record may only have failed because it is not complete yet."""
        length = len(self._buffer)
        # Then the error is at most a word or escape before the end; only strings may be open for longer.
        open_end = place + _LONGEST_WORD > length or message.startswith("Unterminated string")
        if not open_end or length - self._place > LONGEST_RECORD_BYTES:
            raise FormatError(f"Not JSON: {message}", row=row, byte=self._byte_of(place))
        # Double the text, so that a long record is not parsed too often.
        wanted = 2 * (length - self._place)
        if not self._read_on():
            raise FormatError(f"{_CUT} ({message})", row=row, byte=self.byte)
        while len(self._buffer) < wanted and self._read_on():
            pass


_LONGEST_WORD: Final = len("\\uD800\\uDC00")
