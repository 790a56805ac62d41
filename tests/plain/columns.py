"""The delivered tables as the contract has them, apart from the system's own schema, which may slip."""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a cell holds."""

    TEXT = "any text"
    KEY = "1-64 characters"
    NUMBER = "an organisation or national number"
    CODE = "one of a few words"
    DATE = "YYYY-MM-DD"
    AMOUNT = "kroner"
    POSITIVE_AMOUNT = "kroner, above 0"
    FLAG = "true or false"


AMOUNTS = (Kind.AMOUNT, Kind.POSITIVE_AMOUNT)

COLUMNS = {
    "part": "part parttype innehaver?",
    "krav": """kravidentifikator part kravtype kravbeskrivelse? kravgruppe? opprettelsesdato kravperiode?
        periode_start? periode_slutt? opprinnelig_beloep""",
    "kravforfall": """kravforfallsidentifikator kravidentifikator forfallsdato opprinnelig_beloep
        utsatt_iverksettelse kidnummer? bankinformasjon? kontoeiers_navn? kontonummer? iban? swift_bic?""",
    "innbetaling": """innbetalingsidentifikator part innbetalingsdato innbetalt_beloep fra_kidnummer?
        fra_bankinformasjon? fra_kontoeiers_navn? fra_kontonummer? fra_iban? fra_swift_bic?
        til_bankinformasjon? til_kontoeiers_navn? til_kontonummer? til_iban? til_swift_bic?""",
    "utbetaling": """utbetalingsidentifikator part utbetalingsbeskrivelse? utbetalingsdato utbetalt_beloep
        til_kidnummer? til_bankinformasjon? til_kontoeiers_navn? til_kontonummer? til_iban? til_swift_bic?""",
    "plassering": """plasseringsidentifikator plasseringstype kravforfallsidentifikator motpost
        plassert_beloep plasseringsdato""",
}
"""Key first; ``?`` may be null."""

CODES = {
    "parttype": ("VIRKSOMHET", "ENK", "PERSON"),
    "plasseringstype": ("INNBETALING", "MOTKRAV", "UTBETALING"),
}
KINDS = {
    **dict.fromkeys(("parttype", "plasseringstype"), Kind.CODE),
    **dict.fromkeys(("opprettelsesdato", "periode_start", "periode_slutt", "forfallsdato"), Kind.DATE),
    **dict.fromkeys(("innbetalingsdato", "utbetalingsdato", "plasseringsdato"), Kind.DATE),
    **dict.fromkeys(("innbetalt_beloep", "utbetalt_beloep", "plassert_beloep"), Kind.POSITIVE_AMOUNT),
    **dict.fromkeys(("kravtype", "motpost", "part"), Kind.KEY),
    "opprinnelig_beloep": Kind.AMOUNT,
    "utsatt_iverksettelse": Kind.FLAG,
    "innehaver": Kind.NUMBER,
}
"""By name; an identifier is a KEY and the rest are TEXT. ``part`` is a NUMBER in its own table, where the
check digits are checked, and elsewhere an identifier that refers to it."""


@dataclass(frozen=True)
class Column:
    name: str
    kind: Kind
    nullable: bool
    codes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    name: str
    columns: tuple[Column, ...]

    @property
    def key(self) -> str:
        return self.columns[0].name

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def amount(self) -> str:
        """The column that ``kontrollsum`` sums; empty for ``part``."""
        return next((column.name for column in self.columns if column.kind in AMOUNTS), "")

    def __getitem__(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


def _column(table: str, said: str) -> Column:
    name = said.removesuffix("?")
    kind = Kind.KEY if name.endswith("identifikator") else KINDS.get(name, Kind.TEXT)
    if (table, name) == ("part", "part"):
        kind = Kind.NUMBER
    return Column(name, kind, said.endswith("?"), CODES.get(name, ()))


TABLES = {
    table: Table(table, tuple(_column(table, said) for said in names.split())) for table, names in COLUMNS.items()
}
REMOVED = Column("slettet", Kind.FLAG, nullable=True)
