"""The delivered tables: columns, kinds and which may be null (CONTRACT section 1).

This is the single source of the columns of an extract. The readers, the checks on values, the
empty tables, the checksums over amounts, what is looked up by the keys that a row names, and the types of what is
published (``schemas.published``) all follow from it.
"""

from dataclasses import dataclass
from enum import StrEnum

import polars as pl


class Kind(StrEnum):
    """What a cell holds, and so which checks a value must pass (CONTRACT section 1 and 2.2.1)."""

    TEXT = "text"  # any Unicode
    KEY = "key"  # 1-64 characters: keys, the identifiers that refer to them, kravtype
    NUMBER = "number"  # in the party register: an organisation or national number, with check digits
    CODE = "code"  # one of a few words
    DATE = "date"
    AMOUNT = "amount"  # kroner with at most two decimals
    POSITIVE_AMOUNT = "positive amount"  # > 0
    FLAG = "flag"  # true or false


AMOUNTS = (Kind.AMOUNT, Kind.POSITIVE_AMOUNT)

DTYPES: dict[Kind, type[pl.DataType]] = {
    Kind.DATE: pl.Date,
    Kind.FLAG: pl.Boolean,
    Kind.AMOUNT: pl.Int64,
    Kind.POSITIVE_AMOUNT: pl.Int64,
}
"""The type of an accepted column, amounts in øre; text where not named."""


@dataclass(frozen=True)
class Column:
    """One column of a delivered table; ``nullable`` is the contract's ``?``.

    ``refers_to``: the tables of whose rows it names one by its key.
    """

    name: str
    kind: Kind
    nullable: bool = False
    codes: tuple[str, ...] = ()
    refers_to: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """One delivered table: its key comes first among its columns."""

    name: str
    columns: tuple[Column, ...]

    @property
    def key(self) -> str:
        """The name of the key column."""
        return self.columns[0].name

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns, in the contract's order."""
        return tuple(column.name for column in self.columns)

    @property
    def accepted(self) -> pl.Schema:
        """The columns of accepted rows, with their types."""
        return pl.Schema({column.name: DTYPES.get(column.kind, pl.String)() for column in self.columns})

    @property
    def references(self) -> tuple[str, ...]:
        """The names of the columns that name rows of other tables."""
        return tuple(column.name for column in self.columns if column.refers_to)

    @property
    def amount(self) -> str | None:
        """The column that ``kontrollsum`` sums, or None for ``part``."""
        return next((column.name for column in self.columns if column.kind in AMOUNTS), None)

    def __getitem__(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


REMOVED = Column("slettet", Kind.FLAG, nullable=True)
"""Only in an ``endring``: true removes the key; missing or null is false."""


def _account(prefix: str = "") -> tuple[Column, ...]:
    names = ("bankinformasjon", "kontoeiers_navn", "kontonummer", "iban", "swift_bic")
    return tuple(Column(prefix + name, Kind.TEXT, nullable=True) for name in names)


_WHOSE = Column("part", Kind.KEY, refers_to=("part",))

PART = Table(
    "part",
    (
        Column("part", Kind.NUMBER),
        Column("parttype", Kind.CODE, codes=("VIRKSOMHET", "ENK", "PERSON")),
        Column("innehaver", Kind.NUMBER, nullable=True, refers_to=("part",)),
    ),
)

KRAV = Table(
    "krav",
    (
        Column("kravidentifikator", Kind.KEY),
        _WHOSE,
        Column("kravtype", Kind.KEY),
        Column("kravbeskrivelse", Kind.TEXT, nullable=True),
        Column("kravgruppe", Kind.TEXT, nullable=True),
        Column("opprettelsesdato", Kind.DATE),
        Column("kravperiode", Kind.TEXT, nullable=True),
        Column("periode_start", Kind.DATE, nullable=True),
        Column("periode_slutt", Kind.DATE, nullable=True),
        Column("opprinnelig_beloep", Kind.AMOUNT),
    ),
)

KRAVFORFALL = Table(
    "kravforfall",
    (
        Column("kravforfallsidentifikator", Kind.KEY),
        Column("kravidentifikator", Kind.KEY, refers_to=("krav",)),
        Column("forfallsdato", Kind.DATE),
        Column("opprinnelig_beloep", Kind.AMOUNT),
        Column("utsatt_iverksettelse", Kind.FLAG),
        Column("kidnummer", Kind.TEXT, nullable=True),
        *_account(),
    ),
)

INNBETALING = Table(
    "innbetaling",
    (
        Column("innbetalingsidentifikator", Kind.KEY),
        _WHOSE,
        Column("innbetalingsdato", Kind.DATE),
        Column("innbetalt_beloep", Kind.POSITIVE_AMOUNT),
        Column("fra_kidnummer", Kind.TEXT, nullable=True),
        *_account("fra_"),
        *_account("til_"),
    ),
)

UTBETALING = Table(
    "utbetaling",
    (
        Column("utbetalingsidentifikator", Kind.KEY),
        _WHOSE,
        Column("utbetalingsbeskrivelse", Kind.TEXT, nullable=True),
        Column("utbetalingsdato", Kind.DATE),
        Column("utbetalt_beloep", Kind.POSITIVE_AMOUNT),
        Column("til_kidnummer", Kind.TEXT, nullable=True),
        *_account("til_"),
    ),
)

PLASSERING = Table(
    "plassering",
    (
        Column("plasseringsidentifikator", Kind.KEY),
        Column("plasseringstype", Kind.CODE, codes=("INNBETALING", "MOTKRAV", "UTBETALING")),
        Column("kravforfallsidentifikator", Kind.KEY, refers_to=("kravforfall",)),
        Column("motpost", Kind.KEY, refers_to=("kravforfall", "innbetaling", "utbetaling")),
        Column("plassert_beloep", Kind.POSITIVE_AMOUNT),
        Column("plasseringsdato", Kind.DATE),
    ),
)

TABLES = {table.name: table for table in (PART, KRAV, KRAVFORFALL, INNBETALING, UTBETALING, PLASSERING)}
"""All delivered tables by name, parts first and placements last, the order of the checks."""

BUT_PART = tuple(name for name in TABLES if name != "part")
"""The tables of posts: those of which an ordinary night looks at some rows only, for ``part`` is small."""

WITH_PART = tuple(name for name in BUT_PART if _WHOSE in TABLES[name].columns)
"""The tables whose rows say whose they are."""

_OF_POSTS = tuple(column for name in BUT_PART for column in TABLES[name].columns)

REFERENCES = tuple(dict.fromkeys(column.name for column in _OF_POSTS if column.refers_to))
"""The columns by which a post names other rows: a refused one leads by them to the parts that it holds back (CONTRACT
section 2)."""

REFERRED_TO_BY = {name: tuple(column.name for column in _OF_POSTS if name in column.refers_to) for name in BUT_PART}
"""By table of posts, the columns that name its rows."""

UNIQUE = {*(table.key for table in TABLES.values()), *REFERENCES} - {"part"}
"""Columns that seldom repeat: Parquet's dictionary for them, which is given up on the way, takes time and bytes."""
