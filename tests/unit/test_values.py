from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import numpy as np
import orjson
import pandas as pd
import pytest

from bulkforce.errors import FormatError
from bulkforce.formats import csv, json, xml
from bulkforce.formats.values import text_of
from bulkforce.vocabulary import Operation


class Rating(Enum):
    HOT = "Hot"


PARIS = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("value", "text", "in_json"),
    [
        ("x", "x", "x"),
        (Operation.INSERT, "insert", "insert"),
        (True, "true", True),
        (False, "false", False),
        (0, "0", 0),
        (-(10**18), "-1000000000000000000", -(10**18)),
        (1.5, "1.5", 1.5),
        (1e300, "1E+300", 1e300),
        (np.float64(1.5), "1.5", 1.5),
        (Decimal("1234567890123456.78"), "1234567890123456.78", 1234567890123456.78),
        (Decimal("1E+3"), "1000", 1000.0),
        (1001.0, "1001", 1001.0),
        (-0.0, "0", 0.0),
        (np.int64(7), "7", 7),
        (np.float32(0.1), "0.1", 0.1),
        (np.bool_(True), "true", True),
        (np.datetime64("2026-02-12T15:43:48.123999999"), "2026-02-12T15:43:48.123Z", "2026-02-12T15:43:48.123Z"),
        (Rating.HOT, "Hot", "Hot"),
        (date(2026, 2, 12), "2026-02-12", "2026-02-12"),
        (datetime(2026, 2, 12, 15, 43, 48, 123_999), "2026-02-12T15:43:48.123Z", "2026-02-12T15:43:48.123Z"),  # noqa: DTZ001
        (datetime(2026, 2, 12, 1, 0, tzinfo=PARIS), "2026-02-11T23:00:00.000Z", "2026-02-11T23:00:00.000Z"),
        (pd.Timestamp("2026-02-12"), "2026-02-12T00:00:00.000Z", "2026-02-12T00:00:00.000Z"),
        (time(8, 30), "08:30:00.000Z", "08:30:00.000Z"),
        (time(8, 30, tzinfo=UTC), "08:30:00.000Z", "08:30:00.000Z"),
        (b"\x00\xff", "AP8=", "AP8="),
        (bytearray(b"a"), "YQ==", "YQ=="),
        (memoryview(b"a"), "YQ==", "YQ=="),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_values_are_written_alike_in_all_formats(value: Any, text: str, in_json: object) -> None:
    assert text_of(value) == text
    assert csv.encode([{"A": value}]).decode() == f"A\n{text}\n"
    assert orjson.loads(json.encode([{"A": value}])) == [{"A": in_json}]
    assert f"<A>{text}</A>" in xml.encode([{"A": value}]).decode()


def test_decimal_keeps_every_digit_in_json() -> None:
    assert json.encode([{"A": Decimal("1234567890123456789.10")}]) == b'[{"A":1234567890123456789.10}]'


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        -float("inf"),
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("-Infinity"),
        np.float64("nan"),
        np.float32("nan"),
        time(8, tzinfo=PARIS),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_values_that_are_none_are_refused_in_all_formats(value: Any, *, nested: bool) -> None:
    row = {"P": {"A": value}} if nested else {"A": value}
    for encode in (csv.encode, json.encode, xml.encode):
        with pytest.raises(FormatError):
            encode([row])


@pytest.mark.parametrize("value", [object(), {1, 2}, 1j, np.timedelta64(1)])
def test_types_that_salesforce_does_not_know_are_refused(value: Any) -> None:
    for encode in (csv.encode, json.encode, xml.encode):
        with pytest.raises(FormatError):
            encode([{"A": value}])


@pytest.mark.parametrize("value", [None, pd.NA, pd.NaT, np.datetime64("NaT")])
def test_missing_values_are_null_in_all_formats(value: Any) -> None:
    assert csv.encode([{"A": value}]) == b"A\n#N/A\n"
    assert json.encode([{"A": value}]) == b'[{"A":null}]'
    assert b'<A xsi:nil="true"' in xml.encode([{"A": value}])
