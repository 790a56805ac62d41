"""The tables of a snapshot: their columns, types and what they mean to the analyst who reads them.

This is the single source of the columns of a published table. The Parquet files and what they are checked against, the
frames without rows, the analysts' views and the columns in ``docs/tables.md`` all follow from it.
"""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import polars as pl

from schemas import tables as delivered
from schemas.tables import AMOUNTS, Column, Kind, Table


class Form(NamedTuple):
    """How a cell is kept in the Parquet files, and the type that DuckDB shows it as in the analysts' views."""

    stored: pl.DataType
    shown: str


class Holds(Enum):
    """What a cell holds. Amounts are øre in the files, kroner in the views."""

    TEXT = Form(pl.String(), "VARCHAR")
    DATE = Form(pl.Date(), "DATE")
    FLAG = Form(pl.Boolean(), "BOOLEAN")
    COUNT = Form(pl.UInt32(), "UINTEGER")
    AMOUNT = Form(pl.Int64(), "DECIMAL(38,2)")
    SUM = Form(pl.Decimal(38, 0), "DECIMAL(38,2)")  # may pass 64 bits, and Parquet has no integers of 128


@dataclass(frozen=True)
class PublishedColumn:
    """A column of a published table, told in one sentence; it may be in the files or in the view only.

    ``source``: the table and column of the deliveries that it has its values from, if it has.
    """

    name: str
    holds: Holds
    told: str
    in_files: bool = True
    in_view: bool = True
    source: str = ""

    @property
    def is_amount(self) -> bool:
        """Whether the files have it in øre, and the view in kroner."""
        return self.holds in (Holds.AMOUNT, Holds.SUM)


@dataclass(frozen=True)
class PublishedTable:
    """A table of a snapshot, told in a few sentences. ``key``: the columns that tell its rows apart."""

    name: str
    told: str
    columns: tuple[PublishedColumn, ...]
    key: tuple[str, ...]

    @property
    def stored(self) -> pl.Schema:
        """The columns of its Parquet files, in their order."""
        return pl.Schema({column.name: column.holds.value.stored for column in self.columns if column.in_files})

    @property
    def shown(self) -> tuple[PublishedColumn, ...]:
        """The columns of its view, in their order."""
        return tuple(column for column in self.columns if column.in_view)


def _holds(column: Column) -> Holds:
    """What a column of a delivered table holds."""
    if column.kind in AMOUNTS:
        return Holds.AMOUNT
    return {Kind.DATE: Holds.DATE, Kind.FLAG: Holds.FLAG}.get(column.kind, Holds.TEXT)


def _delivered(table: Table, **told: str) -> tuple[PublishedColumn, ...]:
    """Columns of a delivered table, in the order told."""
    return tuple(
        PublishedColumn(name, _holds(table[name]), text, source=f"{table.name}.{name}") for name, text in told.items()
    )


def _account(prefix: str, whose: str) -> dict[str, str]:
    return {
        f"{prefix}bankinformasjon": f"the bank of {whose}",
        f"{prefix}kontoeiers_navn": f"the holder of {whose}",
        f"{prefix}kontonummer": f"the number of {whose}",
        f"{prefix}iban": f"the IBAN of {whose}",
        f"{prefix}swift_bic": f"the SWIFT code or BIC of {whose}",
    }


def _payer() -> dict[str, str]:
    """The account that a payment came from: masked, without its IBAN, its number last."""
    account = _account("fra_", "the account that it came from")
    number = account.pop("fra_kontonummer")
    del account["fra_iban"]
    return account | _account("til_", "the account that it went to") | {"fra_kontonummer": f"{number}, masked"}


def _one_of(column: Column) -> str:
    return f"{', '.join(f'`{code}`' for code in column.codes[:-1])} or `{column.codes[-1]}`"


def _fails(table: Table) -> tuple[PublishedColumn, ...]:
    """For each column with check digits, whether they fail."""
    return tuple(
        PublishedColumn(f"{name}_feiler", Holds.FLAG, f"whether the check digits of the delivered `{name}` fail")
        for name in table.names
        if name.endswith(("kidnummer", "kontonummer", "iban"))
    )


