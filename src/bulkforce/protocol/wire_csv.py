"""Exact parsing of the org's CSV, and of data batch results in it. Control documents have no CSV form.

Source: recorded results (CumulusCI, elasticio); the format of the Error column is in the guide, and Salesforce's own
loader reads it the same way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from bulkforce.errors import FormatError, ProtocolError
from bulkforce.protocol.exchange import Answer
from bulkforce.protocol.info import RecordError, Result
from bulkforce.vocabulary import ColumnDelimiter

NO_RECORDS: Final = b"Records not found for this query"
"""What a CSV result file holds instead of a header if the query found no records (seen by many clients)."""

# Possessive quantifiers: the engine must not store a backtracking point per character of a value of several megabytes.
_VALUES: Final = {
    delimiter: re.compile(
        rf'(?:"([^"]*+(?:""[^"]*+)*+)"|([^"{re.escape(delimiter)}\r\n]*+))({re.escape(delimiter)}|\r\n?|\n|\Z)'
    )
    for delimiter in (one.character for one in ColumnDelimiter)
}
_COLUMNS: Final = ("id", "success", "created", "error")
_FLAGS: Final = {"true": True, "false": False}


def rows(text: str, delimiter: str = ",") -> Iterator[list[str]]:
    """Split CSV into records and their values; skip blank lines.

    This does not use the standard library's reader: its field size limit is global to the process, and an error message
    of the org may quote a longer value.

    Raises:
        FormatError: A quote is misplaced or never closed; says in which record, not counting the header.
    """
    place = number = 0
    values: list[str] = []
    value = _VALUES[delimiter]
    while place < len(text) or values:
        found = value.match(text, place)
        if found is None:
            raise FormatError(
                "A quote is not closed, not doubled, or inside an unquoted value",
                row=number or None,
                column=len(values) + 1,
            )
        quoted, plain, border = found.groups()
        values.append(plain if quoted is None else quoted.replace('""', '"'))
        place = found.end()
        if border != delimiter:
            if len(values) > 1 or values[0] or quoted is not None:
                yield values
                number += 1
            values = []


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        ours = FormatError("The results are not UTF-8", byte=error.start)
    # Outside the handler: inside, Python would chain the handled error to ours, and it holds all the records.
    raise ours


class ResultRow(NamedTuple):
    """What the org says about one record."""

    id: str
    success: bool
    created: bool
    error: str


def result_rows(content: bytes) -> Iterator[ResultRow]:
    """Read results; find columns by name.

    Raises:
        FormatError: They are malformed; says in which record, and never shows a value.
    """
    table = rows(_text(content))
    header = [name.strip().lower() for name in next(table, [])]
    if any(header.count(name) != 1 for name in _COLUMNS):
        raise FormatError("The results do not have the columns Id, Success, Created and Error")
    places = [header.index(name) for name in _COLUMNS]
    for number, values in enumerate(table, 1):
        if len(values) != len(header):
            raise FormatError(f"A result has {len(values)} values for {len(header)} columns", row=number)
        record_id, success, created, error_text = (values[place] for place in places)
        if success not in _FLAGS or created not in _FLAGS:
            raise FormatError("Success and Created must be true or false", row=number)
        yield ResultRow(record_id, _FLAGS[success], _FLAGS[created], error_text)


def results(answer: Answer) -> list[Result]:
    """Read the results of a data batch."""
    try:
        return [
            Result(row.id or None, row.success, row.created, [record_error(row.error)] if row.error else [])
            for row in result_rows(answer.body)
        ]
    except FormatError as error:
        raise ProtocolError(
            f"The org's results are not valid CSV results ({len(answer.body):,} bytes): {error}", answer.facts()
        ) from error


def record_error(text: str) -> RecordError:
    """Read the Error column of one record: ``CODE:message:Field1 Field2 --``.

    How the org joins several errors of one record is not known, so the text is always read as one. The message may
    contain colons.

    >>> record_error("REQUIRED_FIELD_MISSING:Missing: [LastName]:LastName --")
    RecordError(status_code='REQUIRED_FIELD_MISSING', message='Missing: [LastName]', fields=('LastName',))
    """
    code, colon, rest = text.partition(":")
    if not colon:
        return RecordError("", text)
    message, colon, fields = rest.removesuffix("--").rpartition(":")
    # Without the trailing mark, what follows the last colon is not a list of fields.
    return (
        RecordError(code, message, tuple(fields.split()))
        if colon and rest.endswith("--")
        else RecordError(code, rest.removesuffix("--").strip())
    )
