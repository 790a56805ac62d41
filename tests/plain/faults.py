"""Hypothesis strategies: a few nights of deliveries from two sources, with faults in them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.plain.balances import Row, Rows
from tests.plain.columns import AMOUNTS, TABLES, Kind
from tests.plain.deliveries import Number
from tests.plain.numbers import national_number, organisation_number, with_wrong_check_digit
from tests.plain.strategies import SNAPSHOT_DATE, Draw, good_ledgers, oere, texts
from tests.plain.strategies import kroner as in_kroner
from tests.plain.write import FORMATS, write_delivery

SOURCES = ("mva", "skatt-2")
EXTRACTED = "2024-02-29T23:00:00+01:00"
Fault = Callable[[Draw, Rows, Rows], None]
"""Spoils the tables of one delivery, given the whole ledger to take things from."""

REFERENCES = {
    "krav": ("part",),
    "kravforfall": ("kravidentifikator",),
    "innbetaling": ("part",),
    "utbetaling": ("part",),
    "plassering": ("kravforfallsidentifikator", "motpost", "plasseringstype"),
    "part": ("innehaver", "part", "parttype"),
}
"""Columns whose value another row's value, or another valid one, may take the place of."""

BAD_VALUES: dict[Kind, tuple[str, ...]] = {
    Kind.TEXT: ("", " "),
    Kind.KEY: ("", "x" * 65, "finnes ikke"),
    Kind.NUMBER: (
        *("", "abc", "123", "０１２３４５６７８", " " + organisation_number(1)),
        *(with_wrong_check_digit(national_number(0)), with_wrong_check_digit(organisation_number(0))),
        *(national_number(77), organisation_number(77)),
    ),
    Kind.CODE: ("", "enk", "PERSON ", "MOTKRAV", "ENK", "UTBETALING"),
    Kind.DATE: ("", "2023-02-29", "2023-2-1", "20230201", "2023-02-01T00:00:00", "0000-01-01", "10000-01-01"),
    Kind.AMOUNT: ("", "1,00", "1.234", "1e5", " 1.00", "+1", ".5", "1.", "-0", "0", "12345678901234567", "٣"),
    Kind.POSITIVE_AMOUNT: ("", "-1.00", "0", "0.00", "-0", "NaN", "1.000", "1_000", "0.01", "9999999.99"),
    Kind.FLAG: ("", "ja", "True", "1", "0"),
}
"""Values that are mostly refused; some are good and make trouble further on."""


@dataclass(frozen=True)
class Plan:
    """One delivery to write; a broken one must be refused whole."""

    kilde: str
    nr: int
    type: str
    tables: Rows = field(repr=False)
    format: str = "csv"
    split: int = 1
    broken: bool = False

    @property
    def number(self) -> Number:
        return self.kilde, self.nr

    def write(self, inbox: Path) -> Path:
        return write_delivery(
            inbox,
            self.kilde,
            self.nr,
            self.type,
            self.tables,
            uttrekkstidspunkt=EXTRACTED,
            format=self.format,
            split=self.split,
            manifest_changes=_spoil_manifest if self.broken else None,
        )


@dataclass(frozen=True)
class NightPlan:
    """What arrives before one night, and the day that it is run for."""

    snapshot_date: date
    deliveries: list[Plan]


def _spoil_manifest(manifest: dict[str, Any]) -> None:
    for described in manifest["tabeller"].values():
        described["rader"] += 1


def refused_numbers(nights: Iterable[NightPlan]) -> set[Number]:
    """Of all that has arrived so far, what lies broken in the inbox."""
    latest = {plan.number: plan for night in nights for plan in night.deliveries}
    return {number for number, plan in latest.items() if plan.broken}


@st.composite
def faulty_nights(draw: Draw, most_nights: int = 3, largest: int = 4) -> list[NightPlan]:
    """One good ledger, spread over two sources, spoilt and mended over some nights."""
    ledger = draw(good_ledgers(largest=largest))
    shares = _shares(draw, ledger)
    numbers = dict.fromkeys(SOURCES, 1)  # the highest number so far
    first = [_full(draw, kilde, 1, ledger, shares[kilde]) for kilde in SOURCES]
    nights = [NightPlan(SNAPSHOT_DATE, first)]
    for later in range(1, draw(st.integers(1, most_nights))):
        plans = []
        for kilde in SOURCES:
            for _ in range(draw(st.sampled_from((0, 1, 1, 2)))):
                nr = _next_number(draw, numbers[kilde])
                numbers[kilde] = max(nr, numbers[kilde])
                plans.append(_later_delivery(draw, kilde, nr, ledger, shares[kilde]))
        nights.append(NightPlan(SNAPSHOT_DATE + timedelta(days=later), plans))
    return nights


DAYS_ON = (0, 0, 1, 1, 1, 2, -1, 45)


