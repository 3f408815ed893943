"""How the values of a source go out: written in the notation of the field that they go to.

Typed values (Python's, NumPy's, pandas', Arrow's) have a meaning that only the field's type shows how to write: a
date-time that goes to a date is a day. Texts stay as they are, unless the user has said in what notation they are
(`TextNotation`).

Sources: Bulk API developer guide, "Valid Date Format in Records" and "Valid CSV Record Rows"; Object Reference,
"Field Types" (values of a multi-select picklist are separated by semicolons).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Final, cast

from bulkforce.errors import FormatError
from bulkforce.formats import csv
from bulkforce.formats.values import Value, date_time, plain, text_of
from bulkforce.objects.columns import Severity, Target
from bulkforce.objects.notation import Cause, Problem
from bulkforce.objects.texts import AS_IT_STANDS, NUMBERS, Reader, TextNotation, reader_of, written_in
from bulkforce.objects.values import Summary, ValueFinding

_REMEMBERED: Final = 100_000
"""How many different texts of a column are remembered; dates repeat."""

_WITH_TIME: Final = Problem(
    Cause.NO_FORM,
    Severity.REFUSE,
    "is a date-time without a zone, not at midnight, and the field holds a day",
    "Make it a date first.",
)
_HAS_SEMICOLON: Final = Problem(
    Cause.NO_FORM,
    Severity.REFUSE,
    "is a list with a text that holds a semicolon, which separates the values of the field",
    "Take it out.",
)
_READ_BEFORE: Final = Problem(
    Cause.NO_FORM,
    Severity.REFUSE,
    "has a point and three digits behind it, in a file that bulkforce wrote: a load that was told of the decimal comma "
    "has written numbers with a decimal point there, any other has left them as they were",
    "If that load had the decimal comma, leave it out now, and write what you correct with a decimal point; if not, "
    "write these numbers without points.",
)
_POINTS: Final = re.compile(r"[+-]?[0-9]{1,3}(?:\.[0-9]{3})+")
_NOT_FINITE: Final = Problem(
    Cause.NO_FORM, Severity.REFUSE, "is an infinite number, which no field holds", "Make it None, or a number."
)


def no_form(kind: object, field: str) -> Problem:
    """Return the problem that values of a type cannot be written for a field."""
    remedy = "Write it as text first."
    if "bytes" in str(kind) or "binary" in str(kind):
        remedy = "Decode it to text first."
    return Problem(
        Cause.NO_FORM, Severity.REFUSE, f"is of type {kind}, which a field of type {field} cannot hold", remedy
    )


class PlainNumber(str):
    """A number as text in the org's own notation, whatever the notation of texts is."""

    __slots__ = ()


