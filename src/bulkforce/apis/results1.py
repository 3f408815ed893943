"""The results of a batch as a load reads them: the outcome of each record, in the order of the batch.

The forms that the org is known to write are split in blocks of bytes; anything else goes through the exact reader,
value by value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate, compress
from typing import Final

from bulkforce.apis.abc import Outcomes
from bulkforce.errors import FormatError
from bulkforce.formats.rows import rows_of
from bulkforce.protocol.wire_csv import result_rows

_HEADER: Final = b'"Id","Success","Created","Error"\n'
_WELL: Final = {b'","true","true",""\n': b",true,", b'","true","false",""\n': b",false,"}
_WENT_IN: Final = {end[:-1]: created for end, created in _WELL.items()}
_ID_15: Final = 15
_ID_18: Final = 19
"""Where an id of 18 characters ends in a line of results: it comes first, in quotes."""
_ID: Final = re.compile(rb"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_REFUSED: Final = b'"","false","false",'
_REASON: Final = re.compile(rb'"([^"]*+(?:""[^"]*+)*+)"\n')
_USUAL: Final = re.compile(rb'"(%b|)","(true|false)","(true|false)","([^"]*+(?:""[^"]*+)*+)"' % _ID.pattern)


def check(
    content: bytes,
    records: int,
    *,
    whole: bool,
    failed: int | None = None,
    inserted: bool = False,
    ids: Sequence[bytes] = (),
) -> str | None:
    """Return what is wrong with results, if anything. `read` can read any that pass.

    Args:
        content: What the org sent.
        records: How many records the batch has.
        whole: Whether every record must have a result.
        failed: How many failed, if the org said.
        inserted: Whether each successful record must have an id of its own.
        ids: The ids that the records were sent with, if any.
    """
    try:
        outcomes = read(content, records, whole=whole)
    except FormatError as error:
        return str(error)
    if failed is not None and len(outcomes.errors) != failed:
        return f"{len(outcomes.errors):,} results say that their record failed, but the org counts {failed:,}"
    # A record that failed need not have an id.
    written: Iterable[bytes] = outcomes.marks
    if outcomes.errors:
        went_in = bytearray(b"\1") * len(outcomes.marks)
        for refused in outcomes.errors:
            went_in[refused] = 0
        written = compress(outcomes.marks, went_in)
    if inserted and len(set(written)) != len(outcomes.marks) - len(outcomes.errors):
        return "several records have the same id"
    if ids and (place := _other(outcomes.marks, ids)) is not None:
        return f"result {place + 1:,} is about a different record than was sent there"
    return None


def _other(marks: Sequence[bytes], ids: Sequence[bytes]) -> int | None:
    """Find the first result that names a different record than the one sent at its position."""
    named, sent = [mark[:_ID_15] for mark in marks], [one[:_ID_15] for one in ids[: len(marks)]]
    if named == sent:
        return None
    for place, (one, other) in enumerate(zip(named, sent, strict=False)):
        # The org need not return the id of a failed record, and what was sent may not be an id.
        if one != other and _ID.fullmatch(one) and _ID.fullmatch(ids[place]):
            # The check characters exist so that an id survives losing its case.
            if len(ids[place]) > _ID_15 and one.lower() == other.lower():
                continue
            return place
    return None


def read(content: bytes, records: int, *, whole: bool) -> Outcomes:
    """Read results; see `check`.

    Raises:
        FormatError: They are malformed. Says what is wrong, and in which record, but shows no value.
    """
    outcomes = _alike(content) or _usual(content) or _exact(content)
    count = len(outcomes.marks)
    if count > records or (whole and count < records):
        raise FormatError(f"There are {count:,} results for {records:,} records")
    return outcomes


def _alike(content: bytes) -> Outcomes | None:
    """Read results of records that were all created, or all updated, but for those that were refused without an id.

    Only the latter are looked at one by one. What is left when they are cut out are lines of one length, with the same
    characters in the same places.
    """
    if not (content.startswith(_HEADER) and content.endswith(b"\n")):
        return None
    first, *others = content[len(_HEADER) :].split(_REFUSED)
    good, errors = [first], list[bytes]()
    for other in others:
        found = _REASON.match(other)
        if found is None:
            return None
        errors.append(found[1].replace(b'""', b'"'))
        good.append(other[found.end() :])
    lines = b"".join(good)
    end = next((end for end in _WELL if lines.startswith(end, _ID_18)), b"")
    width = _ID_18 + len(end)
    if not end or any(len(some) % width for some in good) or not _have_form(lines, width, end):
        return None
    created = _WELL[end][1:] + b"\n"
    # Each line has the same word twice: what stands before the second one is the mark.
    written = lines.translate(None, b'"').replace(b",true,false,", b",false,false,").split(created)
    try:
        return _in_order(written[:-1], [len(some) // width for some in good], [error.decode() for error in errors])
    except UnicodeDecodeError:
        return None


def _have_form(lines: bytes, width: int, end: bytes) -> bool:
    """Whether each line has an id in quotes and that end: each place is looked at in all lines at once."""
    records = len(lines) // width
    return lines[::width] == b'"' * records and all(
        lines[place::width] == bytes([end[place - _ID_18]]) * records
        if place >= _ID_18
        else lines[place::width].isalnum()
        for place in range(1, width)
    )


def _in_order(written: list[bytes], counts: list[int], errors: list[str]) -> Outcomes:
    """Put what was refused back between so many that were written each time."""
    if not errors:
        return Outcomes(written)
    marks, begin = list[bytes](), 0
    for count in counts:
        marks += written[begin : begin + count]
        marks.append(_mark(b"", None))
        begin += count
    marks.pop()
    places = accumulate(counts[:-1], lambda place, count: place + 1 + count)
    return Outcomes(marks, dict(zip(places, errors, strict=True)))


def _usual(content: bytes) -> Outcomes | None:
    """Read results written in the usual way: these columns, every value in quotes, LF between results."""
    if not content.startswith(_HEADER):
        return None
    marks: list[bytes] = []
    reasons: dict[int, bytes] = {}
    quoted_ids: list[bytes] = []
    for place, line in enumerate(rows_of(content[len(_HEADER) :])):
        # The end of the line shows that a record succeeded; looking at its values would take five times as long.
        created = _WENT_IN.get(line[_ID_18:])
        if created is not None:
            quoted_ids.append(line[:_ID_18])
            marks.append(line[1:_ID_18] + created)
            continue
        found = _USUAL.fullmatch(line)
        if found is None or found[2] + found[1] == b"true":
            return None
        if found[2] == b"false":
            reasons[place] = found[4].replace(b'""', b'"')
        marks.append(_mark(found[1], found[3] if found[2] == b"true" else None))
    # Each has one quote, at its start, and otherwise only letters and digits.
    ids = b"".join(quoted_ids).split(b'"')
    if ids.pop(0) or (ids and not (set(map(len, ids)) == {_ID_18 - 1} and b"".join(ids).isalnum())):
        return None
    try:
        return Outcomes(marks, {place: reason.decode() for place, reason in reasons.items()})
    except UnicodeDecodeError:
        return None


def _exact(content: bytes) -> Outcomes:
    marks: list[bytes] = []
    errors: dict[int, str] = {}
    for place, row in enumerate(result_rows(content)):
        record_id = row.id.encode()
        if not _ID.fullmatch(record_id) and (row.success or record_id):
            raise FormatError("A result has an invalid id", row=place + 1)
        if not row.success:
            errors[place] = row.error
        marks.append(_mark(record_id, (b"true" if row.created else b"false") if row.success else None))
    return Outcomes(marks, errors)


def _mark(record_id: bytes, created: bytes | None) -> bytes:
    return record_id + (b"," if created is None else b"," + created + b",")
