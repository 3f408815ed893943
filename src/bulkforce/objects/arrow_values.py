"""Whether the values of Arrow data fit the fields that they go to, column by column.

A type may tell by itself that all is well, or the smallest and the largest value do. What is left is written as text,
in the field's own notation as
far as it has one, and looked at as a column of text: the lines of a CSV file with one column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from bulkforce.formats import csv
from bulkforce.objects.columns import Severity
from bulkforce.objects.notation import FIRST_YEAR, LAST_YEAR, Cause, Problem
from bulkforce.objects.values import Column, CsvValues, Summary, ValueFinding, moved
from bulkforce.protocol.rest import FieldDescription

if TYPE_CHECKING:
    import pyarrow as pa

_NO_FORM: Final = Problem(
    Cause.NO_FORM, Severity.REFUSE, "has a type that the field has no form for", "Write it as text first."
)
_ZONE_IS_UTC: Final = Problem(
    Cause.NO_ZONE,
    Severity.WARN,
    "has no time zone, and is taken as UTC",
    "Give it a time zone, if it is in another one.",
)
_NUMBERS: Final = {"double", "currency", "percent"}
_RANGES: Final = {"int": 2**31 - 1, "long": 2**63 - 1}


class ArrowValues:
    """Looks at the values of Arrow data, batch by batch.

    Args:
        columns: What is asked of the values; their places are those of the columns in the batches.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = [column for column in columns if not column.is_free]
        self._texts = [CsvValues([moved(column, 0)], 1) for column in self._columns]
        self._summary = Summary()
        self.rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Look at the next batch."""
        for column, texts in zip(self._columns, self._texts, strict=True):
            self._add(batch.column(column.target.place), column, texts)
        self.rows += batch.num_rows

    def findings(self) -> list[ValueFinding]:
        """Give what was found so far, by column and then by the row in which it was met first."""
        found: dict[tuple[int, Problem], ValueFinding] = {}
        for column, texts in zip(self._columns, self._texts, strict=True):
            for one in (*self._summary.findings(), *texts.findings()):
                if (one.column, one.field) == (column.target.column, column.target.name):
                    key = column.target.place, one.problem
                    before = found.get(key, one)
                    first = min(before, one, key=lambda two: two.first_row)
                    found[key] = one if before is one else replace(first, count=before.count + one.count)
        return [one for _, one in sorted(found.items(), key=lambda item: (item[0][0], item[1].first_row))]

    def _add(self, values: pa.Array, column: Column, texts: CsvValues) -> None:
        import pyarrow as pa
        from pyarrow import types

        if types.is_dictionary(values.type):
            values = values.dictionary_decode()
        field = column.target.field
        if types.is_timestamp(values.type) and values.type.tz is None and field and field.type == "datetime":
            self._count(values, column, _ZONE_IS_UTC)
        if not _is_good(values, column):
            written = _written(values, field.type if field else "")
            if written is None:
                self._count(values, column, _NO_FORM)
                self._look_one_by_one(pa.nulls(len(values), pa.string()).fill_null(csv.NULL), values.is_null(), column)
            else:
                self._look(written.fill_null(csv.NULL), column, texts)

    def _count(self, values: pa.Array, column: Column, problem: Problem) -> None:
        """Count every value that is not null, by its type alone."""
        count = len(values) - values.null_count
        if count:
            place = values.is_valid().index(True).as_py()
            self._summary.add(column.target, problem, self.rows + place + 1, str(values[place]), count)

    def _look(self, values: pa.StringArray, column: Column, texts: CsvValues) -> None:
        """Look at texts, as lines where they are lines, and else one by one at those that may be wrong."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if column.target.null_only or column.notation is None or column.notation.pattern is None:
            self._look_one_by_one(values, _doubtful_texts(values, column), column)
            return
        as_list = pa.LargeListArray.from_arrays(pa.array([0, len(values)], pa.int64()), values)
        content = pc.binary_join(as_list, "\n")[0].as_buffer().to_pybytes() + b"\n" if len(values) else b""
        if content.count(b"\n") == len(values) and b'"' not in content and b"\r" not in content:
            texts.rows = self.rows
            texts.add(csv.Unit(0, content, len(values), clean=True))
        else:
            self._look_one_by_one(values, pa.array([True] * len(values), pa.bool_()), column)

    def _look_one_by_one(self, values: pa.StringArray, doubtful: pa.BooleanArray, column: Column) -> None:
        import pyarrow.compute as pc

        for place in pc.indices_nonzero(doubtful).to_pylist():
            text = values[place].as_py()
            if problem := column.judge(text):
                self._summary.add(column.target, problem, self.rows + place + 1, text)


