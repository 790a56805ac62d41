"""The delivery's ``manifest.json`` (CONTRACT section 1)."""

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from schemas.tables import TABLES

Count = Annotated[int, Field(ge=0, lt=2**53)]
Sum = Annotated[str, Field(pattern=r"^-?0*[0-9]{1,40}(\.[0-9]{1,2})?$")]
"""More than 40 digits are no sum of amounts of 16."""
Kilde = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]

_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2})(:[0-9]{2}(?:\.[0-9]+)?|)(Z|[+-][0-9]{2}:?[0-9]{2})"
)
_MICROSECONDS = len(":00.000000")
"""So much of the seconds is read."""


def _moment(value: object) -> object:
    """Only text in the contract's form: pydantic would take a number for seconds since 1970."""
    found = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError("must be a date and time with its offset, like 2026-11-22T23:00:00+01:00")
    minute, seconds, offset = found.groups()
    return minute + seconds[:_MICROSECONDS] + offset


def _within_reach(value: datetime) -> datetime:
    """Far from the ends of the calendar, so that the moment exists in every time zone."""
    if not 1900 <= value.year <= 9000:
        raise ValueError("must be in the years 1900 to 9000")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_moment), AfterValidator(_within_reach), Field(strict=False)]

MAX_FILES = 10_000
"""Files in one table: what is wrong is told file by file, so there must be an end to them."""


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class DeliveredFile(_Model):
    """One file of a table; ``sti`` is relative to the delivery's folder."""

    sti: Annotated[str, Field(min_length=1, max_length=1024)]
    rader: Count
    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")]


class DeliveredTable(_Model):
    """One table of a delivery: its files, rows and the exact sum of its amount column in kroner."""

    filer: Annotated[list[DeliveredFile], Field(max_length=MAX_FILES)]
    rader: Count
    kontrollsum: Sum | None = None

    @property
    def oere(self) -> int:
        """``kontrollsum`` in øre."""
        whole, _, decimals = (self.kontrollsum or "0").partition(".")
        sign = -1 if whole.startswith("-") else 1
        return sign * int(f"{whole.lstrip('-0')}{decimals:0<2}")


def _few(value: object) -> object:
    """So many tables are no slip of the pen, and each would be a reason of its own."""
    if isinstance(value, dict) and len(value) > 100:
        raise ValueError(f"{len(value)} tables; the tables are {', '.join(TABLES)}")
    return value


def _without_extra_sums(value: object) -> object:
    """``kontrollsum`` of a table without amounts is a field like any that nobody knows."""
    if not isinstance(value, dict):
        return value
    return {
        name: {field: said for field, said in table.items() if field != "kontrollsum"}
        if name in TABLES and not TABLES[name].amount and isinstance(table, dict)
        else table
        for name, table in value.items()
    }


def _known(name: str) -> str:
    if name not in TABLES:
        raise ValueError(f"unknown table; the tables are {', '.join(TABLES)}")
    return name


def _with_control_sums(tables: dict[str, DeliveredTable]) -> dict[str, DeliveredTable]:
    missing = [name for name, table in tables.items() if TABLES[name].amount and table.kontrollsum is None]
    if missing:
        raise ValueError(f"kontrollsum is missing for {', '.join(missing)}")
    return tables


Tables = Annotated[
    dict[Annotated[str, AfterValidator(_known)], DeliveredTable],
    BeforeValidator(_without_extra_sums),
    BeforeValidator(_few),
    AfterValidator(_with_control_sums),
]


class Manifest(_Model):
    """What a delivery says of itself. Unknown fields are ignored, unknown tables refused."""

    skjemaversjon: Literal["1"]
    kilde: Kilde
    leveransenummer: Annotated[int, Field(ge=1, le=999_999)]
    type: Literal["full", "endring"]
    uttrekkstidspunkt: Moment
    tabeller: Tables
