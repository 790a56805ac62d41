"""Hypothesis strategies: random good ledgers, small but diverse."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.plain.balances import Kravtype, Kravtyper, Rates, Row, Rows
from tests.plain.columns import TABLES, Kind
from tests.plain.numbers import national_number, organisation_number

Draw = Callable[[st.SearchStrategy[Any]], Any]

SNAPSHOT_DATE = date(2024, 3, 1)
RATES: Rates = [
    (date(1994, 1, 1), Decimal("12.00")),
    (date(2004, 1, 1), Decimal("9.25")),
    (date(2022, 1, 1), Decimal("8.50")),
    (date(2022, 7, 1), Decimal("9.25")),
    (date(2023, 1, 1), Decimal("10.75")),
    (date(2023, 7, 1), Decimal("11.75")),
    (date(2024, 1, 1), Decimal("12.50")),
    (date(2024, 7, 1), Decimal("12.5")),
]
KRAVTYPER: Kravtyper = {
    "Skatt": Kravtype("Restskatt – «skatt»", "Skatt", True),
    "Mva": Kravtype("Merverdiavgift", "Merverdiavgift", True),
    "Forsinkelsesrente": Kravtype("Forsinkelsesrente", "Renter", False),
    "Fors.rente kredit": Kravtype("Godskrevet rente", "Renter", False),
    "Uten gruppe": Kravtype("Uten gruppe i referansedata", None, True),
    "Uten tekst": Kravtype(None, "Ærlig gruppe", True),
}

ODD_TEXTS = (
    *('"', "\\", 'a"b\\c', "a,b", "a;b", "'", "[]", "{}", "a/b", "</script>", "=1+1"),
    *("\n", "to\nlinjer", "\r\n", "a\rb", "\t", " ", "  foran og bak  ", "\x00", "\x01\x1f\x7f\x85"),
    *("null", "NULL", "None", "NaN", "true", "0123", "-0", "1e5", "2024-01-01", "å, æ og ø", "e\u0301"),
    *("\u2028\u2029", "\ufeff", "\ufffd\uffff", "\U0001f600", "\u202eabc", "krav " * 30),
)
"""Texts that a reader, writer or escaper may trip over."""

ODD_KEY_ENDS = ("", "", "", "-a", "A", '"', ",", "\\", " ", "\n", "å", "\uff5e", "\U0001f600", "x" * 50)
"""Ends of keys: code point order is neither UTF-16 order nor any language's."""

ODD_DATES = (
    *(SNAPSHOT_DATE + timedelta(days=days) for days in (-366, -365, -29, -2, -1, 0, 1, 2, 30, 366)),
    *(date(1993, 12, 31), date(1994, 1, 1), date(2003, 12, 31), date(2020, 2, 29), date(2024, 2, 29)),
    *(date(1899, 12, 31), date(1, 1, 1), date(2999, 12, 31), date(9999, 12, 31)),
)

texts = st.one_of(
    st.none(),
    st.sampled_from(("Skatt 2023", "Mva 2. termin", "Innbetaling")),
    st.sampled_from(ODD_TEXTS),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
)
accounts = st.one_of(
    texts, st.sampled_from(("97101123456", "12345", "1234", "123456", "NO9386011117947", "*****12345"))
)
days = st.one_of(
    st.sampled_from(ODD_DATES),
    st.dates(SNAPSHOT_DATE - timedelta(days=900), SNAPSHOT_DATE + timedelta(days=90)),
)
oere = st.one_of(
    st.integers(1, 50).map(lambda kroner: kroner * 100_00),
    st.integers(1, 9_999_999),
    st.sampled_from((1, 99, 100, 61_244_00, 10**12 + 1)),
)
kravtyper = st.sampled_from((*KRAVTYPER, "Ukjent type", '"', "x" * 64))
kravgrupper = st.one_of(st.none(), st.sampled_from(("Skatt", "Ærlig gruppe", "Andre krav", "A\\B", "\U0001f600")))


@dataclass
class Ledger:
    """A ledger under way: its rows, and what is left to place of each post, in oere."""

    rows: Rows = field(default_factory=lambda: {name: [] for name in TABLES})
    left: dict[tuple[str, str], int] = field(default_factory=dict)

    def with_left(self, table: str, sign: int = 0) -> list[str]:
        """Keys of the posts in ``table`` (of this sign) with something left to place, in order."""
        amount = TABLES[table].amount
        return [
            row[TABLES[table].key]
            for row in self.rows[table]
            if self.left[table, row[TABLES[table].key]] and row[amount] * sign >= 0
        ]


def kroner(oere_amount: int) -> Decimal:
    return Decimal(oere_amount).scaleb(-2)