@st.composite
def ordinary_nights(draw: Draw, most_nights: int = 5, largest: int = 6) -> list[NightPlan]:
    """One ledger, spread over two sources, and then nothing but changes, some of them faulty."""
    ledger = draw(good_ledgers(largest=largest))
    shares = _shares(draw, ledger)
    day = SNAPSHOT_DATE
    nights = [NightPlan(day, [_full(draw, kilde, 1, ledger, shares[kilde]) for kilde in SOURCES])]
    numbers = dict.fromkeys(SOURCES, 1)
    for _ in range(draw(st.integers(1, most_nights - 1))):
        plans = []
        for kilde in SOURCES:
            if draw(st.booleans()):
                numbers[kilde] += 1
                plan = _endring(draw, kilde, numbers[kilde], ledger, draw(st.sampled_from((shares[kilde], ledger))))
                if draw(st.booleans()):
                    plan.tables.setdefault("krav", []).append(_without_due_dates(draw, ledger))
                plans.append(plan)
        day += timedelta(days=draw(st.sampled_from(DAYS_ON)))
        nights.append(NightPlan(day, plans))
    return nights


def _without_due_dates(draw: Draw, ledger: Rows) -> Row:
    """A krav that holds one part back, and on another night lets it go again."""
    whose = draw(st.sampled_from([row["part"] for row in ledger["part"]]))
    said = {"kravidentifikator": "uten forfall", "part": whose, "kravtype": "Skatt", "opprettelsesdato": SNAPSHOT_DATE}
    row = dict.fromkeys(TABLES["krav"].names) | said | {"opprinnelig_beloep": Decimal("7.00")}
    return row | {"slettet": draw(st.booleans())}


def _next_number(draw: Draw, highest: int) -> int:
    """Mostly the next; sometimes leaving a gap, sometimes one that has been there or is missing."""
    step = draw(st.sampled_from((1, 1, 1, 1, 2, 0, -1)))
    return max(1, highest + step)


def _shares(draw: Draw, ledger: Rows) -> dict[str, Rows]:
    """Each row to one source, a few to both."""
    places = st.sampled_from(((0,), (0,), (0,), (0,), (1,), (1,), (0, 1)))
    shares: dict[str, Rows] = {kilde: {table: [] for table in TABLES} for kilde in SOURCES}
    for table, rows in ledger.items():
        for row in rows:
            for place in draw(places):
                shares[SOURCES[place]][table].append(row)
    return shares


def _full(draw: Draw, kilde: str, nr: int, ledger: Rows, share: Rows) -> Plan:
    tables = copied(share)
    for _ in range(draw(st.sampled_from((0, 0, 0, 0, 1, 1, 2, 3)))):
        draw(st.sampled_from(FAULTS))(draw, tables, ledger)
    return _plan(draw, kilde, nr, "full", tables)


def _later_delivery(draw: Draw, kilde: str, nr: int, ledger: Rows, share: Rows) -> Plan:
    if nr == 1 or draw(st.sampled_from((False, False, False, True))):
        return _full(draw, kilde, nr, ledger, share)
    return _endring(draw, kilde, nr, ledger, draw(st.sampled_from((share, share, share, ledger))))


def _endring(draw: Draw, kilde: str, nr: int, ledger: Rows, source: Rows) -> Plan:
    """Some of the ledger's rows as they should be, some spoilt, some removed."""
    places = [(table, index) for table, rows in source.items() for index in range(len(rows))]
    chosen = draw(st.lists(st.sampled_from(places), max_size=5, unique=True)) if places else []
    tables: Rows = {table: [] for table in TABLES}
    for table, index in chosen:
        tables[table].append(dict(source[table][index]))
    for _ in range(draw(st.sampled_from((0, 1, 1, 2)))):
        draw(st.sampled_from(FAULTS))(draw, tables, ledger)
    if draw(st.booleans()):
        _mark_removed(draw, tables)
    return _plan(draw, kilde, nr, "endring", {name: rows for name, rows in tables.items() if rows})


def _mark_removed(draw: Draw, tables: Rows) -> None:
    """Give every row the column ``slettet``; of a removed row nothing but the key counts."""
    flags = st.sampled_from((True, True, True, False, None, "ja"))
    for table, rows in tables.items():
        for row in rows:
            row["slettet"] = draw(flags)
            if row["slettet"] is True and draw(st.booleans()):
                row |= dict.fromkeys(TABLES[table].names[1:])


def _plan(draw: Draw, kilde: str, nr: int, type: str, tables: Rows) -> Plan:
    broken = bool(tables) and draw(st.integers(0, 11)) == 11
    return Plan(kilde, nr, type, tables, draw(st.sampled_from(FORMATS)), draw(st.integers(1, 2)), broken)


def copied(tables: Rows) -> Rows:
    return {table: [dict(row) for row in rows] for table, rows in tables.items()}


def _a_row(draw: Draw, tables: Rows, among: Iterable[str] = TABLES) -> tuple[str, Row] | None:
    filled = [table for table in among if tables.get(table)]
    if not filled:
        return None
    table = draw(st.sampled_from(filled))
    return table, tables[table][draw(st.integers(0, len(tables[table]) - 1))]


