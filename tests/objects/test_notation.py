"""What is wrong with one value: the judge says it, and what the patterns know at a glance the judge finds good."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkforce.objects.columns import Severity
from bulkforce.objects.notation import Cause, Notation, Problem, check_characters, notation_of
from bulkforce.protocol.rest import FieldDescription, PicklistValue
from bulkforce_emulator.schema import Field
from bulkforce_emulator.settings import Settings
from bulkforce_emulator.state.rows.conversion import typed

PREFIXES = {"Contact": "003", "Account": "001", "Lead": "00Q"}
LEVELS = (
    PicklistValue("Primary"),
    PicklistValue("Gold, old"),
    PicklistValue("Prim"),
    PicklistValue("Ärger"),
    PicklistValue("Gone", active=False),
)
FIELDS = {
    "date": FieldDescription(name="date", type="date"),
    "datetime": FieldDescription(name="datetime", type="datetime"),
    "time": FieldDescription(name="time", type="time"),
    "boolean": FieldDescription(name="boolean", type="boolean"),
    "int": FieldDescription(name="int", type="int", digits=8),
    "wide": FieldDescription(name="wide", type="int", digits=12),
    "long": FieldDescription(name="long", type="long"),
    "currency": FieldDescription(name="currency", type="currency", precision=5, scale=2),
    "double": FieldDescription(name="double", type="double", precision=18, scale=0),
    "percent": FieldDescription(name="percent", type="percent"),
    "string": FieldDescription(name="string", type="string", length=5),
    "textarea": FieldDescription(name="textarea", type="textarea"),
    "email": FieldDescription(name="email", type="email", length=80),
    "picklist": FieldDescription(name="picklist", type="picklist", restricted_picklist=True, picklist_values=LEVELS),
    "free": FieldDescription(name="free", type="picklist", length=8, picklist_values=LEVELS),
    "tags": FieldDescription(name="tags", type="multipicklist", restricted_picklist=True, picklist_values=LEVELS),
    "id": FieldDescription(name="id", type="id"),
    "account": FieldDescription(name="account", type="reference", reference_to=("Account",)),
    "who": FieldDescription(name="who", type="reference", reference_to=("Contact", "Lead")),
    "what": FieldDescription(name="what", type="reference", reference_to=("Contact", "Nobody")),
}


def notation(name: str) -> Notation:
    found = notation_of(FIELDS[name], PREFIXES)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("date", "2026-02-28 2024-02-29 1700-01-01 4000-12-31 1940-06-07Z 2026-12-31 2026-04-30"),
        (
            "datetime",
            "2026-02-28T13:05:00Z 2026-02-28T13:05:00.123+01:00 2016-03-15T06:25:24.000+0000 2024-02-29T00:00:00-08:00",
        ),
        ("time", "13:05:00 13:05:00.123Z 00:00:00Z"),
        ("boolean", "true false TRUE False 1 0 tRUE"),
        ("int", "0 -5 +7 12345678 00012"),
        ("long", "9223372036854775807 -9223372036854775808"),
        ("currency", "1 -1 999.99 0.5 .5 5. 1e2 +3 100.000 9.99E2 -999.99"),
        ("double", "5.0 1e17 999999999999999999 100.00"),
        ("percent", "1e300 123456789012345678901234567890.5"),
        ("string", "abcde ÄÖÜßé a 12345"),
        ("email", "no-address"),
        ("picklist", "Primary Prim Ärger"),
        ("free", "anything"),
        ("tags", "Primary Primary;Prim Prim;Primary;Ärger"),
        ("id", "003Kf000015ftgG 003Kf000015ftgGIAQ 003Kf000015ftgGIAQ"),
        ("account", "001000000000001 001000000000001AAA"),
        ("who", "003000000000001 00Q000000000001"),
        ("what", "003000000000001 001000000000001"),
    ],
)
def test_good_values_are_found_nothing_wrong_with(name: str, values: str) -> None:
    assert {value: problem for value in values.split() if (problem := notation(name).judge(value))} == {}


@pytest.mark.parametrize(
    ("name", "value", "cause"),
    [
        ("date", "03/04/2026", Cause.NOT_A_DATE),
        ("date", "2026-1-5", Cause.NOT_A_DATE),
        ("date", "28.02.2026", Cause.NOT_A_DATE),
        ("date", "2026-02-28+01:00", Cause.NOT_A_DATE),
        ("date", "\uff12026-02-28", Cause.NOT_A_DATE),
        ("date", " 2026-02-28", Cause.NOT_A_DATE),
        ("date", "2026-02-30", Cause.NO_SUCH_DAY),
        ("date", "2026-02-29", Cause.NO_SUCH_DAY),
        ("date", "2026-13-01", Cause.NO_SUCH_DAY),
        ("date", "2026-04-31", Cause.NO_SUCH_DAY),
        ("date", "2026-00-10", Cause.NO_SUCH_DAY),
        ("date", "2026-01-00", Cause.NO_SUCH_DAY),
        ("date", "0001-01-01", Cause.OUT_OF_RANGE),
        ("date", "1699-12-31", Cause.OUT_OF_RANGE),
        ("date", "4001-01-01", Cause.OUT_OF_RANGE),
        ("date", "2026-02-28T23:30:00Z", Cause.DATE_WITH_TIME),
        ("date", "2026-02-28T00:00:00+01:00", Cause.DATE_WITH_TIME),
        ("date", "2026-02-28 10:00", Cause.DATE_WITH_TIME),
        ("datetime", "2026-02-28T13:05:00", Cause.NO_ZONE),
        ("datetime", "2026-02-28 13:05", Cause.NO_ZONE),
        ("datetime", "2026-02-28T25:05:00Z", Cause.NOT_A_DATE_TIME),
        ("datetime", "28/02/2026 13:05", Cause.NOT_A_DATE_TIME),
        ("datetime", "2026-02-30T13:05:00Z", Cause.NO_SUCH_DAY),
        ("datetime", "1066-10-14T13:05:00Z", Cause.OUT_OF_RANGE),
        ("time", "13:05", Cause.NOT_A_TIME),
        ("time", "1:05 PM", Cause.NOT_A_TIME),
        ("time", "24:00:00Z", Cause.NOT_A_TIME),
        ("boolean", "ja", Cause.NOT_A_BOOLEAN),
        ("boolean", "2", Cause.NOT_A_BOOLEAN),
        ("int", "1.5", Cause.NOT_WHOLE),
        ("int", "1,000", Cause.DECIMAL_COMMA),
        ("int", "2147483648", Cause.OUT_OF_RANGE),
        ("int", "1e999", Cause.OUT_OF_RANGE),
        ("int", "1e-999", Cause.NOT_WHOLE),
        ("int", "twelve", Cause.NOT_A_NUMBER),
        ("long", "9223372036854775808", Cause.OUT_OF_RANGE),
        ("currency", "1000", Cause.OUT_OF_RANGE),
        ("currency", "1e3", Cause.OUT_OF_RANGE),
        ("currency", "-1234.5", Cause.OUT_OF_RANGE),
        ("currency", "1,5", Cause.DECIMAL_COMMA),
        ("currency", "1.234,56", Cause.DECIMAL_COMMA),
        ("currency", "1,234.56", Cause.DECIMAL_COMMA),
        ("currency", "$5", Cause.NOT_A_NUMBER),
        ("currency", "5%", Cause.NOT_A_NUMBER),
        ("currency", "(5)", Cause.NOT_A_NUMBER),
        ("currency", "NaN", Cause.NOT_A_NUMBER),
        ("currency", "inf", Cause.NOT_A_NUMBER),
        ("currency", "-", Cause.NOT_A_NUMBER),
        ("currency", ".", Cause.NOT_A_NUMBER),
        ("currency", "1.2.3", Cause.NOT_A_NUMBER),
        ("currency", "1e99999999999999999999", Cause.NOT_A_NUMBER),
        ("string", "abcdef", Cause.TOO_LONG),
        ("free", "far too long", Cause.TOO_LONG),
        ("picklist", "Silver", Cause.NOT_IN_LIST),
        ("picklist", "Primary ", Cause.NOT_IN_LIST),
        ("picklist", "Gone", Cause.INACTIVE),
        ("tags", "Primary;Silver", Cause.NOT_IN_LIST),
        ("tags", "Primary,Prim", Cause.COMMAS),
        ("tags", "Primary;Gone", Cause.INACTIVE),
        ("id", "003Kf000015ftg", Cause.NOT_AN_ID),
        ("id", "003Kf000015ftgGI", Cause.NOT_AN_ID),
        ("id", "003Kf000015ftg-", Cause.NOT_AN_ID),
        ("id", "1001", Cause.NOT_AN_ID),
        ("account", "003000000000001", Cause.OTHER_OBJECT),
        ("who", "001000000000001AAA", Cause.OTHER_OBJECT),
    ],
)
def test_value_that_the_org_refuses_or_changes_is_refused(name: str, value: str, cause: Cause) -> None:
    problem = notation(name).judge(value)
    assert problem is not None
    assert (problem.cause, problem.severity) == (cause, Severity.REFUSE)


@pytest.mark.parametrize(
    ("name", "value", "cause"),
    [
        ("date", "2026-02-28T00:00:00.000Z", Cause.DATE_AT_MIDNIGHT),
        ("date", "2026-02-28 00:00:00", Cause.DATE_AT_MIDNIGHT),
        ("datetime", "2026-02-28", Cause.NO_TIME),
        ("boolean", "yes", Cause.OTHER_WORD),
        ("boolean", "F", Cause.OTHER_WORD),
        ("int", "1001.0", Cause.WHOLE_WITH_POINT),
        ("int", "1e3", Cause.WHOLE_WITH_POINT),
        ("int", "123456789", Cause.MORE_DIGITS),
        ("currency", "1.005", Cause.MORE_DIGITS),
        ("double", "0.5", Cause.MORE_DIGITS),
        ("textarea", "two\r\nlines", Cause.CARRIAGE_RETURN),
        ("picklist", "primary", Cause.OTHER_CASE),
        ("tags", "Prim;PRIMARY", Cause.OTHER_CASE),
    ],
)
def test_value_that_the_org_may_take_is_warned_of(name: str, value: str, cause: Cause) -> None:
    problem = notation(name).judge(value)
    assert problem is not None
    assert (problem.cause, problem.severity) == (cause, Severity.WARN)


@pytest.mark.parametrize("type", ["base64", "address", "location", "anyType"])
def test_nothing_is_known_of_what_has_no_text_of_its_own(type: str) -> None:  # noqa: A002
    assert notation_of(FieldDescription(name="X", type=type), {}) is None


@pytest.mark.parametrize(
    ("record_id", "cause"),
    [
        ("003Kf000015ftgG", None),
        ("003Kf000015ftgGIAQ", None),
        ("003Kf000015ftgGiaq", None),
        ("003Kf000015ftgGIAR", Cause.WRONG_CHECK),
        ("003Kf000015ftgGIAS", Cause.OTHER_CASE),
        ("003kf000015ftggIAQ", Cause.OTHER_CASE),
        ("003KF000015FTGGIAQ", Cause.OTHER_CASE),
        ("003Kf000015ftgG555", Cause.WRONG_CHECK),
        ("003Kf000015ftgGIA9", Cause.WRONG_CHECK),
        ("003Kf000015ftgGBAQ", Cause.WRONG_CHECK),
        ("not an id of course", None),
        ("", None),
    ],
)
def test_check_characters_are_compared_with_the_others(record_id: str, cause: Cause | None) -> None:
    problem = check_characters(record_id)
    assert (problem.cause if problem else None) == cause


pools = {
    "date": st.dates().map(str) | st.from_regex(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}", fullmatch=True),
    "datetime": st.from_regex(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{3})?(Z|[+-][01][0-9]:?[0-5][0-9])", fullmatch=True),
    "time": st.from_regex(r"[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,4})?Z?", fullmatch=True),
    "boolean": st.sampled_from(["true", "False", "yes", "2", "TRUE", "on"]),
    "int": st.from_regex(r"[+-]?[0-9]{0,11}(\.[05]?)?", fullmatch=True),
    "long": st.from_regex(r"-?[0-9]{0,20}", fullmatch=True),
    "currency": st.from_regex(r"[+-]?[0-9]{0,4}(\.[0-9]{0,4})?(e[0-3])?", fullmatch=True),
    "double": st.from_regex(r"-?[0-9]{16,20}(\.[0-9]{0,2})?", fullmatch=True),
    "percent": st.from_regex(r"-?[0-9]{0,20}(\.[0-9]{0,2})?", fullmatch=True),
    "picklist": st.sampled_from(["Primary", "Prim", "Primar", "Gone", "Gold, old", "gold, old", "Ärger", "ärger"]),
    "tags": st.lists(st.sampled_from(["Primary", "Prim", "Primar", "Gone", "Ärger"]), min_size=1, max_size=3).map(";".join),
    "id": st.from_regex(r"00[13Q][A-Za-z0-9]{11,16}", fullmatch=True),
    "account": st.from_regex(r"00[13Q][A-Za-z0-9]{11,16}", fullmatch=True),
}  # fmt: skip


@pytest.mark.parametrize("name", pools)
@given(st.data())
def test_what_a_pattern_knows_the_judge_finds_good(name: str, data: st.DataObject) -> None:
    value, known = data.draw(pools[name]), notation(name)
    assert known.pattern is not None
    if re.fullmatch(known.pattern, value.encode()):
        assert known.judge(value) is None


@pytest.mark.parametrize(
    "day", ["2026-01-31", "2026-02-28", "2026-04-30", "1999-12-31", "2000-06-29", "1700-01-01", "2026-10-10"]
)
def test_days_are_known_at_a_glance(day: str) -> None:
    for name, value in (("date", day), ("datetime", f"{day}T10:00:00.000Z")):
        pattern = notation(name).pattern
        assert pattern is not None
        assert re.fullmatch(pattern, value.encode())


def grid(*parts: str) -> list[str]:
    """Put together all values that the parts make, each a list of words; ``~`` is nothing."""
    return ["".join(one).replace("~", "") for one in itertools.product(*(part.split() for part in parts))]


VALUES = {
    "date": grid(
        "2026 2024 1999 202",
        "- / ~",
        "01 02 04 12 13 00 2",
        "-",
        "00 01 28 29 30 31 32",
        "~ Z T00:00:00Z T10:00:00+01:00 T10:00:00",
    ),
    "datetime": grid(
        "2026-02-28 2026-02-29",
        "T ~ /",
        "00 23 25 9",
        ":",
        "00 59 60 5",
        ":",
        "00 59 60 7",
        "~ .1 .123456",
        "Z ~ +01:00 -0800 CET",
    ),
    "time": grid("00 23 25 9", ":", "00 59 60 5", ":00 :59 :60 ~", "~ . .1 .123", "~ Z z"),
    "boolean": [*grid("t f y n T", "~ rue alse es o RUE"), "1", "0", "on", "off", "ON", "2", "-1", "ja"],
    "int": grid("~ + - --", "0 7 12345678 2147483647 2147483648 x", "~ . .0 .5 ,5 e1 e"),
    "wide": grid("~", "0 999999999 2147483647 2147483648 9999999999"),
    "long": grid("~ -", "0 9007199254740991 123456789012", "~ .0 .5"),
    "currency": grid("~ + - $", "0 7 999 1000 .", "~ . .5 .005 ,5 .5.5", "~ e1 e-1 e3 E2 e %"),
    "double": grid("~ -", "0 123456789012345678 1234567890123456789", "~ .0 .5 e1"),
    "percent": grid("~ -", "0 123456789012345678901234567890 x", "~ .5 e10"),
    "picklist": ["Primary", "Prim", "Primar", "Gold, old", "Gold", "Ärger", "arger", "Primary "],
    "tags": grid("Primary Prim Ärger Primar", "; ,", "Primary Prim Gold"),
}


DAYS = grid(
    "2023 2024 1699 1700",
    "-",
    " ".join(f"{month:02}" for month in range(14)),
    "-",
    " ".join(f"{day:02}" for day in range(33)),
)


@pytest.mark.parametrize("name", [*VALUES, "datetime of days"])
def test_what_a_pattern_knows_the_judge_finds_good_one_by_one(name: str) -> None:
    values = {"date": VALUES["date"] + DAYS, "datetime of days": [f"{day}T10:00:00Z" for day in DAYS]}.get(
        name
    ) or VALUES[name]
    known = notation(name.split(maxsplit=1)[0])
    assert known.pattern is not None
    at_a_glance = [value for value in values if re.fullmatch(known.pattern, value.encode())]
    assert {value: problem for value in at_a_glance if (problem := known.judge(value))} == {}
    assert at_a_glance


# What the emulated org takes, and a real one is known or feared not to.
KINDER = {Cause.OUT_OF_RANGE, Cause.DATE_WITH_TIME}


@pytest.mark.parametrize("name", VALUES)
def test_emulated_org_takes_what_is_good_and_refuses_what_is_not(name: str) -> None:
    field = FIELDS[name]
    emulated = Field(
        name=field.name,
        label=field.name,
        type=field.type,
        precision=field.precision,
        scale=field.scale,
        picklist=tuple(one.value for one in field.picklist_values if one.active),
        restricted=field.restricted_picklist,
    )
    _, error = typed(emulated, "t", Settings())
    rows = duckdb.execute(
        f"SELECT t, {error} FROM (SELECT unnest($1) AS t)", [list(filter(None, VALUES[name]))]
    ).fetchall()
    verdicts = {value: (notation(name).judge(value), refused) for value, refused in rows}
    assert [value for value, (problem, refused) in verdicts.items() if problem is None and refused] == []
    certain = {value: refused for value, (problem, refused) in verdicts.items() if problem and is_certain(problem)}
    assert [value for value, refused in certain.items() if not refused] == []
    assert len(certain) < len(verdicts)


def is_certain(problem: Problem) -> bool:
    return problem.severity is Severity.REFUSE and problem.cause not in KINDER


@pytest.mark.parametrize("name", FIELDS)
def test_no_value_is_in_what_is_said(name: str) -> None:
    problem = notation(name).judge("x7Qz! " * 20)
    assert problem is None or "x7Qz" not in repr(problem)


def test_the_page_about_values_names_every_cause() -> None:
    page = (Path(__file__).parents[2] / "docs" / "values.md").read_text("utf-8")
    assert [cause for cause in Cause if cause not in page] == []
