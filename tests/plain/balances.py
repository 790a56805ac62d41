"""The rules of section 3 over accepted rows: remaining, open, overdue, interest, unplaced."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any, NamedTuple

Row = dict[str, Any]
Rows = dict[str, list[Row]]
Rates = list[tuple[date, Decimal]]
ZERO = Decimal(0)
LEAST_INTEREST = 50


class Kravtype(NamedTuple):
    """One row of the reference data, under its kravtype."""

    tekst: str | None
    kravgruppe: str | None
    renteberegnes: bool


Kravtyper = dict[str, Kravtype]


def rate_days(rates: Rates, after: date, through: date) -> Fraction:
    """The sum of the yearly rates (percent) of every day after ``after`` through ``through``."""
    ordered = sorted(rates)
    total = Fraction(0)
    for index, (start, rate) in enumerate(ordered):
        first = max(start.toordinal(), after.toordinal() + 1)
        last = through.toordinal()
        if index + 1 < len(ordered):
            last = min(last, ordered[index + 1][0].toordinal() - 1)
        total += max(0, last - first + 1) * Fraction(rate)
    return total


class Ledger:
    """All accepted posts, found by their keys and by what they are placed on."""

    def __init__(self, rows: Rows, snapshot_date: date, rates: Rates, kravtyper: Kravtyper) -> None:
        self.snapshot_date = snapshot_date
        self.rates = rates
        self.kravtyper = kravtyper
        self.parts = {row["part"]: row for row in rows.get("part", [])}
        self.krav = {row["kravidentifikator"]: row for row in rows.get("krav", [])}
        self.due_dates = {row["kravforfallsidentifikator"]: row for row in rows.get("kravforfall", [])}
        self.payments = {row["innbetalingsidentifikator"]: row for row in rows.get("innbetaling", [])}
        self.payouts = {row["utbetalingsidentifikator"]: row for row in rows.get("utbetaling", [])}
        self._file_due_dates()
        self._file_placements(rows.get("plassering", []))

    def _file_due_dates(self) -> None:
        self.due_dates_of: dict[str, list[Row]] = defaultdict(list)
        order = ("forfallsdato", "kravforfallsidentifikator")
        for due in in_order(self.due_dates.values(), *order):
            self.due_dates_of[due["kravidentifikator"]].append(due)

    def _file_placements(self, placements: list[Row]) -> None:
        """File every placement under both its ends, in the order in which documents list them."""
        self.payments_on: dict[str, list[Row]] = defaultdict(list)  # due date -> INNBETALING
        self.motkrav_on: dict[str, list[Row]] = defaultdict(list)  # debit due date -> MOTKRAV
        self.motkrav_from: dict[str, list[Row]] = defaultdict(list)  # credit due date -> MOTKRAV
        self.payouts_from: dict[str, list[Row]] = defaultdict(list)  # credit due date -> UTBETALING
        self.placed_from_payment: dict[str, list[Row]] = defaultdict(list)
        self.placed_to_payout: dict[str, list[Row]] = defaultdict(list)
        ends = {
            "INNBETALING": (self.payments_on, self.placed_from_payment),
            "MOTKRAV": (self.motkrav_on, self.motkrav_from),
            "UTBETALING": (self.payouts_from, self.placed_to_payout),
        }
        for row in in_order(placements, "plasseringsdato", "plasseringsidentifikator"):
            on_due_date, on_motpost = ends[row["plasseringstype"]]
            on_due_date[row["kravforfallsidentifikator"]].append(row)
            on_motpost[row["motpost"]].append(row)

    def remaining(self, due: Row) -> Decimal:
        """What is left of a due date, in the ledger's sign."""
        key = due["kravforfallsidentifikator"]
        covered = total(self.payments_on[key]) + total(self.motkrav_on[key])
        used = total(self.motkrav_from[key]) + total(self.payouts_from[key])
        return due["opprinnelig_beloep"] - covered + used

    def krav_remaining(self, krav: Row) -> Decimal:
        return sum((self.remaining(due) for due in self.due_dates_of[krav["kravidentifikator"]]), ZERO)

    def is_open(self, krav: Row) -> bool:
        return any(self.remaining(due) != 0 for due in self.due_dates_of[krav["kravidentifikator"]])

    def is_overdue(self, due: Row) -> bool:
        return due["forfallsdato"] < self.snapshot_date

    def unplaced(self, payment: Row) -> Decimal:
        """What is left of a payment, as a positive amount."""
        placed = total(self.placed_from_payment[payment["innbetalingsidentifikator"]])
        return payment["innbetalt_beloep"] - placed

    def interest(self, due: Row) -> Decimal:
        """Stipulated interest of one due date, in whole kroner."""
        remaining = self.remaining(due)
        if not (self.bears_interest(due) and self.is_overdue(due) and remaining > 0):
            return ZERO
        percent_days = rate_days(self.rates, due["forfallsdato"], self.snapshot_date)
        kroner = floor(Fraction(remaining) * percent_days / 100 / 365)
        return Decimal(kroner) if kroner >= LEAST_INTEREST else ZERO

    def bears_interest(self, due: Row) -> bool:
        known = self.kravtyper.get(self.krav[due["kravidentifikator"]]["kravtype"])
        return due["opprinnelig_beloep"] > 0 and (known is None or known.renteberegnes)

    def krav_interest(self, krav: Row) -> Decimal:
        return sum((self.interest(due) for due in self.due_dates_of[krav["kravidentifikator"]]), ZERO)

    def kravgruppe(self, krav: Row) -> str:
        known = self.kravtyper.get(krav["kravtype"])
        return krav["kravgruppe"] or (known and known.kravgruppe) or "Andre krav"

    def kravbeskrivelse(self, krav: Row) -> str:
        known = self.kravtyper.get(krav["kravtype"])
        return krav["kravbeskrivelse"] or (known and known.tekst) or krav["kravtype"]

    def krav_of(self, kravforfallsidentifikator: str) -> Row:
        return self.krav[self.due_dates[kravforfallsidentifikator]["kravidentifikator"]]


def in_order(rows: Iterable[Row], date_column: str, key_column: str) -> list[Row]:
    """By date, then by identifier in code point order."""
    return sorted(rows, key=lambda row: (row[date_column], row[key_column]))


def total(placements: Iterable[Row]) -> Decimal:
    return sum((row["plassert_beloep"] for row in placements), ZERO)
