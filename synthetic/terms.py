"""The terms of the law: which periods there are, and on which days their claims fall due.

A due date that is a Saturday, Sunday or public holiday moves to the next working day.
"""

from collections.abc import Iterator
from datetime import date, timedelta

import polars as pl

from synthetic.tracks import Track

EPOCH = date(1970, 1, 1)
YEARS = 4
"""How far back the history goes."""

_VAT_DUE = ((4, 10), (6, 10), (8, 31), (10, 10), (12, 10), (2, 10))
_PAYROLL_DUE = ((3, 15), (5, 15), (7, 15), (9, 15), (11, 15), (1, 15))


def easter(year: int) -> date:
    """Easter Sunday (Gauss, in the form of Meeus and Jones)."""
    a, b, c = year % 19, year // 100, year % 100
    d = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    e = (32 + 2 * (b % 4) + 2 * (c // 4) - d - c % 4) % 7
    f = d + e - 7 * ((a + 11 * d + 22 * e) // 451) + 114
    return date(year, f // 31, f % 31 + 1)


def holidays(year: int) -> set[date]:
    """Public holidays of a year, apart from Sundays that are always free."""
    moving = {easter(year) + timedelta(days) for days in (-3, -2, 1, 39, 50)}
    fixed = ((1, 1), (5, 1), (5, 17), (12, 25), (12, 26))
    return moving | {date(year, month, day) for month, day in fixed}


def working_day(day: date) -> date:
    """The day itself, or the next one on which a payment can be due."""
    while day.weekday() >= 5 or day in holidays(day.year):
        day += timedelta(1)
    return day


def _days(day: date) -> int:
    return (day - EPOCH).days


def _row(term: int, year: int, number: int, first: date, last: date, dues: list[date]) -> dict[str, int | None]:
    days = [_days(due) for due in dues]
    padded = [*days, *([None] * (4 - len(days)))]
    row: dict[str, int | None] = {"term": term, "year": year, "number": number}
    row |= {"first": _days(first), "last": _days(last)}
    return row | {f"due{n}": due for n, due in enumerate(padded)}


def _two_months(year: int, days: tuple[tuple[int, int], ...]) -> Iterator[dict[str, int | None]]:
    for number, (month, day) in enumerate(days, start=1):
        first = date(year, number * 2 - 1, 1)
        last = date(year + number // 6, number * 2 % 12 + 1, 1) - timedelta(1)
        due = working_day(date(year + (number == 6), month, day))
        yield _row((year - 2000) * 6 + number - 1, year, number, first, last, [due])


def _yearly(year: int, dues: list[date]) -> Iterator[dict[str, int | None]]:
    first, last = date(year, 1, 1), date(year, 12, 31)
    yield _row(year - 2000, year, 0, first, last, [working_day(due) for due in dues])


def _weekly(year: int) -> Iterator[dict[str, int | None]]:
    monday = date.fromisocalendar(year, 1, 1)
    while monday.isocalendar().year == year:
        # Week numbers from 2000 on come round again after 512 weeks, well over the history's length.
        term = (monday - date(2000, 1, 3)).days // 7 % 512
        last = monday + timedelta(6)
        yield _row(term, year, monday.isocalendar().week, monday, last, [working_day(last + timedelta(14))])
        monday += timedelta(7)


def _of_year(track: Track, year: int) -> Iterator[dict[str, int | None]]:
    following = year + 1
    match track:
        case Track.VAT:
            return _two_months(year, _VAT_DUE)
        case Track.PAYROLL | Track.WITHHOLDING:
            return _two_months(year, _PAYROLL_DUE)
        case Track.ADVANCE_PERSON:
            return _yearly(year, [date(year, month, 15) for month in (3, 6, 9, 12)])
        case Track.ADVANCE_COMPANY:
            return _yearly(year, [date(following, 2, 15), date(following, 4, 15)])
        case Track.SETTLEMENT_PERSON:
            return _yearly(year, [date(following, 8, 20), date(following, 9, 24)])
        case Track.SETTLEMENT_COMPANY:
            return _yearly(year, [date(following, 10, 20), date(following, 11, 24)])
        case Track.DUTY:
            return _weekly(year)
        case _:
            return _yearly(year, [date(year, 3, 1)])


def terms(track: Track, until: date) -> pl.DataFrame:
    """A track's terms that ended within the history; annual ones that began in it, too."""
    start = _days(until) - YEARS * 365
    years = range(until.year - YEARS - 1, until.year + 1)
    rows = [row for year in years for row in _of_year(track, year)]
    schema = dict.fromkeys(_row(0, 0, 0, EPOCH, EPOCH, []), pl.Int64)
    return pl.DataFrame(rows, schema=schema).filter(pl.col("last") >= start)