class Form:
    """How the values of one column are written.

    Attributes:
        kind: The type of the field; empty if it is not known.
        zone: The zone of date-times that have none; ``None`` if the user gave none, and then it is UTC.

    Args:
        target: Where the column goes; ``None`` if it is not known, and then values are written as any field would read
            them.
        text: The notation of texts.
        summary: Collects what was found about values.
        is_output: Whether the source is a file that bulkforce wrote, as far as its columns tell by now.
    """

    def __init__(
        self,
        target: Target | None,
        text: TextNotation,
        summary: Summary,
        is_output: Callable[[], bool] = lambda: False,
    ) -> None:
        self._target, self._summary = target, summary
        self.kind = (target.field.type if target.field else "") if target else ""
        self.zone = text.zone
        self._read = lru_cache(_REMEMBERED)(read) if (read := reader_of(self.kind, text)) else None
        self._doubts = is_output if text.decimal_comma and self.kind in NUMBERS else lambda: False

    @property
    def reads_texts(self) -> bool:
        """Whether texts are not written as they stand."""
        return self._read is not None

    def texts(self, texts: Sequence[str], row: int) -> Sequence[str]:
        """Write texts; those in another notation than the given one stay as they are.

        Args:
            texts: The texts.
            row: The number of the first record, from 1.
        """
        if self._read is None:
            return texts
        read, written = self._doubting(self._read) if self._doubts() else self._read, []
        for place, text in enumerate(texts, row):
            found, problem = read(text) if text and text != csv.NULL and type(text) is str else (text, None)
            if problem:
                self.note(problem, place, text)
            written.append(found)
        return written

    @staticmethod
    def _doubting(read: Reader) -> Reader:
        """Return what reads numbers of a file that bulkforce wrote: those that may have been read before are not."""
        return lambda text: (text, _READ_BEFORE) if _POINTS.fullmatch(text.strip()) else read(text)

    def values(self, values: Sequence[Value], row: int) -> Sequence[str]:
        """Write values of any type.

        Args:
            values: The values.
            row: The number of the first record, from 1.

        Raises:
            FormatError: A value cannot be written, and the field is not known; the error has the row's number.
        """
        if set(map(type, values)) <= {str, PlainNumber}:
            return self.texts(cast("Sequence[str]", values), row)
        return [self.text_of(value, place) for place, value in enumerate(values, row)]

    def text_of(self, value: Value, row: int) -> str:
        """Write one value; see `values`."""
        value = plain(value)
        if value is None or _is_missing(value):
            return csv.NULL
        if isinstance(value, str):
            return self.texts([value], row)[0]
        written: str | Problem
        try:
            written = self._written(value, row)
        except FormatError as error:
            if not self.kind:
                raise FormatError(error.text, row=row) from None
            written = no_form(type(value).__name__, self.kind)
        if isinstance(written, str):
            return written
        self.note(written, row, "")
        return ""

    def note(self, problem: Problem, row: int, sample: str, count: int = 1) -> None:
        """Count values with a problem."""
        if self._target:
            self._summary.add(self._target, problem, row, sample, count)

    def _written(self, value: Value, row: int) -> str | Problem:
        if isinstance(value, (float, Decimal)) and not Decimal(value).is_finite():
            return _NOT_FINITE if self.kind else text_of(value)
        if isinstance(value, datetime):
            return self._date_time(value, row)
        if isinstance(value, date) and self.kind == "datetime":
            return self._date_time(datetime.combine(value, time()), row)
        if isinstance(value, Decimal) and self.kind in {"int", "long"} and value == value.to_integral_value():
            return text_of(int(value))
        if isinstance(value, (list, tuple, set, frozenset)) and self.kind == "multipicklist":
            return self._list(
                [self.text_of(one, row) for one in value if plain(one) is not None],
                ordered=not isinstance(value, (set, frozenset)),
            )
        if isinstance(value, (bytes, bytearray, memoryview)) and self.kind not in {"", "base64"}:
            return no_form(type(value).__name__, self.kind)
        return text_of(value)

    def _list(self, texts: list[str], *, ordered: bool) -> str | Problem:
        if any(";" in text for text in texts):
            return _HAS_SEMICOLON
        return ";".join(texts if ordered else sorted(texts))

    def _date_time(self, value: datetime, row: int) -> str | Problem:
        if self.kind == "date":
            if value.tzinfo is None and value.time() != time():
                return _WITH_TIME
            return value.date().isoformat()
        if value.tzinfo is not None or not self.kind:
            return date_time(value)
        if self.kind != "datetime":
            # A text may hold any: nothing is added to it.
            return value.isoformat(timespec="milliseconds")
        written, problem = written_in(value, self.zone)
        if problem:
            self.note(problem, row, value.isoformat())
        return written


def _is_missing(value: Value) -> bool:
    return value is not None and (
        (isinstance(value, Decimal) and value.is_nan()) or (isinstance(value, (float, datetime)) and value != value)  # noqa: PLR0124
    )


class Forms:
    """The forms of a source's columns, made when a column is met.

    Args:
        target_of: Returns where a column goes; ``None`` if that is not known.
        notation: The notation of texts.
        notation_of: Returns the notation of a column's texts, if it has one of its own.
        empty_as_null: Whether an empty value is written as null, where a record has it.
        ours: The columns that bulkforce adds to what it writes.

    Attributes:
        empty_is_written: Whether that was done, so that what is empty now is absent.
    """

    def __init__(
        self,
        target_of: Callable[[str], Target | None] = lambda _: None,
        notation: TextNotation = AS_IT_STANDS,
        notation_of: Callable[[str], TextNotation | None] = lambda _: None,
        *,
        empty_as_null: bool = False,
        ours: Collection[str] = (),
    ) -> None:
        self._ours, self._is_output = frozenset(ours), False
        self.empty_as_null = empty_as_null
        self.empty_is_written = False
        self._target_of, self._notation, self._notation_of = target_of, notation, notation_of
        self._made: dict[str, Form] = {}
        self._summary = Summary()

    def take_in(self, columns: Iterable[str]) -> None:
        """Take in the names of the source's columns: with one of ours, it is a file that bulkforce wrote."""
        self._is_output = self._is_output or not self._ours.isdisjoint(columns)

    def of(self, column: str) -> Form:
        """Return the form of a column."""
        self.take_in([column])
        if column not in self._made:
            target = self._target_of(column)
            placed = replace(target, place=len(self._made), column=column) if target else None
            self._made[column] = Form(
                placed, self._notation_of(column) or self._notation, self._summary, lambda: self._is_output
            )
        return self._made[column]

    def has_notation(self, column: str) -> bool:
        """Whether the user gave a notation for a column's texts."""
        return (self._notation_of(column) or self._notation) != AS_IT_STANDS

    def findings(self) -> list[ValueFinding]:
        """Return what was found about values so far."""
        return self._summary.findings()
