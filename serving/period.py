"""The period of a request (CONTRACT section 4)."""

import re
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from serving.errors import KravoversiktError

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class Period:
    """A window, both days included: the last at most the same day a year after the first."""

    fra_og_med: date
    til_og_med: date

    @cached_property
    def text(self) -> str:
        """As logs write it (ISO 8601)."""
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
