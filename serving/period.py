"""The parameters of a request: a part's number and a period (CONTRACT sections 4 and 6)."""

import re
from dataclasses import dataclass
from datetime import date
from operator import mul

from serving.errors import KravoversiktError

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ORGANISATION = (3, 2, 7, 6, 5, 4, 3, 2, 1)
_NATIONAL = ((3, 7, 6, 1, 8, 9, 4, 5, 2, 1), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1))


@dataclass(frozen=True)
class Period:
    """A window of at most a year, both days included."""

    fra_og_med: date
    til_og_med: date

    def __str__(self) -> str:
        return f"{self.fra_og_med}/{self.til_og_med}"

    @classmethod
    def parse(cls, fra_og_med: str | None, til_og_med: str | None) -> "Period":
        """The period of the two parameters. Raises KB-006 saying which is wrong and why."""
        fra, til = _day("fraOgMed", fra_og_med), _day("tilOgMed", til_og_med)
        if til < fra:
            raise KravoversiktError("KB-006", "tilOgMed is before fraOgMed")
        if til > one_year_after(fra):
            raise KravoversiktError("KB-006", "tilOgMed is more than one year after fraOgMed")
        return cls(fra, til)


def _day(name: str, value: str | None) -> date:
    if not value:
        raise KravoversiktError("KB-006", f"{name} is missing")
    try:
        if _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise KravoversiktError("KB-006", f"{name} is not a date that exists, as YYYY-MM-DD")


def one_year_after(day: date) -> date:
    """The same day a year later; 28 February for 29 February. The calendar ends with the year 9999."""
    if day.year == date.max.year:
        return date.max
    try:
        return day.replace(year=day.year + 1)
    except ValueError:
        return day.replace(year=day.year + 1, day=28)


def check_part(part: str) -> str:
    """The part's number if it can be one, by length and check digits (mod 11). Raises KB-006."""
    digits = list(map(int, part)) if len(part) in (9, 11) and part.isascii() and part.isdigit() else []
    if len(digits) == 9:
        valid = _mod11(digits, _ORGANISATION)
    else:
        valid = len(digits) == 11 and all(_mod11(digits, weights) for weights in _NATIONAL)
    if not valid:
        raise KravoversiktError("KB-006", "part is not a valid organisation number or national number")
    return part


def _mod11(digits: list[int], weights: tuple[int, ...]) -> bool:
    return sum(map(mul, digits, weights)) % 11 == 0
