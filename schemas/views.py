"""What a view of the analysts' database is, what its columns are to DuckDB, and how they are joined."""

from dataclasses import dataclass
from enum import StrEnum


class Shown(StrEnum):
    """What the columns of views are to DuckDB: types that it has had since 1.0."""

    TEXT = "VARCHAR"
    TEXTS = "VARCHAR[]"
    DATE = "DATE"
    MOMENT = "TIMESTAMP"
    FLAG = "BOOLEAN"
    COUNT = "BIGINT"
    SMALL = "TINYINT"
    NUMBER = "INTEGER"
    ROW = "UINTEGER"
    AMOUNT = "DECIMAL(38,2)"
    RATE = "DECIMAL(6,2)"


AGE_BANDS = {0: "ikke forfalt", 30: "1-30", 90: "31-90", 180: "91-180", 365: "181-365", None: "over 365"}
"""Days overdue, at most, and the ``aldersgruppe``. They sort as they stand."""
AGE_BAND = f"ENUM({', '.join(repr(band) for band in AGE_BANDS.values())})"


@dataclass(frozen=True)
class ViewColumn:
    """A column of a view, told in one sentence. ``unit``: of a number. ``source``: the delivered column."""

    name: str
    shown: str
    told: str
    unit: str = ""
    source: str = ""

    @property
    def comment(self) -> str:
        """What the database says of it."""
        more = [f"Unit: {self.unit}." if self.unit else "", f"Delivered as {self.source}." if self.source else ""]
        return " ".join([f"{self.told[0].upper()}{self.told[1:]}.".replace("`", ""), *filter(None, more)])

    @property
    def joins(self) -> str:
        """The view and the column that it is joined with; nothing when it names no row of another."""
        return JOINS.get(self.name, "")


@dataclass(frozen=True)
class View:
    """A view (or small table) of the database; what they are made of and nobody asks for is in the schema ``intern``.

    ``key``: the columns that tell its rows apart; empty: none do.
    """

    name: str
    told: str
    columns: tuple[ViewColumn, ...]
    key: tuple[str, ...] = ()

    @property
    def comment(self) -> str:
        """What the database says of it."""
        return (f"{self.told} Key: {', '.join(self.key)}." if self.key else self.told).replace("`", "")


JOINS = {
    "part": "part.part",
    "innehaver": "part.part",
    "forespurt_part": "part.part",
    "gjennom": "part.part",
    "betaler": "part.part",
    "husholdning": "husholdning.husholdning",
    "kravidentifikator": "krav.kravidentifikator",
    "kravtype": "kravtype.kravtype",
    "kravforfallsidentifikator": "forfall.kravforfallsidentifikator",
    "motkravforfallsidentifikator": "forfall.kravforfallsidentifikator",
    "innbetalingsidentifikator": "innbetaling.innbetalingsidentifikator",
    "utbetalingsidentifikator": "utbetaling.utbetalingsidentifikator",
    "leveransenummer": "leveranse.kilde and leveransenummer",
    "avvist": "avvist.avvist",
    "rot": "avvist.avvist",
}
"""What a column is joined with, where it is not its view's own key."""