@st.composite
def good_ledgers(draw: Draw, largest: int = 4, big_amounts: bool = False) -> Rows:
    """Accepted rows of a few parts, in no particular order; ``largest`` bounds each kind of post."""
    ledger = Ledger()
    _add_parts(draw, ledger, largest)
    numbers = st.sampled_from([row["part"] for row in ledger.rows["part"]])
    amounts = st.one_of(oere, st.integers(10**15, 10**18 - 1)) if big_amounts else oere
    for index in range(draw(st.integers(0, largest))):
        _add_krav(draw, ledger, index, numbers, amounts)
    for table in ("innbetaling", "utbetaling"):
        for index in range(draw(st.integers(0, largest))):
            _add_money(draw, ledger, table, index, numbers, amounts)
    for index in range(draw(st.integers(0, 2 * largest))):
        _add_placement(draw, ledger, index)
    return {table: draw(st.permutations(rows)) for table, rows in ledger.rows.items()}


def _add_parts(draw: Draw, ledger: Ledger, largest: int) -> None:
    persons = [national_number(index) for index in range(draw(st.integers(1, 3)))]
    rows = [{"part": number, "parttype": "PERSON", "innehaver": None} for number in persons]
    for index in range(draw(st.integers(0, largest))):
        owner = draw(st.one_of(st.none(), st.sampled_from(persons)))
        parttype = "ENK" if owner else "VIRKSOMHET"
        rows.append({"part": organisation_number(index), "parttype": parttype, "innehaver": owner})
    ledger.rows["part"] = rows


def _key(draw: Draw, prefix: str, index: int) -> str:
    """Distinct within a table, now and then the same in two tables."""
    return f"{draw(st.sampled_from((prefix, 'x')))}{index}{draw(st.sampled_from(ODD_KEY_ENDS))}"


def _other_columns(draw: Draw, table: str, row: Row) -> Row:
    """The row with the texts and dates that it has not been given yet."""
    for column in TABLES[table].columns:
        if column.name in row:
            continue
        if column.kind is Kind.DATE:
            row[column.name] = draw(st.one_of(st.none(), days) if column.nullable else days)
        elif column.kind is Kind.FLAG:
            row[column.name] = draw(st.booleans())
        else:
            row[column.name] = draw(accounts if "konto" in column.name or "iban" in column.name else texts)
    return {name: row[name] for name in TABLES[table].names}


def _add_krav(draw: Draw, ledger: Ledger, index: int, numbers: Any, amounts: Any) -> None:
    sign = draw(st.sampled_from((1, 1, -1, 0)))
    shares = draw(st.lists(st.one_of(amounts, st.just(0)), min_size=1, max_size=3))
    shares = [sign * (share // len(shares)) for share in shares]
    if sign == 0 and draw(st.booleans()):
        shares = [100_00, -100_00]  # a krav of 0 may have due dates of both signs
    key = _key(draw, "k", index)
    row = {
        "kravidentifikator": key,
        "part": draw(numbers),
        "kravtype": draw(kravtyper),
        "kravgruppe": draw(kravgrupper),
        "opprinnelig_beloep": kroner(sum(shares)),
    }
    ledger.rows["krav"].append(_other_columns(draw, "krav", row))
    for share in shares:
        due = {
            "kravforfallsidentifikator": _key(draw, "f", len(ledger.rows["kravforfall"])),
            "kravidentifikator": key,
            "opprinnelig_beloep": kroner(share),
        }
        _add(ledger, "kravforfall", _other_columns(draw, "kravforfall", due), abs(share))


def _add_money(draw: Draw, ledger: Ledger, table: str, index: int, numbers: Any, amounts: Any) -> None:
    amount = draw(amounts)
    schema = TABLES[table]
    row: Row = {schema.key: _key(draw, table[0], index), "part": draw(numbers)}
    row[schema.amount] = kroner(amount)
    _add(ledger, table, _other_columns(draw, table, row), amount)


def _add(ledger: Ledger, table: str, row: Row, left: int) -> None:
    ledger.rows[table].append(row)
    ledger.left[table, row[TABLES[table].key]] = left


def _add_placement(draw: Draw, ledger: Ledger, index: int) -> None:
    """A placement between two posts that have something left, if there are any."""
    plasseringstype = draw(st.sampled_from(("INNBETALING", "INNBETALING", "MOTKRAV", "UTBETALING")))
    credits, debits = ledger.with_left("kravforfall", -1), ledger.with_left("kravforfall", 1)
    on, motpost_table, motposts = {
        "INNBETALING": (debits, "innbetaling", ledger.with_left("innbetaling")),
        "MOTKRAV": (debits, "kravforfall", credits),
        "UTBETALING": (credits, "utbetaling", ledger.with_left("utbetaling")),
    }[plasseringstype]
    if not on or not motposts:
        return
    due, motpost = draw(st.sampled_from(on)), draw(st.sampled_from(motposts))
    most = min(ledger.left["kravforfall", due], ledger.left[motpost_table, motpost])
    amount = draw(st.one_of(st.just(most), st.integers(1, most)))
    ledger.left["kravforfall", due] -= amount
    ledger.left[motpost_table, motpost] -= amount
    row = {
        "plasseringsidentifikator": _key(draw, "p", index),
        "plasseringstype": plasseringstype,
        "kravforfallsidentifikator": due,
        "motpost": motpost,
        "plassert_beloep": kroner(amount),
    }
    ledger.rows["plassering"].append(_other_columns(draw, "plassering", row))
