"""The law's days."""

from datetime import date

import pytest

from synthetic.terms import easter, terms, working_day
from synthetic.tracks import Track


@pytest.mark.parametrize(
    ("year", "day"),
    [
        (2022, date(2022, 4, 17)),
        (2024, date(2024, 3, 31)),
        (2025, date(2025, 4, 20)),
        (2038, date(2038, 4, 25)),
    ],
)
def test_easter(year: int, day: date) -> None:
    assert easter(year) == day


@pytest.mark.parametrize(
    ("day", "due"),
    [
        (date(2022, 4, 10), date(2022, 4, 11)),  # a Sunday: the contract's published case
        (date(2022, 4, 15), date(2022, 4, 19)),  # Good Friday, the weekend and Easter Monday after it
        (date(2025, 12, 10), date(2025, 12, 10)),
    ],
)
def test_due_on_a_free_day_moves_to_the_next_working_day(day: date, due: date) -> None:
    assert working_day(day) == due


def dues(track: Track, year: int) -> list[str]:
    """The due dates of one year's periods, as text."""
    rows = terms(track, date(2026, 11, 23)).filter(year=year).sort("term").to_dicts()
    days = [row[f"due{n}"] for row in rows for n in range(4) if row[f"due{n}"] is not None]
    return [date.fromordinal(date(1970, 1, 1).toordinal() + day).isoformat() for day in days]


def test_due_dates_are_the_laws() -> None:
    assert dues(Track.VAT, 2024) == [
        "2024-04-10", "2024-06-10", "2024-09-02", "2024-10-10", "2024-12-10", "2025-02-10",
    ]  # fmt: skip
    assert dues(Track.WITHHOLDING, 2024) == [
        "2024-03-15", "2024-05-15", "2024-07-15", "2024-09-16", "2024-11-15", "2025-01-15",
    ]  # fmt: skip
    assert dues(Track.ADVANCE_PERSON, 2025) == ["2025-03-17", "2025-06-16", "2025-09-15", "2025-12-15"]
    assert dues(Track.ADVANCE_COMPANY, 2024) == ["2025-02-17", "2025-04-15"]
