"""Results of data batches in CSV. Control documents have no CSV form.

Source: recorded results (CumulusCI, elasticio); the form of the Error column is told in the guide and read so by Salesforce's own loader.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from bulkforce.errors import ProtocolError
from bulkforce.protocol.exchange import Answer
from bulkforce.protocol.info import RecordError, Result


def results(answer: Answer) -> list[Result]:
    """Read the results of a data batch; columns are found by name."""
    try:
        rows = _rows(answer.body.decode("utf-8-sig"))
        header = {name.strip().lower(): place for place, name in enumerate(next(rows, []))}
        known = [header[name] for name in ("id", "success", "created", "error")]
        return [_result(*(row[place] for place in known)) for row in rows if row]
    except (KeyError, IndexError, ValueError, csv.Error) as error:
        raise ProtocolError(
            f"The org's results are not the CSV they should be ({len(answer.body)} bytes): {error!r}", answer.facts()
        ) from error


def _rows(text: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), strict=True)


def _result(record_id: str, success: str, created: str, error: str) -> Result:
    return Result(record_id or None, success == "true", created == "true", [record_error(error)] if error else [])


def record_error(text: str) -> RecordError:
    """Read the Error column of one record: ``CODE:message:Field1 Field2 --``.

    How several errors of one record are joined is not known, so the text is always read as one. The message may hold colons.

    >>> record_error("REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --")
    RecordError(status_code='REQUIRED_FIELD_MISSING', message='Required fields are missing: [LastName]', fields=('LastName',))
    """
    code, colon, rest = text.partition(":")
    if not colon:
        return RecordError("", text)
    message, colon, fields = rest.removesuffix("--").rpartition(":")
    # Without the mark at its end, what stands behind the last colon is no list of fields.
    return (
        RecordError(code, message, tuple(fields.split()))
        if colon and rest.endswith("--")
        else RecordError(code, rest.removesuffix("--").strip())
    )
