"""From accepted rows to the documents of every part (sections 3 and 4)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from tests.plain.balances import ZERO, Kravtyper, Ledger, Rates, Row, Rows, in_order
from tests.plain.jsontext import json_text
from tests.plain.shapes import Shape, krav_shape, payment_shape, payout_shape

LIST_NAMES = {"krav": "krav", "innbetalinger": "innbetaling", "utbetalinger": "utbetaling"}
"""The three histories and the name of the list that each holds."""


class InvalidPeriodError(ValueError):
    """A period that is answered with KB-006."""


@dataclass(frozen=True)
class PartDocuments:
    """What one part is shown: the overview, and each history as (day, JSON object) in order."""

    part: str
    snapshot_date: date
    oversikt: str
    histories: dict[str, list[tuple[date, str]]]

    def texts(self) -> dict[str, str]:
        """The overview and the three whole histories, without ``periode``."""
        whole = {kind: self._text(kind, None, entries) for kind, entries in self.histories.items()}
        return {"oversikt": self.oversikt, **whole}

    def window(self, kind: str, fra_og_med: date, til_og_med: date) -> str | None:
        """The document of one period, or None when nothing lies in it (KB-007)."""
        check_period(fra_og_med, til_og_med)
        inside = [entry for entry in self.histories[kind] if fra_og_med <= entry[0] <= til_og_med]
        periode: Shape = {"start": fra_og_med, "slutt": til_og_med}
        return self._text(kind, periode, inside) if inside else None

    def _text(self, kind: str, periode: Shape | None, entries: list[tuple[date, str]]) -> str:
        head = json_text({"forespurtPart": self.part, "periode": periode}).removesuffix("}")
        listed = ",".join(text for _, text in entries)
        return f'{head},"{LIST_NAMES[kind]}":[{listed}]}}'


def documents(rows: Rows, snapshot_date: date, rates: Rates, kravtyper: Kravtyper) -> dict[str, dict[str, str]]:
    """The four documents of every part in ``part``, as JSON text."""
    built = part_documents(rows, snapshot_date, rates, kravtyper)
    return {part: of_part.texts() for part, of_part in built.items()}


def part_documents(rows: Rows, snapshot_date: date, rates: Rates, kravtyper: Kravtyper) -> dict[str, PartDocuments]:
    """The documents of every part, in a form that windows can be taken of."""
    ledger = Ledger(rows, snapshot_date, rates, kravtyper)
    return {part: _of_part(ledger, part) for part in ledger.parts}


def window(built: PartDocuments, kind: str, fra_og_med: date, til_og_med: date) -> str | None:
    """The document of ``kind`` for a period; None when it would hold nothing (KB-007)."""
    return built.window(kind, fra_og_med, til_og_med)


def check_period(fra_og_med: date, til_og_med: date) -> None:
    """Refuse a period that ends before it begins or is longer than a year."""
    if til_og_med < fra_og_med:
        raise InvalidPeriodError("tilOgMed is before fraOgMed")
    if til_og_med > one_year_after(fra_og_med):
        raise InvalidPeriodError("tilOgMed is more than one year after fraOgMed")


def one_year_after(day: date) -> date:
    """The same day next year; 28 February for 29 February."""
    if day.year == date.max.year:
        return date.max
    if (day.month, day.day) == (2, 29):
        return date(day.year + 1, 2, 28)
    return day.replace(year=day.year + 1)


def whose_posts(ledger: Ledger, part: str) -> set[str]:
    """The parts whose posts a document shows: its own and, for an ENK, its owner's."""
    owner = ledger.parts[part]["innehaver"]
    return {part} if owner is None else {part, owner}


def _of_part(ledger: Ledger, part: str) -> PartDocuments:
    whose = whose_posts(ledger, part)
    krav = _shown(ledger.krav.values(), whose, "opprettelsesdato", "kravidentifikator")
    payments = _shown(ledger.payments.values(), whose, "innbetalingsdato", "innbetalingsidentifikator")
    payouts = _shown(ledger.payouts.values(), whose, "utbetalingsdato", "utbetalingsidentifikator")
    histories = {
        "krav": [(row["opprettelsesdato"], json_text(krav_shape(ledger, row))) for row in krav],
        "innbetalinger": [(row["innbetalingsdato"], json_text(payment_shape(ledger, row))) for row in payments],
        "utbetalinger": [(row["utbetalingsdato"], json_text(payout_shape(ledger, row))) for row in payouts],
    }
    oversikt = json_text(_oversikt(ledger, part, krav, payments))
    return PartDocuments(part, ledger.snapshot_date, oversikt, histories)


def _shown(rows: Iterable[Row], whose: set[str], date_column: str, key_column: str) -> list[Row]:
    return in_order((row for row in rows if row["part"] in whose), date_column, key_column)


def _oversikt(ledger: Ledger, part: str, krav: list[Row], payments: list[Row]) -> Shape:
    open_krav = [row for row in krav if ledger.is_open(row)]
    unplaced = [row for row in payments if ledger.unplaced(row) != 0]
    groups = sorted({ledger.kravgruppe(row) for row in open_krav})
    return {
        "forespurtPart": part,
        "aapentKravMedGjenstaaendeBeloep": [krav_shape(ledger, row) for row in open_krav],
        "innbetalingMedUplassertBeloep": [payment_shape(ledger, row) for row in unplaced],
        "totalOversikt": _totals(ledger, open_krav, unplaced),
        "oversiktPerKravgruppe": [
            _group_totals(ledger, group, [row for row in open_krav if ledger.kravgruppe(row) == group])
            for group in groups
        ],
    }


def _totals(ledger: Ledger, open_krav: list[Row], unplaced: list[Row]) -> Shape:
    interest, overdue, not_overdue = _sums(ledger, open_krav)
    credit = -sum((ledger.unplaced(row) for row in unplaced), ZERO)
    return {
        "stipulerteRenter": interest,
        "forfalteKrav": overdue,
        "ikkeForfalteKrav": not_overdue,
        "uplasserteInnbetalinger": credit,
        "saldo": overdue + not_overdue + interest + credit,
    }


def _group_totals(ledger: Ledger, group: str, open_krav: list[Row]) -> Shape:
    interest, overdue, not_overdue = _sums(ledger, open_krav)
    return {
        "kravgruppe": group,
        "stipulerteRenter": interest,
        "forfalteKrav": overdue,
        "ikkeForfalteKrav": not_overdue,
        "saldo": overdue + not_overdue + interest,
    }


def _sums(ledger: Ledger, open_krav: list[Row]) -> tuple[Decimal, Decimal, Decimal]:
    """Interest, remaining of overdue and remaining of other due dates of these krav."""
    interest, overdue, not_overdue = ZERO, ZERO, ZERO
    for krav in open_krav:
        interest += ledger.krav_interest(krav)
        for due in ledger.due_dates_of[krav["kravidentifikator"]]:
            if ledger.is_overdue(due):
                overdue += ledger.remaining(due)
            else:
                not_overdue += ledger.remaining(due)
    return interest, overdue, not_overdue
