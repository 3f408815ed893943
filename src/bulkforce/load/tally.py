"""Counts what became of records, and groups those that did not succeed by cause."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from bulkforce.errors import FormatError
from bulkforce.formats import csv
from bulkforce.load.causes import cause_of, value_of
from bulkforce.load.groups import Group, Groups
from bulkforce.load.mapping import OUR_COLUMNS
from bulkforce.protocol.remedies import remedy_for
from bulkforce.protocol.wire_csv import record_error
from bulkforce.run.report import ErrorGroup, ErrorSample

BATCH: Final = "BATCH"
IN_DOUBT: Final = "IN_DOUBT"
REJECTED: Final = "REJECTED"
"""Status codes of our own: the org gave up on a whole batch, the outcome is not known, the record was never sent."""

_SAMPLES: Final = 3
_SAMPLE_BYTES: Final = 200
_VALUE_CHARACTERS: Final = 100
_LOOKS: Final = 100
"""How many records of a group are looked at for samples with different values."""
# How a line of the file of rejected records begins: its number and the reason.
_REJECTION: Final = re.compile(rb'(\d+),("[^"]*+(?:""[^"]*+)*+"|[^",\r\n]*+),')
_LINE: Final = re.compile(r" \(line [\d,]+\)\Z")


class Tally:
    """Counts of records by outcome, and the causes of those that did not succeed.

    Args:
        excel: Whether records begin with a column of ours; see `bulkforce.load.theirs`.
    """

    def __init__(self, *, excel: bool = False) -> None:
        self._excel = excel
        self.succeeded = self.failed = self.unprocessed = self.in_doubt = 0
        self.untied = 0
        self._groups = Groups()
        self._rejected = False

    def fail(self, errors: Mapping[int, str], rows: Sequence[bytes], row_of: Callable[[int], int]) -> None:
        """Count records that the org refused.

        Args:
            errors: Place of each record -> the org's text.
            rows: All records of the batch.
            row_of: Turns a place into the number of the record in the source.
        """
        for place, text in errors.items():
            group = self._groups.of_text(text)
            group.count += 1
            if len(group.samples) < _SAMPLES and group.looks < _LOOKS:
                self._sample(group, record_error(text).message, row_of(place), rows[place])
        self.failed += len(errors)

    def add(self, status_code: str, reason: str, count: int, row: int, record: bytes) -> None:
        """Count records that share a reason of our own, or a batch's; ``row`` and ``record`` are the first one."""
        group = self._groups.of_cause(cause_of(status_code, (), reason))
        group.count += count
        if len(group.samples) < _SAMPLES and group.looks < _LOOKS:
            self._sample(group, reason, row, record)

    def _reject(self, path: Path) -> None:
        """Count the records that were never sent, from the file that holds them with their reasons."""
        self._rejected = True
        with path.open("rb") as file:
            head = csv.header(file.read(csv.LONGEST_HEADER_BYTES), may_repeat=OUR_COLUMNS, nameless=True)
            file.seek(head.end)
            try:
                blocks = iter(lambda: file.read(csv.BLOCK_BYTES), b"")
                for unit in csv.units(blocks, len(head.names), longest=sys.maxsize):
                    for line in csv.lines(unit.content):
                        if found := _REJECTION.match(line):
                            # One cause, whether the record has one field or several, and in every line.
                            reason = _LINE.sub("", csv.unquote(found[2]).decode())
                            reason = reason.replace(" field where", " fields where")
                            self.add(REJECTED, reason, 1, int(found[1]), line[found.end() :].rstrip(b"\r\n"))
            except FormatError:
                # Somebody has changed the file: its reasons are left out, and its counts are known.
                return

    def _sample(self, group: Group, message: str, row: int, record: bytes) -> None:
        group.looks += 1
        record = record.partition(b",")[2] if self._excel else record
        value = value_of(message)[:_VALUE_CHARACTERS]
        if not value or all(value != sample.value for sample in group.samples):
            group.samples.append(ErrorSample(row, value, record[:_SAMPLE_BYTES].decode("utf-8", "ignore")))

    def groups(self, rejected: Path | None = None) -> tuple[ErrorGroup, ...]:
        """Return the causes, the most frequent first.

        Args:
            rejected: The file of the records that were never sent, if there are any.
        """
        if rejected is not None and not self._rejected:
            self._reject(rejected)
        return tuple(
            ErrorGroup(
                group.cause.status_code,
                group.cause.message,
                group.count,
                group.samples[0].row,
                group.samples[0].record,
                fields=group.cause.fields,
                remedy=remedy_for(group.cause.status_code, group.cause.message),
                samples=tuple(group.samples),
            )
            for group in self._groups
        )