DELIVERED_BY = (
    PublishedColumn("kilde", Holds.TEXT, "the source that delivered the row, the first by name where two say the same"),
    PublishedColumn("leveransenummer", Holds.COUNT, "the number of the delivery of that source that the row is from"),
)
"""Where a row is from. Null in rows that have been carried over from a snapshot of an earlier program."""

SEGMENT = PublishedColumn("segment", Holds.TEXT, "the segment that the row was written with", in_view=False)

PART = PublishedTable(
    "part",
    "One row per part with documents.",
    (
        *_delivered(
            delivered.PART,
            part="its number: nine digits of an organisation, eleven of a person",
            parttype=_one_of(delivered.PART["parttype"]),
            innehaver="who owns it, if it is an `ENK`, as in its documents",
        ),
        PublishedColumn(
            "husholdning", Holds.TEXT, "its owner, or the part itself: what belongs to one person", in_files=False
        ),
        PublishedColumn("snapshotdato", Holds.DATE, "the date of the snapshot that its documents are of"),
        *DELIVERED_BY,
        PublishedColumn("segment", Holds.TEXT, "the segment of its histories", in_view=False),
        PublishedColumn("oversikt_segment", Holds.TEXT, "the segment of its overview", in_view=False),
    ),
    key=("part",),
)

KRAV = PublishedTable(
    "krav",
    "One row per krav.",
    (
        *_delivered(
            delivered.KRAV,
            kravidentifikator="its identifier in its ledger",
            part="whose it is",
            kravtype="the code of what kind it is",
            kravbeskrivelse="the delivered text, else its kravtype's in the reference data, else its kravtype",
            kravgruppe="the delivered one, else its kravtype's in the reference data, else `Andre krav`",
            opprettelsesdato="when it was made",
            kravperiode="the period that it is for, as text",
            periode_start="the first day of that period",
            periode_slutt="the last day of that period",
            opprinnelig_beloep="what it was: > 0 is owed by the part, < 0 to the part",
        ),
        PublishedColumn(
            "termin",
            Holds.TEXT,
            "its period in one spelling: `2026`, `2026-H1` (half-year), `2026-K1` (quarter), `2026-T1` (two months), "
            "`2026-M01` (month), else null",
            in_files=False,
        ),
        PublishedColumn("renteberegnes", Holds.FLAG, "whether it bears interest"),
        PublishedColumn("gjenstaaende_beloep", Holds.SUM, "what remains, over its due dates"),
        PublishedColumn("aapent", Holds.FLAG, "whether something remains of any of its due dates"),
        PublishedColumn("antall_forfall", Holds.COUNT, "how many due dates it has"),
        PublishedColumn("stipulerte_renter", Holds.SUM, "the interest, over its due dates"),
        PublishedColumn("forfalte_krav", Holds.SUM, "what remains of its due dates that are overdue"),
        PublishedColumn("ikke_forfalte_krav", Holds.SUM, "what remains of its due dates that are not"),
        *DELIVERED_BY,
        SEGMENT,
    ),
    key=("kravidentifikator",),
)

KRAVFORFALL = PublishedTable(
    "kravforfall",
    "One row per due date.",
    (
        *_delivered(
            delivered.KRAVFORFALL,
            kravforfallsidentifikator="its identifier in its ledger",
            kravidentifikator="the krav that it is a due date of",
            forfallsdato="when it is due",
            opprinnelig_beloep="what it was, with the sign of its krav",
            utsatt_iverksettelse="whether its collection is deferred",
            kidnummer="the KID to pay with",
            **_account("", "the account to pay to"),
        ),
        PublishedColumn("part", Holds.TEXT, "whose its krav is"),
        PublishedColumn("gjenstaaende_beloep", Holds.AMOUNT, "what remains: of a debit ≥ 0, of a credit ≤ 0"),
        PublishedColumn("renteberegnes", Holds.FLAG, "whether its krav bears interest"),
        PublishedColumn("stipulerte_renter", Holds.SUM, "the interest, in whole kroner"),
        PublishedColumn("forfalt", Holds.FLAG, "whether it is before the date of its part's documents", in_files=False),
        *_fails(delivered.KRAVFORFALL),
        *DELIVERED_BY,
        SEGMENT,
    ),
    key=("kravforfallsidentifikator",),
)

