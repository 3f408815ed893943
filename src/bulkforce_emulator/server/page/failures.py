"""Why records failed: the errors in the results of data batches, grouped by cause."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import orjson

from bulkforce_emulator.uploads import Format

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bulkforce_emulator.server.page.causes import Causes
    from bulkforce_emulator.server.page.views import BatchView
    from bulkforce_emulator.state.spool import Spool, Spooled

#: `CODE:message:FIELD FIELD --`, as CSV results have it; without fields `CODE:message:--`.
_CSV_ERROR = re.compile(r"(\w+):(.*):(.*?) ?--", re.DOTALL)
_BATCHES_REMEMBERED = 500


@dataclass(frozen=True, slots=True)
class Reason:
    """One cause, and the first record that failed for it."""

    code: str
    message: str
    fields: str
    records: int
    batch_id: str
    #: The record's place in its batch, from 1.
    row: int


class Failures:
    """Reads results, and remembers what it has read, since the results of a batch never change."""

    def __init__(self, spool: Spool, causes: Causes) -> None:
        self._spool = spool
        self._causes = causes
        self._reasons_in = lru_cache(maxsize=_BATCHES_REMEMBERED)(self._read)

    def reasons(self, batches: Iterable[BatchView], written_in: Format) -> list[Reason]:
        """The reasons in these batches, most frequent first."""
        found: dict[tuple[str, str, str], Reason] = {}
        for batch in batches:
            for reason in self._reasons_in(batch.results[""], written_in):
                key = (reason.code, reason.message, reason.fields)
                known = found.get(key)
                if known is None:
                    found[key] = replace(reason, batch_id=batch.id)
                else:
                    found[key] = replace(known, records=known.records + reason.records)
        return sorted(found.values(), key=lambda reason: -reason.records)

    def _read(self, place: Spooled, written_in: Format) -> Sequence[Reason]:
        found: dict[tuple[str, str, str], Reason] = {}
        for row, error in _ERRORS[written_in](self._spool.get(place)):
            code, message, fields = error
            key = (code, self._causes.of_row(code, message), fields)
            known = found.get(key)
            found[key] = Reason(*key, 1, "", row) if known is None else replace(known, records=known.records + 1)
        return tuple(found.values())


def _csv(body: bytes) -> Iterator[tuple[int, tuple[str, str, str]]]:
    rows = csv.reader(io.StringIO(body.decode(), newline=""))
    next(rows)
    for row, cells in enumerate(rows, 1):
        read = _CSV_ERROR.fullmatch(cells[3])
        if read is not None:
            yield row, (read[1], read[2], read[3])


def _json(body: bytes) -> Iterator[tuple[int, tuple[str, str, str]]]:
    for row, result in enumerate(orjson.loads(body), 1):
        for error in result["errors"][:1]:
            yield row, (error["statusCode"], error["message"], " ".join(error["fields"]))


def _xml(body: bytes) -> Iterator[tuple[int, tuple[str, str, str]]]:
    for row, result in enumerate(ET.fromstring(body), 1):
        error = result.find("{*}errors")
        if error is not None:
            fields = " ".join(field.text or "" for field in error.iterfind("{*}fields"))
            yield row, (error.findtext("{*}statusCode", ""), error.findtext("{*}message", ""), fields)


_ERRORS = {Format.CSV: _csv, Format.JSON: _json, Format.XML: _xml}
