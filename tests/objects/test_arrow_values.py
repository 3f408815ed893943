"""Values of Arrow data against the fields they go to: by type where that is enough, and else as a judge of each text finds them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.objects.contacts import CONTACT, PARENTS

from bulkforce.objects.arrow_values import ArrowValues
from bulkforce.objects.columns import fit
from bulkforce.objects.notation import Cause
from bulkforce.objects.values import Column, columns_of
from bulkforce.vocabulary import Operation

ID = "003Kf000015ftgGIAQ"
PREFIXES = {"Contact": "003", "Account": "001"}


def column(name: str, operation: Operation = Operation.UPSERT) -> Column:
    targets = fit([name], CONTACT, operation, external_id="Ext__c", describe=PARENTS.get).targets
    return columns_of(targets, operation, key="Ext__c", prefixes=PREFIXES)[0]


def told(values: ArrowValues) -> list[tuple[Cause, int, int, str]]:
    return [(one.problem.cause, one.count, one.first_row, one.sample) for one in values.findings()]


def found(name: str, *batches: pa.Array, operation: Operation = Operation.UPSERT) -> list[tuple[Cause, int, int, str]]:
    values = ArrowValues([column(name, operation)])
    for array in batches:
        values.add(pa.record_batch([array], [name]))
    assert values.rows == sum(map(len, batches))
    return told(values)


DAY, MOMENT = date(2026, 2, 28), datetime(2026, 2, 28, 13, 5, tzinfo=UTC)
NAIVE = MOMENT.replace(tzinfo=None)
MIDNIGHT = datetime(2026, 2, 28)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Birthdate", pa.array([DAY, None])),
        ("Birthdate", pa.array([DAY, None], pa.date64())),
        ("Birthdate", pa.array([MIDNIGHT, None])),
        ("Birthdate", pa.array([MIDNIGHT.replace(tzinfo=timezone(timedelta(hours=5)))], pa.timestamp("us", "+05:00"))),
        ("Birthdate", pa.array(["2026-02-28", "", None, "#N/A"])),
        ("Birthdate", pa.array(["2026-02-28", None]).dictionary_encode()),
        ("Birthdate", pa.array([DAY, None]).dictionary_encode()),
        ("Seen__c", pa.array([MOMENT, None])),
        ("Wakes__c", pa.array([time(13, 5), None])),
        ("Active__c", pa.array([True, None])),
        ("Active__c", pa.array([1, 0])),
        ("Amount__c", pa.array([1.5, float("nan"), None, -1e15])),
        ("Amount__c", pa.array([1.5, float("nan")]).dictionary_encode()),
        ("Amount__c", pa.array([1, None, 10**15])),
        ("Amount__c", pa.array([Decimal("1.50"), None])),
        ("Amount__c", pa.array(["1.5"], pa.large_string())),
        ("Count__c", pa.array([1.0, float("nan"), None])),
        ("Count__c", pa.array([12345678], pa.uint32())),
        ("Big__c", pa.array([2**63 - 1])),
        ("LastName", pa.array([1001, 7])),
        ("LastName", pa.array([1001.0, 7.5])),
        ("LastName", pa.array(["a\nb", 'a"b', "ä" * 80], pa.string_view())),
        ("LastName", pa.array([True])),
        ("Ext__c", pa.array([1001.0])),
        ("Level__c", pa.array(["Primary", "Gold, old", None])),
        ("Tags__c", pa.array([["red"], ["red", "blue"], [], None])),
        ("AccountId", pa.array(["001000000000001", "001000000000001AAA", None])),
        ("Account", pa.array([None, None])),
        ("Account", pa.array([None, None], pa.string())),
        ("Email", pa.array([b"\xff" * 16], pa.binary(16))),
        ("Notes__c", pa.array(["x" * 32_768])),
    ],
)
def test_values_that_fit_have_nothing_to_be_found(name: str, values: pa.Array) -> None:
    assert found(name, values) == []


@pytest.mark.parametrize(
    ("name", "values", "cause", "row", "sample"),
    [
        ("Birthdate", pa.array([MIDNIGHT, NAIVE]), Cause.DATE_WITH_TIME, 2, "2026-02-28T13:05:00Z"),
        ("Birthdate", pa.array([DAY, date(1066, 10, 14)]), Cause.OUT_OF_RANGE, 2, "1066-10-14"),
        ("Birthdate", pa.array([20260228]), Cause.NOT_A_DATE, 1, "20260228"),
        ("Birthdate", pa.array(["2026-02-28", "x\ny"]), Cause.NOT_A_DATE, 2, "x\ny"),
        ("Birthdate", pa.array(["2026-02-28\n2026-02-28"]), Cause.NOT_A_DATE, 1, "2026-02-28\n2026-02-28"),
        ("Birthdate", pa.array(["1,5", ""]), Cause.NOT_A_DATE, 1, "1,5"),
        ("Birthdate", pa.array(["2026-02-28\r", "2026-02-28"]), Cause.NOT_A_DATE, 1, "2026-02-28\r"),
        ("Birthdate", pa.array(['"2026-02-28"']), Cause.NOT_A_DATE, 1, '"2026-02-28"'),
        ("Seen__c", pa.array([None, DAY]), Cause.NO_TIME, 2, "2026-02-28"),
        ("Seen__c", pa.array([None, NAIVE]), Cause.NO_ZONE, 2, "2026-02-28 13:05:00"),
        ("Seen__c", pa.array([datetime(1066, 10, 14, tzinfo=UTC)]), Cause.OUT_OF_RANGE, 1, "1066-10-14T00:00:00Z"),
        ("Wakes__c", pa.array([MOMENT]), Cause.NOT_A_TIME, 1, "2026-02-28T13:05:00Z"),
        ("Active__c", pa.array([1, 2]), Cause.NOT_A_BOOLEAN, 2, "2"),
        ("Amount__c", pa.array([1.0, float("inf")]), Cause.NOT_A_NUMBER, 2, "inf"),
        ("Amount__c", pa.array([1.005, 1.0]), Cause.MORE_DIGITS, 1, "1.005"),
        ("Amount__c", pa.array([1, -(10**16)]), Cause.OUT_OF_RANGE, 2, "-10000000000000000"),
        ("Amount__c", pa.array([Decimal("1.005")]), Cause.MORE_DIGITS, 1, "1.005"),
        ("Amount__c", pa.array([True]), Cause.NOT_A_NUMBER, 1, "true"),
        ("Count__c", pa.array([1.0, 1.5]), Cause.NOT_WHOLE, 2, "1.5"),
        ("Count__c", pa.array([1, 2**31]), Cause.OUT_OF_RANGE, 2, "2147483648"),
        ("Count__c", pa.array([123456789]), Cause.MORE_DIGITS, 1, "123456789"),
        ("LastName", pa.array(["a", "ä" * 81]), Cause.TOO_LONG, 2, "ä" * 80 + "..."),
        ("Notes__c", pa.array(["a\nb", "a\r\nb"]), Cause.CARRIAGE_RETURN, 2, "a\r\nb"),
        ("Level__c", pa.array(["Primary", "x"]).dictionary_encode(), Cause.NOT_IN_LIST, 2, "x"),
        ("Tags__c", pa.array([["red"], ["pink", "red"]]), Cause.NOT_IN_LIST, 2, "pink;red"),
        (
            "AccountId",
            pa.array(["001000000000001AAA", "001000000000001AAB"]),
            Cause.WRONG_CHECK,
            2,
            "001000000000001AAB",
        ),
        ("AccountId", pa.array([1001]), Cause.NOT_AN_ID, 1, "1001"),
        ("Account", pa.array([None, "A-1"]), Cause.NOT_NULL, 2, "A-1"),
        ("LastName", pa.array([["a"]]), Cause.NO_FORM, 1, "['a']"),
        ("Email", pa.array([None, {"a": 1}]), Cause.NO_FORM, 2, "[('a', 1)]"),
        ("LastName", pa.array([timedelta(1)]), Cause.NO_FORM, 1, "1 day, 0:00:00"),
        ("LastName", pa.array([b"\xff"]), Cause.NO_FORM, 1, "b'\\xff'"),
        ("LastName", pa.array(["a", None, "#N/A"]), Cause.NULL, 2, "#N/A"),
        ("Ext__c", pa.array(["a", ""]), Cause.EMPTY, 2, ""),
        ("LastName", pa.array([None, None]), Cause.NULL, 1, "#N/A"),
    ],
)
def test_values_that_do_not_fit_are_found(name: str, values: pa.Array, cause: Cause, row: int, sample: str) -> None:
    ((one, count, first_row, shown),) = found(name, values)
    assert (one, first_row, shown) == (cause, row, sample)
    assert count == (2 if cause is Cause.NULL else 1)


def test_value_without_a_form_is_not_empty_and_null_beside_it_is_null() -> None:
    expected = [(Cause.NULL, 1, 1, "#N/A"), (Cause.NO_FORM, 1, 2, "['a']")]
    assert found("LastName", pa.array([None, ["a"]]), operation=Operation.INSERT) == expected


def test_rows_are_counted_over_batches() -> None:
    good, bad = pa.array(["2026-02-28", "2026-02-28"]), pa.array(["2026-02-28", "x"])
    assert found("Birthdate", good, bad, good, bad) == [(Cause.NOT_A_DATE, 2, 4, "x")]
    assert found("Birthdate", pa.array([DAY]), pa.array(['"x"', "x"]), pa.array(["x"])) == [
        (Cause.NOT_A_DATE, 3, 2, '"x"')
    ]


def test_columns_are_found_by_their_places() -> None:
    targets = fit(["sf__Error", "Count__c", "Birthdate"], CONTACT, Operation.UPSERT, external_id="Ext__c").targets
    values = ArrowValues(columns_of(targets, Operation.UPSERT, key="Ext__c"))
    values.add(pa.record_batch([pa.array(["x"]), pa.array(["y"]), pa.array(["z"])], ["a", "b", "c"]))
    assert [(one.column, one.sample) for one in values.findings()] == [("Count__c", "y"), ("Birthdate", "z")]


TEXTS = [
    "",
    "#N/A",
    "x",
    "2026-02-28",
    "2026-02-30",
    "1,5",
    "1.5",
    "true",
    "yes",
    "Primary",
    "Gold, old",
    "red;blue",
    "red,blue",
    ID,
    ID[:15],
]
TEXTS += [
    '"',
    "two\nlines",
    "two\r\nlines",
    "001000000000001AAB",
    "x" * 81,
    "ä" * 80,
    "12345",
    "1e3",
    "13:05:00Z",
    "2026-02-28T00:00:00Z",
]
NAMES = [field.name for field in CONTACT.fields if field.createable]


@settings(max_examples=250)
@given(
    st.sampled_from(NAMES),
    st.lists(st.lists(st.none() | st.sampled_from(TEXTS), max_size=5), max_size=3),
    st.booleans(),
)
def test_texts_are_judged_one_as_the_other(name: str, batches: list[list[str | None]], encoded: bool) -> None:
    operation = Operation.INSERT
    asked = column(name, operation)
    arrays: list[Any] = [pa.array(values, pa.string()) for values in batches]
    values = [value if value is not None else "#N/A" for batch in batches for value in batch]
    problems = [asked.judge(value) for value in values]
    expected = {
        (problem.cause, problems.count(problem), problems.index(problem) + 1, cut(values[problems.index(problem)]))
        for problem in filter(None, problems)
    }
    assert (
        set(found(name, *(one.dictionary_encode() if encoded else one for one in arrays), operation=operation))
        == expected
    )


def cut(value: str) -> str:
    return value if len(value) <= 80 else value[:80] + "..."