def spoil_value(draw: Draw, tables: Rows, ledger: Rows) -> None:
    """A null or a bad value anywhere."""
    found = _a_row(draw, tables)
    if found:
        table, row = found
        column = draw(st.sampled_from(TABLES[table].columns))
        row[column.name] = draw(st.sampled_from((None, *BAD_VALUES[column.kind])))


def drop_row(draw: Draw, tables: Rows, ledger: Rows) -> None:
    """A row that never came: its references dangle, its krav no longer sums."""
    found = _a_row(draw, tables)
    if found:
        tables[found[0]] = [row for row in tables[found[0]] if row is not found[1]]


def double_row(draw: Draw, tables: Rows, ledger: Rows) -> None:
    """A key in two rows, with the same content or other, good or bad."""
    found = _a_row(draw, tables)
    if found:
        table, row = found
        twin = dict(row)
        tables[table] = [*tables[table], twin]
        kind = draw(st.sampled_from((None, change_text, spoil_value, change_amount)))
        if kind:
            kind(draw, {table: [twin]}, ledger)


def change_amount(draw: Draw, tables: Rows, ledger: Rows) -> None:
    """Another good amount: sums fail, or more is placed than there is."""
    found = _a_row(draw, tables, [name for name, table in TABLES.items() if table.amount])
    if found:
        table, row = found
        column = next(column for column in TABLES[table].columns if column.kind in AMOUNTS)
        was = row[column.name] if isinstance(row[column.name], Decimal) else Decimal(1)
        row[column.name] = draw(st.sampled_from((-was, was * 2, was + 1, in_kroner(draw(oere)))))


def change_text(draw: Draw, tables: Rows, ledger: Rows) -> None:
    """Another text: harmless, unless another source says otherwise."""
    found = _a_row(draw, tables, ["krav", "kravforfall", "innbetaling", "utbetaling"])
    if found:
        table, row = found
        names = [column.name for column in TABLES[table].columns if column.kind is Kind.TEXT]
        row[draw(st.sampled_from(names))] = draw(texts)


def point_elsewhere(draw: Draw, tables: Rows, ledger: Rows) -> None:
    """A reference takes the value of another row's column, of any table."""
    found, other = _a_row(draw, tables), _a_row(draw, ledger)
    if found and other:
        table, row = found
        pick = draw(st.sampled_from((TABLES[other[0]].key, *REFERENCES[other[0]])))
        row[draw(st.sampled_from(REFERENCES[table]))] = other[1][pick]


def lose_reference(draw: Draw, tables: Rows, ledger: Rows) -> None:
    """A row that no longer says whose it is: only the last snapshot can tell."""
    found = _a_row(draw, tables)
    if found:
        table, row = found
        row[draw(st.sampled_from(REFERENCES[table]))] = draw(st.sampled_from((None, "finnes ikke")))


def place_anything(draw: Draw, tables: Rows, ledger: Rows) -> None:
    """One more placement, on a due date that may be of the wrong kind, of too much or just 1 krone."""
    plasseringstype = draw(st.sampled_from(TABLES["plassering"]["plasseringstype"].codes))
    motpost_table = {"INNBETALING": "innbetaling", "UTBETALING": "utbetaling"}.get(plasseringstype, "kravforfall")
    due, motpost = _a_row(draw, ledger, ["kravforfall"]), _a_row(draw, ledger, [motpost_table])
    if not due or not motpost:
        return
    placed: Row = {
        "plasseringsidentifikator": f"ny{len(tables['plassering'])}",
        "plasseringstype": plasseringstype,
        "kravforfallsidentifikator": due[1]["kravforfallsidentifikator"],
        "motpost": motpost[1][TABLES[motpost_table].key],
        "plassert_beloep": draw(st.sampled_from((Decimal(1), abs(due[1]["opprinnelig_beloep"]) + 1))),
        "plasseringsdato": SNAPSHOT_DATE,
    }
    tables["plassering"] = [*tables["plassering"], placed]


def bend_due_dates(draw: Draw, tables: Rows, ledger: Rows) -> None:
    """The due dates of a krav still sum to it, but one may get the opposite sign."""
    found = _a_row(draw, tables, ["kravforfall"])
    if found and isinstance(found[1]["opprinnelig_beloep"], Decimal):
        _, row = found
        by = draw(st.sampled_from((row["opprinnelig_beloep"] * 2, in_kroner(1))))
        twin = {**row, "kravforfallsidentifikator": "bøyd", "opprinnelig_beloep": by}
        row["opprinnelig_beloep"] -= by
        tables["kravforfall"] = [*tables["kravforfall"], twin]


FAULTS: tuple[Fault, ...] = (
    spoil_value,
    spoil_value,
    drop_row,
    double_row,
    change_amount,
    change_text,
    point_elsewhere,
    lose_reference,
    place_anything,
    bend_due_dates,
)