INNBETALING = PublishedTable(
    "innbetaling",
    "One row per payment in. `fra_iban` is left out, as in the documents.",
    (
        *_delivered(
            delivered.INNBETALING,
            innbetalingsidentifikator="its identifier in its ledger",
            part="whose it is",
            innbetalingsdato="when it was paid",
            innbetalt_beloep="what was paid, > 0",
            fra_kidnummer="the KID that it was paid with",
            **_payer(),
        ),
        PublishedColumn("uplassert_beloep", Holds.AMOUNT, "what of it is not placed, ≥ 0"),
        *_fails(delivered.INNBETALING),
        *DELIVERED_BY,
        SEGMENT,
    ),
    key=("innbetalingsidentifikator",),
)

UTBETALING = PublishedTable(
    "utbetaling",
    "One row per payout.",
    (
        *_delivered(
            delivered.UTBETALING,
            utbetalingsidentifikator="its identifier in its ledger",
            part="whose it is",
            utbetalingsbeskrivelse="what it is, as text",
            utbetalingsdato="when it was paid out",
            utbetalt_beloep="what was paid out, > 0",
            til_kidnummer="the KID that it was paid out with",
            **_account("til_", "the account that it went to"),
        ),
        *_fails(delivered.UTBETALING),
        *DELIVERED_BY,
        SEGMENT,
    ),
    key=("utbetalingsidentifikator",),
)

PLASSERING = PublishedTable(
    "plassering",
    "One row per end of a placement that lies with a part here. Both ends are here unless the other's part has no "
    "documents, or older ones. `ende` and `post` are in place of `kravforfallsidentifikator`.",
    (
        *_delivered(
            delivered.PLASSERING,
            plasseringsidentifikator="its identifier in its ledger, the same at both ends",
            plasseringstype=_one_of(delivered.PLASSERING["plasseringstype"]),
        ),
        PublishedColumn("part", Holds.TEXT, "whose end it is"),
        PublishedColumn(
            "ende", Holds.TEXT, "`kravforfall`, the due date that is covered or paid out, or `motpost`, what does it"
        ),
        PublishedColumn("post", Holds.TEXT, "the identifier of the post at this end"),
        *_delivered(
            delivered.PLASSERING,
            motpost="the identifier of the post at the other end, whichever end that is",
            plassert_beloep="what is placed, > 0",
            plasseringsdato="when it was placed",
        ),
        *DELIVERED_BY,
        SEGMENT,
    ),
    key=("plasseringsidentifikator", "ende"),
)

_SHOWN_TO = PublishedColumn("forespurt_part", Holds.TEXT, "the part whose overview it is")
_TOTALS = (
    PublishedColumn("stipulerte_renter", Holds.SUM, "the interest of open krav"),
    PublishedColumn("forfalte_krav", Holds.SUM, "what remains of open krav and is overdue"),
    PublishedColumn("ikke_forfalte_krav", Holds.SUM, "what remains of open krav and is not overdue"),
)
_SALDO = PublishedColumn("saldo", Holds.SUM, "the sum of the amounts before it")

OVERSIKT = PublishedTable(
    "oversikt",
    "One row per part with documents. An `ENK`'s has the posts of its owner too.",
    (
        _SHOWN_TO,
        *_TOTALS,
        PublishedColumn("uplasserte_innbetalinger", Holds.SUM, "what of payments is not placed, ≤ 0"),
        _SALDO,
        SEGMENT,
    ),
    key=("forespurt_part",),
)

OVERSIKT_PER_KRAVGRUPPE = PublishedTable(
    "oversikt_per_kravgruppe",
    "One row per part and kravgruppe with an open krav. Payments that are not placed are in none.",
    (_SHOWN_TO, PublishedColumn("kravgruppe", Holds.TEXT, "the kravgruppe of the krav"), *_TOTALS, _SALDO, SEGMENT),
    key=("forespurt_part", "kravgruppe"),
)

PUBLISHED = {
    table.name: table
    for table in (
        *(PART, KRAV, KRAVFORFALL, INNBETALING, UTBETALING, PLASSERING),
        *(OVERSIKT, OVERSIKT_PER_KRAVGRUPPE),
    )
}
"""All tables of a snapshot by name, parts first and what is made of the others last."""
