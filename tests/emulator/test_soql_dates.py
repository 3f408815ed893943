"""Date literals as ranges of days."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkforce_emulator.soql.dates import date_range

TODAY = date(2026, 8, 5)  # a Wednesday


@pytest.mark.parametrize(
    ("word", "start", "end"),
    [
        ("TODAY", "2026-08-05", "2026-08-06"),
        ("yesterday", "2026-08-04", "2026-08-05"),
        ("TOMORROW", "2026-08-06", "2026-08-07"),
        ("THIS_WEEK", "2026-08-02", "2026-08-09"),
        ("LAST_WEEK", "2026-07-26", "2026-08-02"),
        ("NEXT_MONTH", "2026-09-01", "2026-10-01"),
        ("LAST_QUARTER", "2026-04-01", "2026-07-01"),
        ("THIS_FISCAL_YEAR", "2026-01-01", "2027-01-01"),
        ("LAST_90_DAYS", "2026-05-07", "2026-08-06"),
        ("LAST_N_DAYS:1", "2026-08-04", "2026-08-06"),
        ("NEXT_N_DAYS:2", "2026-08-06", "2026-08-08"),
        ("N_DAYS_AGO:5", "2026-07-31", "2026-08-01"),
        ("LAST_N_MONTHS:2", "2026-06-01", "2026-08-01"),
        ("NEXT_N_QUARTERS:2", "2026-10-01", "2027-04-01"),
        ("N_YEARS_AGO:3", "2023-01-01", "2024-01-01"),
        ("LAST_N_FISCAL_QUARTERS:1", "2026-04-01", "2026-07-01"),
    ],
)
def test_a_literal_is_a_range(word: str, start: str, end: str) -> None:
    assert (date.fromisoformat(start), date.fromisoformat(end)) == date_range(word, TODAY)


@pytest.mark.parametrize("word", ["THIS_DAY", "LAST_N_DAYS", "SOON", "LAST_MONTH:3", "N_DAYS_AGO"])
def test_other_words_are_none(word: str) -> None:
    assert date_range(word, TODAY) is None


def test_a_literal_outside_the_calendar_is_refused() -> None:
    with pytest.raises(OverflowError):
        date_range("N_YEARS_AGO:5000", TODAY)


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.sampled_from(["WEEK", "MONTH", "QUARTER", "YEAR"]))
def test_periods_follow_each_other(today: date, period: str) -> None:
    last, this, following = (date_range(f"{which}_{period}", today) for which in ("LAST", "THIS", "NEXT"))
    assert last is not None
    assert this is not None
    assert following is not None
    assert this[0] <= today < this[1]
    assert last[1] == this[0]
    assert following[0] == this[1]
