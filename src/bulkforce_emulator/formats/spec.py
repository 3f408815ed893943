"""Transformation specs, which map the columns of foreign CSV files to fields."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from bulkforce_emulator.formats.csv_reader import NULL, rows_of
from bulkforce_emulator.uploads import BatchError

if TYPE_CHECKING:
    from bulkforce_emulator.schema import Field, SObject
    from bulkforce_emulator.texts import BatchTexts
    from bulkforce_emulator.uploads import Upload

_HEADER = ["salesforce field", "csv header", "value", "hint"]
#: Letters of Java's date patterns, longest first.
_JAVA = [
    ("yyyy", "%Y"), ("yy", "%y"), ("y", "%y"), ("MMMM", "%B"), ("MMM", "%b"), ("MM", "%m"), ("M", "%m"),
    ("dd", "%d"), ("d", "%d"), ("HH", "%H"), ("H", "%H"), ("hh", "%I"), ("h", "%I"), ("mm", "%M"), ("ss", "%S"),
    ("SSS", "%f"), ("a", "%p"), ("EEEE", "%A"), ("EEE", "%a"), ("Z", "%z"), ("X", "%z"),
]  # fmt: skip
_PATTERN = re.compile("'([^']*)'|" + "|".join(letters for letters, _ in _JAVA))


@dataclass(frozen=True, slots=True)
class Mapping:
    """One line of a spec."""

    field: str
    header: str | None
    value: str | None
    hint: str | None


def read_spec(spec: bytes, texts: BatchTexts) -> list[Mapping]:
    """Read a spec.

    Raises:
        BatchError: It is not a valid spec.
    """
    rows = rows_of(spec.decode("utf-8-sig").replace("\r\n", "\n").encode())
    if not rows or [(name or "").strip().lower() for name in rows[0]] != _HEADER:
        raise BatchError.of(texts.spec_unreadable)
    return [Mapping(row[0], *row[1:4]) for row in (row + [None] * 4 for row in rows[1:]) if row[0]]


def transform(upload: Upload, spec: bytes, sobject: SObject, texts: BatchTexts, now: datetime) -> Upload:
    """The upload as if it had been written with field names; what year `40` is depends on the year it is `now`."""
    columns: dict[str, pa.StringArray] = {}
    for mapping in read_spec(spec, texts):
        source = upload.columns.get(mapping.header) if mapping.header else None
        if mapping.header and source is None:
            raise BatchError.of(texts.field_unknown, name=mapping.header)
        given = source.to_pylist() if source is not None else [None] * upload.count
        values = [value or mapping.value for value in given]
        field = sobject.field(mapping.field)
        if field is not None and field.name == "Name" and sobject.field("LastName") is not None:
            names = [_split_name(value) for value in values]
            columns["LastName"] = pa.array([last for last, _ in names], pa.string())
            columns["FirstName"] = pa.array([first for _, first in names], pa.string())
        else:
            hinted = [_hinted(value, mapping.hint, field, now) for value in values]
            columns[mapping.field] = pa.array(hinted, pa.string())
    return replace(upload, columns=columns, null_mark=NULL)


def _split_name(name: str | None) -> tuple[str | None, str | None]:
    """`Cat, Tom` and `Jerry Mouse` are last and first name."""
    if not name or name == NULL:
        return name, None
    if "," in name:
        last, _, first = name.partition(",")
        return last.strip(), first.strip() or None
    first, _, last = name.strip().rpartition(" ")
    return last, first or None


def _hinted(value: str | None, hint: str | None, field: Field | None, now: datetime) -> str | None:
    if not value or not hint or value == NULL or field is None:
        return value
    if field.type == "boolean":
        return "true" if re.fullmatch(hint, value) else "false"
    if field.type not in {"date", "datetime"}:
        return value
    moment = _moment(value, _python_pattern(hint), now)
    if moment is None:
        return value  # the check of the row will refuse it
    return moment.strftime("%Y-%m-%dZ" if field.type == "date" else "%Y-%m-%dT%H:%M:%S.000Z")


def _moment(value: str, pattern: str, now: datetime) -> datetime | None:
    """A date by its pattern. As in Java, two digits are a year from 80 years ago to 20 years ahead."""
    for wanted in (pattern.replace("%y", "%Y"), pattern):
        try:
            # The pattern says whether there is a zone.
            moment = datetime.strptime(value, wanted)  # noqa: DTZ007
        except ValueError:
            continue
        return _within_a_century(moment, now) if wanted != pattern.replace("%y", "%Y") else moment
    return None


def _within_a_century(moment: datetime, now: datetime) -> datetime:
    first = now.replace(tzinfo=moment.tzinfo, year=now.year - 80, day=min(now.day, 28))
    year = first.year - first.year % 100 + moment.year % 100
    found = moment.replace(year=year)
    return found if found >= first else moment.replace(year=year + 100)


def _python_pattern(java: str) -> str:
    letters = dict(_JAVA)
    return _PATTERN.sub(lambda match: match[1] if match[1] is not None else letters[match[0]], java.replace("%", "%%"))
