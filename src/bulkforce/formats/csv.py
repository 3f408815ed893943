"""CSV in blocks: find a file's record borders, limits and faults without parsing fields.

A block of bytes is split at its quotes; every other piece lies outside quotes, and only there are commas and line ends
significant. Those pieces, joined, are the *skeleton*: a few C-speed operations on it count the records and show whether
the block is *clean* (every record has as many fields as the header, quotes are only where allowed, and nothing can
exceed a limit). Only blocks that are not clean are checked record by record. The rules are those of the server's parser
(and of Salesforce's own Java client): a quote opens a value only at its start; CR, LF and CRLF end a record; blank
lines are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import BinaryIO, Final

from bulkforce import arguments
from bulkforce.errors import FormatError
from bulkforce.formats.text import decoded, encoded, trimmed
from bulkforce.formats.values import Value, plain, text_of
from bulkforce.protocol import limits

BLOCK_BYTES: Final = 32_768
"""If every block of this size contains a record border, no record is twice this long, so no field is over the limit.

It is small enough that decoding a block does not allocate and free memory from the system each time, which makes the
check for UTF-8 three times as fast.
"""
assert 2 * BLOCK_BYTES <= limits.FIELD_CHARACTERS

LONGEST_RECORD_BYTES: Final = 16_000_000
"""A longer "record" means an unclosed quote: 400,000 characters of four bytes with doubled quotes are shorter."""

LONGEST_HEADER_BYTES: Final = 2_000_000
"""Far more than 5,000 field names need, even with parents."""

_HEADER_BYTES: Final = 1_000_000

NULL: Final = "#N/A"
BOM: Final = b"\xef\xbb\xbf"

_ALL_BUT_BORDERS: Final = bytes(c for c in range(256) if c not in b",\n")
# In a skeleton: a quote with anything but a border or another quote before or after it.
_MISPLACED_QUOTE: Final = re.compile(rb'"(?:[^,"\r\n]|(?<=[^,"\r\n]"))')
_QUOTED_OR_LINE_END: Final = re.compile(rb'"[^"]*(?:"|\Z)|\r\n?|\n')
_QUOTED_OR_COMMA: Final = re.compile(rb'"[^"]*(?:"|\Z)|,')
# Possessive quantifiers: the engine must not store a backtracking point per byte of a value of several megabytes.
_VALUE: Final = re.compile(rb'(?:"[^"]*+(?:""[^"]*+)*+"|[^"]*+)\Z')
_ANY_VALUE: Final = rb'(?:"[^"]*+(?:""[^"]*+)*+"|[^",\r\n]*+)'


@dataclass(frozen=True, slots=True)
class Unit:
    """A run of whole records.

    Attributes:
        start: Offset of its first byte.
        content: The bytes, including line ends (the last record of a file may have none).
        records: Number of records, if clean.
        clean: Whether nothing in it needs a closer look.
        header: What a record of the file must not be; empty if it may be anything.
        pieces: The bytes split at their quotes, if clean: every other piece stands in quotes.
    """

    start: int
    content: bytes
    records: int
    clean: bool
    header: bytes = b""
    pieces: list[bytes] = field(default_factory=list, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a unit that was checked record by record.

    Attributes:
        raw: Its bytes, without the line end.
        problem: Why the org would not accept it; ``None`` if it would.
        start: Offset of its first byte.
    """

    raw: bytes
    problem: str | None
    start: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether it is nothing but commas, as the rows below a table that Excel exports."""
        return not self.raw.strip(b",")


def units(
    blocks: Iterable[bytes],
    columns: int,
    start: int = 0,
    header: bytes = b"",
    longest: int = LONGEST_RECORD_BYTES,
) -> Iterator[Unit]:
    """Cut blocks of a file, after its header, into runs of whole records.

    Args:
        blocks: The bytes, in blocks of at most `BLOCK_BYTES`.
        columns: Number of fields in the header.
        start: Offset of the first byte.
        header: The raw header, if it must not be a record, too.
        longest: A longer record is taken for one whose quote is never closed.

    Raises:
        FormatError: A quote is never closed.
    """
    carry, stretched, inside = b"", False, False
    for block in blocks:
        content = carry + block if carry else block
        cut, pieces = (_end_of_stretched(block, carry, inside=inside), []) if stretched else _whole_records(content)
        if cut:
            yield _unit(start, content[:cut], pieces, columns, header, suspect=stretched)
            start, carry, stretched = start + cut, content[cut:], False
        else:
            inside = (stretched and inside) != bool((block if stretched else content).count(b'"') % 2)
            carry, stretched = content, True
            if len(carry) > longest:
                raise FormatError("A quoted value does not end; a quote here is not closed or not doubled", byte=start)
    if carry:
        if carry.count(b'"') % 2:
            raise FormatError(
                "The file ends inside a quoted value: a quote opened in this record is never closed", byte=start
            )
        yield _unit(start, carry, [], columns, header, suspect=True)


def _end_of_stretched(block: bytes, carry: bytes, *, inside: bool) -> int:
    """Find where the last whole record ends in ``carry + block``, without rescanning ``carry``, in which none ends."""
    seam = b'"' if inside else carry[-1:].strip(b'"')
    cut, _ = _whole_records(seam + block)
    return cut + len(carry) - len(seam) if cut else 0


def end_of_records(content: bytes) -> int:
    """Find where the last whole record ends; 0 if none does."""
    return _whole_records(content)[0]


def unit_of(content: bytes, columns: int, start: int = 0) -> Unit:
    """Return the whole records that some content begins with; it may be longer than a block.

    Args:
        content: The bytes.
        columns: Number of fields in the header.
        start: Offset of the first byte.
    """
    cut, pieces = _whole_records(content)
    return _unit(start, content[:cut], pieces, columns, b"", suspect=False)


def _whole_records(content: bytes) -> tuple[int, list[bytes]]:
    """Find where the last whole record ends (0: nowhere), and split what is before at its quotes."""
    pieces = content.split(b'"')
    last = len(pieces) - 1
    end_of_piece = len(content)
    for place in range(last, -1, -1):
        piece = pieces[place]
        if place % 2 == 0:
            # A CR that ends the block may be half of a CRLF.
            cr_end = len(piece) - 1 if place == last else len(piece)
            inside = max(piece.rfind(b"\n"), piece.rfind(b"\r", 0, cr_end)) + 1
            if inside:
                del pieces[place + 1 :]
                pieces[-1] = piece[:inside]
                return end_of_piece - len(piece) + inside, pieces
        end_of_piece -= len(piece) + 1
    return 0, []


def _unit(start: int, content: bytes, pieces: list[bytes], columns: int, header: bytes, *, suspect: bool) -> Unit:
    line_end, skeleton = b"\n", b'"'.join(pieces[::2])
    if b"\r" in skeleton:
        line_end = b"\r\n"
        skeleton = skeleton.replace(b"\r\n", b"\n")
    borders = skeleton.translate(None, _ALL_BUT_BORDERS)
    records = borders.count(b"\n")
    clean = not (
        suspect
        or b"\r" in skeleton
        or borders != (b"," * (columns - 1) + b"\n") * records
        or (b'"' in skeleton and _MISPLACED_QUOTE.search(skeleton))
        or (columns == 1 and (skeleton.startswith(b"\n") or b"\n\n" in skeleton))
        or (header and header + line_end in content)
        or _has_empty(skeleton, columns)
    )
    return Unit(start, content, records, clean, header, pieces)


def _has_empty(skeleton: bytes, columns: int) -> bool:
    empty = b"," * (columns - 1) + b"\n"
    return columns > 1 and (skeleton.startswith(empty) or b"\n" + empty in skeleton)


def records(unit: Unit, columns: int) -> Iterator[Record]:
    """Check each record of a unit; skip blank lines, as the org does.

    Raises:
        FormatError: A quote is misplaced, so it is unclear where records begin and end from here on.
    """
    begin = 0
    for raw in lines(unit.content):
        end = begin + len(raw)
        stripped = raw.rstrip(b"\r\n") if not raw.endswith(b'"') else raw
        if stripped:
            place = unit.start + begin
            again = unit.header and stripped.removeprefix(BOM) == unit.header
            yield Record(stripped, _AGAIN if again else _problem(stripped, columns, place), place)
        begin = end


_AGAIN: Final = "the header again; the file seems to be several files, one after another"


def lines(content: bytes) -> Iterator[bytes]:
    """Split whole records; keep line ends and blank lines."""
    begin = 0
    for match in _QUOTED_OR_LINE_END.finditer(content):
        if match[0][:1] != b'"':
            yield content[begin : match.end()]
            begin = match.end()
    if begin < len(content):
        yield content[begin:]


def _problem(raw: bytes, columns: int, start: int) -> str | None:
    values = split(raw)
    for number, value in enumerate(values, 1):
        if not _VALUE.match(value):
            raise FormatError(
                "A quote is inside an unquoted value; put a value with quotes in quotes, and double its own quotes",
                column=number,
                byte=start,
            )
    if len(values) > limits.RECORD_FIELDS:
        return f"{len(values):,} fields; a record has at most {limits.RECORD_FIELDS:,}"
    if len(values) != columns:
        return f"{len(values)} field{'' if len(values) == 1 else 's'} where the header has {columns}"
    return too_long([len(unquote(value).decode("utf-8", "replace")) for value in values])


def too_long(lengths: Sequence[int]) -> str | None:
    """Return which character limit a record with values of these lengths exceeds, if any."""
    for number, length in enumerate(lengths, 1):
        if length > limits.FIELD_CHARACTERS:
            return f"field {number} has {length:,} characters; a field has at most {limits.FIELD_CHARACTERS:,}"
    if sum(lengths) > limits.RECORD_CHARACTERS:
        return f"{sum(lengths):,} characters; a record has at most {limits.RECORD_CHARACTERS:,}"
    return None


def split(raw: bytes) -> list[bytes]:
    """Split one record at the commas outside quotes; the values keep their quotes."""
    values, begin = [], 0
    for match in _QUOTED_OR_COMMA.finditer(raw):
        if match[0] == b",":
            values.append(raw[begin : match.start()])
            begin = match.end()
    return [*values, raw[begin:]]


def count(content: bytes) -> int:
    r"""Count the whole records of some content, including its header: those with as many fields as the header.

    The last record need not have a line end.

    >>> count(b'"Id","Error"\n"1",""\n"","two\nlines"')
    3
    >>> count(b'"Id","Error"\n"1",""\n"","cut')
    2
    """
    pieces = content.split(b'"')
    cut = len(pieces) % 2 == 0
    lines = [line for line in b'"'.join([*pieces[::2], *([b""] if cut else [])]).splitlines() if line]
    commas = [line.count(b",") for line in (lines[:-1] if cut else lines)]
    return commas.count(commas[0]) if commas else 0


def column(blocks: Iterable[bytes], place: int, columns: int) -> Iterator[bytes]:
    """Yield the values of one column, without their quotes.

    Args:
        blocks: The file after its header, in blocks of at most `BLOCK_BYTES`.
        place: Which column, from 0.
        columns: Number of fields in the header.

    Raises:
        FormatError: A record is malformed or has a different number of fields.
    """
    behind = columns - place - 1
    record = re.compile(
        rb"(?:%b,){%d}(%b)(?:,%b){%d}(?:[\r\n]+|\Z)" % (_ANY_VALUE, place, _ANY_VALUE, _ANY_VALUE, behind)
    )
    count = 0
    for unit in units(blocks, columns):
        begin = len(unit.content) - len(unit.content.lstrip(b"\r\n"))
        while begin < len(unit.content):
            count += 1
            found = record.match(unit.content, begin)
            if found is None:
                raise FormatError(f"A record does not have {columns} fields", row=count)
            yield unquote(found[1])
            begin = found.end()


def empty_columns(blocks: Iterable[bytes], places: Collection[int], columns: int) -> frozenset[int]:
    """Return which of some columns have no value in any record.

    Args:
        blocks: The file after its header, in blocks of at most `BLOCK_BYTES`.
        places: The columns, from 0.
        columns: Number of fields in the header.

    Raises:
        FormatError: A quote is misplaced or never closed.
    """
    left = frozenset(places)
    for unit in units(blocks, columns):
        values = [b'(?:"")?' if place in left else _ANY_VALUE for place in range(columns)]
        empty = re.compile(rb"(?:%b(?:\r?\n|\Z))*+" % b",".join(values)) if columns > 1 else None
        if unit.clean and empty and empty.fullmatch(unit.content):
            continue
        for record in records(unit, columns):
            if record.problem is None:
                found = split(record.raw)
                left = frozenset(place for place in left if not unquote(found[place]).strip())
        if not left:
            break
    return left


def unquote(value: bytes) -> bytes:
    """Remove the quotes from a value.

    >>> unquote(b'"Acme, Inc."')
    b'Acme, Inc.'
    """
    return value[1:-1].replace(b'""', b'"') if value[:1] == b'"' else value


def masked(pieces: Sequence[bytes]) -> bytes:
    r"""Leave quotes out of whole records, and hide what is in them, so that every comma and line feed is a border.

    Args:
        pieces: The records, split at their quotes, none of which is misplaced.

    >>> masked(b'1,"a, ""b""\n"\n'.split(b'"'))
    b'1,a\x00 \x02b\x02\x01\n'
    """
    if len(pieces) == 1:
        return pieces[0]
    whole, between = list(pieces), pieces[2:-1:2]
    if b"" in between:
        # Between the quotes of a doubled one there is nothing.
        whole[2:-1:2] = [piece or b"\2" for piece in between]
    whole[1::2] = map(bytes.translate, pieces[1::2], repeat(_HIDDEN))
    return b"".join(whole)


_HIDDEN: Final = bytes.maketrans(b",\n", b"\0\1")


def quote(value: str) -> str:
    """Return a value for CSV, in quotes if it needs them."""
    return '"' + value.replace('"', '""') + '"' if _needs_quotes(value) else value


def _needs_quotes(value: str) -> bool:
    return "," in value or '"' in value or "\n" in value or "\r" in value


@dataclass(frozen=True, slots=True)
class Header:
    """The first line: the names of the fields, and where the records begin."""

    names: tuple[str, ...]
    raw: bytes
    end: int


def header(content: bytes, *, may_repeat: Collection[str] = (), nameless: bool = False, trim: bool = False) -> Header:
    """Read the header from the beginning of a file; skip a byte order mark.

    Args:
        content: The beginning of the file, or all of it.
        may_repeat: Names that may appear more than once.
        nameless: Whether columns may lack a name.
        trim: Whether to remove blanks and the like around names.

    Raises:
        FormatError: There is no header, or a name is missing or appears twice.
    """
    bom = len(BOM) if content.startswith(BOM) else 0
    line = next(lines(content[bom:]), b"")
    raw = line.rstrip(b"\r\n")
    if not raw.strip():
        raise FormatError("The content has no header: the first line names the fields")
    decoded(raw, bom)
    values = split(raw)
    # Without its quotes, a value that lacks one would lack a byte of a character.
    if any(b'"' in value and not (value[:1] == b'"' and _VALUE.match(value)) for value in values):
        raise FormatError("The header has a misplaced quote")
    names = tuple(unquote(value).decode() for value in values)
    if trim:
        names = tuple(map(trimmed, names))
    if len(names) > limits.RECORD_FIELDS:
        raise FormatError(f"The header has {len(names):,} fields; a record has at most {limits.RECORD_FIELDS:,}")
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        if not name.strip():
            if nameless:
                continue
            raise FormatError("A field in the header has no name", column=number)
        if name.lower() in seen and name not in may_repeat:
            raise FormatError(f"The header names {arguments.shown(name)} twice; rename or remove one", column=number)
        seen.add(name.lower())
    return Header(names, raw, bom + len(line))


def header_of(path: Path, *, may_repeat: Collection[str] = (), nameless: bool = False, trim: bool = False) -> Header:
    """Read the header of a file; see `header`."""
    with path.open("rb") as file:
        return header(beginning(file), may_repeat=may_repeat, nameless=nameless, trim=trim)


def beginning(file: BinaryIO) -> bytes:
    """Read the first blocks of a file, which hold its header: few bytes, as headers are short."""
    content = file.read(BLOCK_BYTES)
    # The longest header that the org could accept: 5,000 names of at most 100 characters, quoted.
    while len(content) < _HEADER_BYTES and not _whole_records(content)[0] and (more := file.read(len(content))):
        content += more
    return content


@dataclass(frozen=True, slots=True)
class Measure:
    """The number of records and characters in some content."""

    records: int
    characters: int


def measure(blocks: Iterable[bytes]) -> Measure:
    """Check CSV content as the org's parser would, and count its records and characters.

    Raises:
        FormatError: The org would not accept all of it; says which record, and why.
    """
    source = iter(blocks)
    start = b""
    for block in source:
        start += block
        if _whole_records(start)[0]:
            break
        if len(start) > LONGEST_HEADER_BYTES:
            raise FormatError("The header does not end; it has an unclosed quote, or the content has no line ends")
    head = header(start)
    columns, count, characters = len(head.names), 0, characters_of(start[: head.end], 0)
    for unit in units(_chain(start[head.end :], source), columns, head.end):
        characters += characters_of(unit.content, unit.start)
        count = count + unit.records if unit.clean else _count_closely(unit, columns, count)
    return Measure(count, characters)


def _count_closely(unit: Unit, columns: int, count: int) -> int:
    try:
        for record in records(unit, columns):
            if record.problem:
                raise FormatError(f"Invalid record: {record.problem}")  # noqa: TRY301  (the number is added once, below)
            count += 1
    except FormatError as error:
        raise FormatError(error.text, row=count + 1, column=error.column, byte=error.byte) from None
    return count


def _chain(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    for begin in range(0, len(first), BLOCK_BYTES):
        yield first[begin : begin + BLOCK_BYTES]
    yield from rest


def characters_of(content: bytes, start: int) -> int:
    """Count the characters of content that begins and ends between records.

    Raises:
        FormatError: It is not UTF-8.
    """
    return len(content) if content.isascii() else len(decoded(content, start))


def encode(rows: Iterable[Mapping[str, Value]]) -> bytes:
    """Encode records as CSV; the columns are the union of all names, in order of first appearance.

    ``None`` becomes ``#N/A``, which sets null; a missing name becomes an empty value, which leaves the field unchanged.

    Raises:
        FormatError: A record is not a mapping, or has a value that cannot be written.
    """
    flat = [
        {name: _text(value, number, name) for name, value in flatten(row, number).items()}
        for number, row in enumerate(rows, 1)
    ]
    names = list(dict.fromkeys(name for row in flat for name in row))
    if not names:
        raise FormatError("There are no records, or none of them has a field")
    if not all(isinstance(name, str) for name in names):
        number = next(number for number, row in enumerate(flat, 1) if not all(isinstance(name, str) for name in row))
        raise FormatError("The name of a field must be a string", row=number)
    return write([[name, *(row.get(name, "") for row in flat)] for name in names])


def write(columns: Sequence[Sequence[str]]) -> bytes:
    """Encode columns of values as records, each ending in LF, with quotes only where needed.

    Raises:
        FormatError: A value cannot be encoded as UTF-8.
    """
    written = [list(map(quote, column)) if _needs_quotes("".join(column)) else column for column in columns]
    if len(columns) == 1:
        # An empty line would not be a record.
        written = [[value or '""' for value in written[0]]]
    return encoded("".join([",".join(values) + "\n" for values in zip(*written, strict=True)]))


def flatten(row: Mapping[str, Value], number: int) -> dict[str, Value]:
    """Make a parent's fields fields of the record; skip ``attributes``.

    Raises:
        FormatError: The record is not a mapping.
    """
    if type(row) is not dict and not isinstance(row, Mapping):
        raise FormatError(f"A record must be a mapping of names to values, not a {type(row).__name__}", row=number)
    flat: dict[str, Value] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            if name != "attributes":
                flat.update(_parent(name, value))
        else:
            flat[name] = value
    return flat


def _parent(name: str, parent: Mapping[str, Value]) -> Iterator[tuple[str, Value]]:
    """Yield a parent's columns: ``Account.Ext__c``, or ``Lead:Who.Email`` if ``attributes`` gives the type."""
    attributes = parent.get("attributes")
    prefix = f"{attributes['type']}:" if isinstance(attributes, Mapping) and "type" in attributes else ""
    for inner, value in parent.items():
        if inner != "attributes":
            yield f"{prefix}{name}.{inner}", value


def _text(value: Value, number: int, name: str) -> str:
    if type(value) is str:
        return value
    if (value := plain(value)) is None:
        return NULL
    try:
        return text_of(value)
    except FormatError as error:
        raise FormatError(error.text, row=number, column=name) from error
