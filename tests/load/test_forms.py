"""Values of typed sources are written in the notation of the field that they go to, and texts as the user says."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.objects.contacts import field, picklist

import bulkforce as bf
from bulkforce import TextNotation
from bulkforce.load.sources import Source, to_csv
from bulkforce.objects.columns import Severity, Target
from bulkforce.objects.forms import Forms, PlainNumber
from bulkforce.objects.notation import Cause
from bulkforce.protocol.wire_csv import rows

FIELDS = {
    kind: field("F", kind)
    for kind in [
        "date",
        "datetime",
        "time",
        "double",
        "currency",
        "percent",
        "int",
        "long",
        "boolean",
        "string",
        "textarea",
        "id",
        "reference",
        "base64",
    ]
} | {"picklist": picklist("F", "Hot", "1001"), "multipicklist": picklist("F", "a", "b", type="multipicklist")}
NUMBERS = ("double", "currency", "percent", "int", "long")
TEXTS = ("string", "textarea", "id", "reference", "picklist")
BERLIN = ZoneInfo("Europe/Berlin")
NULL = "#N/A"


def forms_of(kind: str, notation: TextNotation | None = None) -> Forms:
    described = FIELDS[kind]
    return Forms(lambda name: Target(0, name, "F", described, described), notation or TextNotation())


def written(source: Source, folder: Path, forms: Forms) -> list[str]:
    found = rows(to_csv(source, folder, forms=forms).path.read_text("utf-8"))
    (folder / "source.csv").unlink()
    return [row[0] for row in list(found)[1:]]


class Rating(enum.Enum):
    HOT = "Hot"


def as_dicts(values: list[Any]) -> Source:
    return [{"F": value} for value in values]


def as_generator(values: list[Any]) -> Source:
    return ({"F": value} for value in values)


def as_arrow(values: list[Any]) -> Source:
    table: Source = pa.table({"F": pa.array(values)})
    return table


def as_pandas(values: list[Any]) -> Source:
    frame: Source = pd.DataFrame({"F": values})
    return frame


def as_polars(values: list[Any]) -> Source:
    frame: Source = pl.DataFrame({"F": values}, strict=False)
    return frame


def as_parquet(values: list[Any], folder: Path) -> Source:
    pq.write_table(pa.table({"F": pa.array(values)}), folder / "a.parquet")
    return folder / "a.parquet"


SOURCES: dict[str, Callable[[list[Any]], Source]] = {
    "dicts": as_dicts,
    "generator": as_generator,
    "arrow": as_arrow,
    "pandas": as_pandas,
    "polars": as_polars,
}
DAY = date(2026, 2, 28)
MIDNIGHT = datetime.fromisoformat("2026-02-28")
NAIVE = datetime.fromisoformat("2026-02-28T13:05")
AWARE = datetime(2026, 2, 28, 0, 30, tzinfo=BERLIN)
FIXED = datetime(2026, 2, 28, 23, 30, tzinfo=timezone(-timedelta(hours=5)))
FORMS: list[tuple[tuple[str, ...], Any, str]] = [
    (("date",), DAY, "2026-02-28"),
    (("date",), MIDNIGHT, "2026-02-28"),
    (("date",), AWARE, "2026-02-28"),
    (("date",), FIXED, "2026-02-28"),
    (("date",), datetime(2026, 2, 28, 0, 30, tzinfo=UTC), "2026-02-28"),
    (("date",), "28.02.2026", "28.02.2026"),
    (("datetime",), AWARE, "2026-02-27T23:30:00.000Z"),
    (("datetime",), FIXED, "2026-03-01T04:30:00.000Z"),
    (("datetime",), NAIVE, "2026-02-28T13:05:00.000Z"),
    (("datetime",), DAY, "2026-02-28T00:00:00.000Z"),
    (("time",), time(13, 5), "13:05:00.000Z"),
    ((*NUMBERS, *TEXTS), 1001, "1001"),
    ((*NUMBERS, *TEXTS), 1001.0, "1001"),
    ((*NUMBERS, *TEXTS), 1e17, "100000000000000000"),
    ((*NUMBERS[:3], *TEXTS), 0.1, "0.1"),
    ((*NUMBERS[:3], *TEXTS), 1e-7, "0.0000001"),
    ((*NUMBERS[:3], *TEXTS), Decimal("12345678901234567.890"), "12345678901234567.890"),
    (("int", "long"), Decimal("3.00"), "3"),
    (("boolean", *TEXTS), True, "true"),
    (TEXTS, NAIVE, "2026-02-28T13:05:00.000"),
    (TEXTS, AWARE, "2026-02-27T23:30:00.000Z"),
    (TEXTS, DAY, "2026-02-28"),
    (("base64",), b"\0\1", "AAE="),
    (("multipicklist",), ["b", "a"], "b;a"),
    (("multipicklist",), ["b"], "b"),
    (tuple(FIELDS), None, NULL),
    ((*NUMBERS, *TEXTS), float("nan"), NULL),
]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [(kind, value, expected) for kinds, value, expected in FORMS for kind in kinds],
)
def test_value_is_written_as_its_field_wants_it(
    tmp_path: Path, source: str, kind: str, value: Any, expected: str
) -> None:
    values: Any = [value, value]
    if source == "arrow" and isinstance(value, datetime) and value.tzinfo is FIXED.tzinfo:
        values = pa.array([value, value], pa.timestamp("us", "-05:00"))
    if source == "polars" and value is FIXED:
        values = pl.Series([value] * 2).dt.convert_time_zone("America/New_York")
    if source == "pandas" and expected == NULL and value is None:
        values = pd.array([None, None], "Int64")
    assert written(SOURCES[source](values), tmp_path, forms_of(kind)) == [expected, expected]


def test_parquet_keeps_what_arrow_knows(tmp_path: Path) -> None:
    assert written(as_parquet([1001.0, None], tmp_path), tmp_path, forms_of("string")) == ["1001", NULL]
    assert written(as_parquet([AWARE], tmp_path), tmp_path, forms_of("date")) == ["2026-02-28"]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("string", np.int64(7), "7"),
        ("string", np.float32(0.1), "0.1"),
        ("string", np.float64(1001), "1001"),
        ("boolean", np.bool_(True), "true"),
        ("string", np.str_("x"), "x"),
        ("date", np.datetime64("2026-02-28"), "2026-02-28"),
        ("datetime", np.datetime64("2026-02-28T13:05:00.123456789"), "2026-02-28T13:05:00.123Z"),
        ("datetime", np.datetime64("NaT"), NULL),
        ("string", pd.NA, NULL),
        ("datetime", pd.NaT, NULL),
        ("date", pd.NaT, NULL),
        ("date", pd.Timestamp("2026-02-28"), "2026-02-28"),
        ("date", pd.Timestamp("2026-02-28 00:30", tz="Europe/Berlin"), "2026-02-28"),
        ("datetime", pd.Timestamp("2026-02-28 00:30", tz="Europe/Berlin"), "2026-02-27T23:30:00.000Z"),
        ("double", Decimal("NaN"), NULL),
        ("picklist", Rating.HOT, "Hot"),
        ("string", UUID(int=1), str(UUID(int=1))),
        ("multipicklist", {"b", "a"}, "a;b"),
        ("multipicklist", ("b", None, "a"), "b;a"),
        ("multipicklist", [], ""),
        ("multipicklist", "a;b", "a;b"),
        ("base64", bytearray(b"\0\1"), "AAE="),
    ],
)
def test_scalar_of_another_library_is_the_value_it_stands_for(
    tmp_path: Path, kind: str, value: Any, expected: str
) -> None:
    assert written([{"F": value}, {"F": "x"}], tmp_path, forms_of(kind)) == [expected, "x"]


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("1001.0", "string", "1001"),
        ("1e17", "reference", "100000000000000000"),
        ("1.50", "double", "1.50"),
        ("12345678901234567890.25", "double", "12345678901234567890.25"),
        ("-0.0", "double", "-0"),
        ("true", "string", "true"),
        ('["a", "b"]', "multipicklist", "a;b"),
        ("null", "string", NULL),
        ('"1001.0"', "string", "1001.0"),
    ],
)
def test_json_value_is_written_as_its_field_wants_it(tmp_path: Path, text: str, kind: str, expected: str) -> None:
    for name, content in (("a.json", f'[{{"F": {text}}}]'), ("a.jsonl", f'{{"F": {text}}}')):
        (tmp_path / name).write_text(content)
        assert written(tmp_path / name, tmp_path, forms_of(kind)) == [expected]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("date", NAIVE, "not at midnight"),
        ("string", b"\0", "bytes"),
        ("string", ["a"], "list"),
        ("multipicklist", ["a;b"], "semicolon"),
        ("double", float("inf"), "infinite"),
    ],
)
def test_value_without_a_form_is_found_with_its_rows(
    tmp_path: Path, source: str, kind: str, value: Any, said: str
) -> None:
    forms = forms_of(kind)
    assert written(SOURCES[source]([None, value, value]), tmp_path, forms)[0] == NULL
    (found,) = forms.findings()
    assert (found.problem.cause, found.problem.severity) == (Cause.NO_FORM, Severity.REFUSE)
    assert (found.column, found.count, found.first_row) == ("F", 2, 2)
    assert said in found.problem.text
    assert found.problem.remedy


@pytest.mark.parametrize("source", SOURCES)
def test_zone_of_naive_date_times_is_told_once_or_given(tmp_path: Path, source: str) -> None:
    forms = forms_of("datetime")
    assert written(SOURCES[source]([None, NAIVE, NAIVE]), tmp_path, forms)[1] == "2026-02-28T13:05:00.000Z"
    (found,) = forms.findings()
    assert (found.problem.severity, found.count, found.first_row) == (Severity.WARN, 2, 2)
    assert "UTC" in found.problem.text

    forms = forms_of("datetime", TextNotation(time_zone="Europe/Berlin"))
    assert written(SOURCES[source]([NAIVE, AWARE][:1]), tmp_path, forms) == ["2026-02-28T12:05:00.000Z"]
    assert forms.findings() == []

    forms = forms_of("datetime", TextNotation(time_zone="UTC"))
    assert written(SOURCES[source]([NAIVE]), tmp_path, forms) == ["2026-02-28T13:05:00.000Z"]
    assert forms.findings() == []


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("local", ["2026-10-25T02:30", "2026-03-29T02:30"])
def test_time_that_a_zone_has_twice_or_skips_is_told(tmp_path: Path, source: str, local: str) -> None:
    forms = forms_of("datetime", TextNotation(time_zone="Europe/Berlin"))
    written(SOURCES[source]([datetime.fromisoformat(local)]), tmp_path, forms)
    assert [found.problem.cause for found in forms.findings()] == [Cause.CLOCK_CHANGE]


GERMAN = TextNotation(
    date_format="dd.MM.yyyy", decimal_comma=True, time_zone="Europe/Berlin", true=["Ja", "x"], false=["nein"]
)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("date", "28.02.2026", "2026-02-28"),
        ("date", " 1.2.2026", "2026-02-01"),
        ("date", "2026-02-28", "2026-02-28"),
        ("datetime", "28.02.2026", "2026-02-27T23:00:00.000Z"),
        ("datetime", "28.02.2026 13:05", "2026-02-28T12:05:00.000Z"),
        ("datetime", "28.02.2026 9:05:07", "2026-02-28T08:05:07.000Z"),
        ("datetime", "2026-07-01T13:05:00", "2026-07-01T11:05:00.000Z"),
        ("datetime", "2026-07-01 13:05", "2026-07-01T11:05:00.000Z"),
        ("datetime", "2026-07-01T13:05:00Z", "2026-07-01T13:05:00Z"),
        ("datetime", "2026-07-01T13:05:00+01:00", "2026-07-01T13:05:00+01:00"),
        ("double", "1.234,50", "1234.50"),
        ("double", "-1 234 567,5", "-1234567.5"),
        ("double", "1'234", "1234"),
        ("double", "0,5", "0.5"),
        ("currency", "1.234", "1234"),
        ("int", "12", "12"),
        ("boolean", "JA", "true"),
        ("boolean", "X", "true"),
        ("boolean", "Nein", "false"),
        ("boolean", "true", "true"),
        ("string", "1,5", "1,5"),
        ("string", "ja", "ja"),
        ("date", NULL, NULL),
        ("date", "", ""),
    ],
)
def test_text_is_read_in_the_notation_that_was_given(tmp_path: Path, kind: str, text: str, expected: str) -> None:
    forms = forms_of(kind, GERMAN)
    quoted = '"' + text + '"'
    (tmp_path / "a.csv").write_text(f"F,G\n{quoted},\n", "utf-8")
    (tmp_path / "a.jsonl").write_text(json.dumps({"F": text}), "utf-8")
    before = (tmp_path / "a.csv").read_bytes()
    found = to_csv(tmp_path / "a.csv", tmp_path, forms=forms)
    assert [row[0] for row in rows(found.path.read_text("utf-8"))] == ["F", expected]
    assert (tmp_path / "a.csv").read_bytes() == before
    (tmp_path / "source.csv").unlink(missing_ok=True)
    for source in ([{"F": text}], pa.table({"F": [text]}), tmp_path / "a.jsonl"):
        assert written(source, tmp_path, forms) == [expected]
    assert forms.findings() == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("date", "02/28/2026"),
        ("date", "31.02.2026"),
        ("date", "28.02.2026 13:05"),
        ("datetime", "28.02.2026 25:05"),
        ("datetime", "soon"),
        ("datetime", "01.01.0001"),
        ("datetime", "28.02.2026 13:05:99"),
        ("double", "1234.5"),
        ("double", "1.23,5"),
        ("int", "1,234,567"),
        ("boolean", "oui"),
    ],
)
def test_text_in_another_notation_is_sent_as_it_stands_and_told(tmp_path: Path, kind: str, text: str) -> None:
    forms = forms_of(kind, GERMAN)
    assert written([{"F": ""}, {"F": text}], tmp_path, forms) == ["", text]
    (found,) = forms.findings()
    assert (found.problem.cause, found.first_row, found.sample) == (Cause.OTHER_NOTATION, 2, text)


def test_numbers_of_json_are_not_read_as_texts(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"F": 1.234}\n{"F": "1.234"}')
    assert written(tmp_path / "a.jsonl", tmp_path, forms_of("double", GERMAN)) == ["1.234", "1234"]


def test_malformed_records_of_a_rewritten_file_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(
        b'\xef\xbb\xbfG,F\r\n"1\r\n2",28.02.2026\r\nonly\r\n\r\nx,1.3.2026,y\nz,01.03.2026'
    )
    found = to_csv(
        tmp_path / "a.csv",
        tmp_path,
        forms=Forms(
            lambda name: Target(0, name, name, FIELDS["date"], FIELDS["date"] if name == "F" else FIELDS["string"]),
            GERMAN,
        ),
    )
    assert found.ours
    assert found.path.read_bytes() == (b'G,F\n"1\r\n2",2026-02-28\r\nonly\nx,1.3.2026,y\nz,2026-03-01\r\n')


def test_file_is_left_alone_if_nothing_in_it_is_in_another_notation(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"F\nx\n")
    assert not to_csv(tmp_path / "a.csv", tmp_path, forms=forms_of("string", GERMAN)).ours


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("%d/%m/%Y", "%d/%m/%Y"),
        ("dd/MM/yyyy", "%d/%m/%Y"),
        ("M/d/yy", "%m/%d/%y"),
        ("yyyy-mm-dd", "%Y-%m-%d"),
        ("dd.mm.yyyy HH:mm:ss", "%d.%m.%Y %H:%M:%S"),
        ("MM/dd/yyyy hh:mm a", "%m/%d/%Y %I:%M %p"),
        ("d MMM yyyy", "%d %b %Y"),
    ],
)
def test_date_format_is_codes_or_letters(given: str, expected: str) -> None:
    assert TextNotation(date_format=given).date_format == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"date_format": ""},
        {"date_format": "yyyy"},
        {"date_format": "%Q"},
        {"date_format": 3},
        {"date_format": "nonsense"},
        {"time_zone": "Europe/Nowhere"},
        {"time_zone": "../../etc/passwd"},
        {"time_zone": ""},
        {"time_zone": "+99:00"},
        {"time_zone": 1},
        {"decimal_comma": "yes"},
        {"true": 1},
        {"true": [1]},
        {"true": ["ja"], "false": "JA"},
        {"time_zone": "+2:00"},
    ],
    ids=str,
)
def test_notation_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(bf.UsageError):
        TextNotation(**wrong)


def test_offset_is_a_zone(tmp_path: Path) -> None:
    for given, expected in (("+02:00", "11:05"), ("-0530", "18:35"), ("z", "13:05")):
        forms = forms_of("datetime", TextNotation(time_zone=given))
        assert written([{"F": "2026-02-28T13:05"}], tmp_path, forms) == [f"2026-02-28T{expected}:00.000Z"]


def test_value_that_cannot_be_written_names_its_row_if_the_field_is_not_known(tmp_path: Path) -> None:
    records: list[dict[str, object]] = [{"F": "x"}, {"F": object()}]
    with pytest.raises(bf.FormatError, match=r"record 2, field F"):
        to_csv(records, tmp_path)


def test_only_texts_of_an_output_may_have_been_read_before() -> None:
    """A workbook's own numbers have a point, whatever the notation of texts; only a text may be meant either way."""
    described = FIELDS["double"]
    target = Target(0, "F", "F", described, described)
    forms = Forms(lambda _: target, TextNotation(decimal_comma=True), ours=["sf__Id"])
    forms.take_in(["sf__Id", "F"])
    assert forms.of("F").texts([PlainNumber("2.125"), "2,5"], 1) == ["2.125", "2.5"]
    assert forms.findings() == []
    assert forms.of("F").texts(["2.125"], 3) == ["2.125"]
    assert [finding.count for finding in forms.findings()] == [1]