def _doubtful_texts(values: pa.StringArray, column: Column) -> pa.BooleanArray:
    """Mark the texts that are too long, have a carriage return, or are missing where none may be."""
    import pyarrow.compute as pc

    if column.target.null_only:
        return pc.not_equal(values, csv.NULL)
    doubtful = pc.match_substring(values, "\r")
    if column.notation and column.notation.longest:
        doubtful = pc.or_(doubtful, pc.greater(pc.utf8_length(values), column.notation.longest))
    if column.if_null:
        doubtful = pc.or_(doubtful, pc.equal(values, csv.NULL))
    if column.if_empty:
        doubtful = pc.or_(doubtful, pc.equal(values, ""))
    return doubtful


def _is_good(values: pa.Array, column: Column) -> bool:
    """Whether the type of a column, or its smallest and largest value, tell that nothing is wrong with any."""
    from pyarrow import types

    field, stored = column.target.field, values.type
    if values.null_count == len(values):
        return column.if_null is None
    if field is None or column.target.null_only or (values.null_count and column.if_null):
        return False
    if types.is_boolean(stored):
        return field.type == "boolean"
    if types.is_time(stored):
        return field.type == "time"
    if types.is_date(stored):
        return field.type == "date" and _has_good_years(values)
    if types.is_timestamp(stored):
        moments = _in_utc(values)
        # With a zone it is a day in that zone, whatever the time.
        is_day = field.type == "date" and (stored.tz is not None or _is_midnight(moments, every=True))
        return (is_day or field.type == "datetime") and _has_good_years(moments)
    if types.is_integer(stored) or types.is_floating(stored):
        return _are_good_numbers(values, field)
    # These are written by others, and nobody reads them as anything else.
    return types.is_fixed_size_binary(stored) or hasattr(stored, "extension_name")


def _has_good_years(values: pa.Array) -> bool:
    import pyarrow.compute as pc

    years = pc.min_max(pc.year(values)).as_py()
    return bool(years["min"] >= FIRST_YEAR and years["max"] <= LAST_YEAR)


def _are_good_numbers(values: pa.Array, field: FieldDescription) -> bool:
    import pyarrow.compute as pc
    from pyarrow import types

    if field.type in _NUMBERS:
        whole, scale = field.precision - field.scale, field.scale
        most = 10**whole - 1 if whole > 0 else 10**300
    elif field.type in _RANGES:
        whole, scale = 1, 0
        most = min(_RANGES[field.type], 10**field.digits - 1) if field.digits else _RANGES[field.type]
    else:
        return False
    if types.is_floating(values.type) and whole > 0 and not pc.all(pc.equal(pc.round(values, scale), values)).as_py():
        return False
    ends = pc.min_max(values).as_py()
    return bool(-most <= ends["min"] and ends["max"] <= most)


def _in_utc(values: pa.Array) -> pa.Array:
    """Give date-times as they are in UTC, without a zone, for which nobody needs to know the zones."""
    import pyarrow as pa

    return values.view(pa.int64()).view(pa.timestamp(values.type.unit))


def _is_midnight(values: pa.Array, *, every: bool = False) -> Any:  # noqa: ANN401  (pyarrow has no types)
    import pyarrow.compute as pc

    midnight = pc.equal(pc.floor_temporal(values, unit="day"), values)
    return bool(pc.all(midnight).as_py()) if every else midnight


def _written(values: pa.Array, kind: str) -> pa.StringArray | None:
    """Write values as text, as a field of a kind has them; ``None`` if there is no such text."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    stored = values.type
    try:
        if types.is_list(stored) or types.is_large_list(stored):
            return pc.binary_join(values.cast(pa.list_(pa.string())), ";") if kind == "multipicklist" else None
        if types.is_floating(stored):
            # NaN is a missing value.
            values = pc.if_else(pc.is_nan(values), pa.scalar(None, stored), values)
        if types.is_timestamp(stored):
            moments = _in_utc(values)
            day = pc.strftime(moments, format="%Y-%m-%d")
            full = pc.strftime(moments.cast(pa.timestamp("s"), safe=False), format="%Y-%m-%dT%H:%M:%SZ")
            return pc.if_else(_is_midnight(moments), day, full) if kind == "date" else full
        formless = (
            types.is_duration(stored)
            or types.is_interval(stored)
            or types.is_binary(stored)
            or types.is_large_binary(stored)
        )
        return None if formless else values.cast(pa.string())
    except pa.ArrowException:
        return None
