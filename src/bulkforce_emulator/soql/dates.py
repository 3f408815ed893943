"""Date literals as half-open ranges of days: `THIS_QUARTER`, `LAST_N_DAYS:30`.

Days are those of UTC, weeks begin on Sunday, and the fiscal year is the calendar year: an org's defaults.
"""

import re
from collections.abc import Callable
from datetime import date, timedelta

DAY = timedelta(days=1)

# A period around a day: (start, first day after it), moved by some periods.
_Period = Callable[[date, int], tuple[date, date]]


def _day(today: date, moved: int) -> tuple[date, date]:
    start = today + moved * DAY
    return start, start + DAY


def _week(today: date, moved: int) -> tuple[date, date]:
    start = today - (today.isoweekday() % 7) * DAY + 7 * moved * DAY
    return start, start + 7 * DAY


def _first_of_month(months_since_year_zero: int) -> date:
    return date(months_since_year_zero // 12, months_since_year_zero % 12 + 1, 1)


def _months(size: int) -> _Period:
    def period(today: date, moved: int) -> tuple[date, date]:
        first = (today.year * 12 + today.month - 1) // size * size + moved * size
        return _first_of_month(first), _first_of_month(first + size)

    return period


_PERIODS: dict[str, _Period] = {
    "DAY": _day,
    "WEEK": _week,
    "MONTH": _months(1),
    "QUARTER": _months(3),
    "YEAR": _months(12),
    "FISCAL_QUARTER": _months(3),
    "FISCAL_YEAR": _months(12),
}
_DAYS = {"YESTERDAY": -1, "TODAY": 0, "TOMORROW": 1}
_MOVES = {"LAST": -1, "THIS": 0, "NEXT": 1}
_NAMES = "DAY|WEEK|MONTH|QUARTER|YEAR|FISCAL_QUARTER|FISCAL_YEAR"
_SINGLE = re.compile(rf"(LAST|THIS|NEXT)_({_NAMES})")
_MANY = re.compile(rf"(LAST|NEXT)_N_({_NAMES})S:(\d+)")
_AGO = re.compile(rf"N_({_NAMES})S_AGO:(\d+)")


def date_range(word: str, today: date) -> tuple[date, date] | None:
    """The days that a date literal stands for, end excluded; None if there is no such literal.

    Raises:
        OverflowError: It lies outside the calendar.
    """
    word = word.upper()
    if word in _DAYS:
        return _day(today, _DAYS[word])
    if word in ("LAST_90_DAYS", "NEXT_90_DAYS"):
        word = word.replace("90_DAYS", "N_DAYS:90")
    try:
        return _named(word, today)
    except ValueError as error:
        raise OverflowError(word) from error


def _named(word: str, today: date) -> tuple[date, date] | None:
    if (match := _SINGLE.fullmatch(word)) and match[2] != "DAY":
        return _PERIODS[match[2]](today, _MOVES[match[1]])
    if match := _AGO.fullmatch(word):
        return _PERIODS[match[1]](today, -int(match[2]))
    if match := _MANY.fullmatch(word):
        period, count = _PERIODS[match[2]], int(match[3])
        if match[1] == "NEXT":
            return period(today, 1)[0], period(today, count)[1]
        # LAST_N_DAYS reaches up to now; the longer periods end where the current one begins.
        end = today + DAY if match[2] == "DAY" else period(today, 0)[0]
        return period(today, -count)[0], end
    return None
