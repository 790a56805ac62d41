"""The seed's objects with their fields in the seed's order (section 4)."""

from typing import Any

from tests.plain.balances import Ledger, Row

Shape = dict[str, Any]
UNMASKED = 5


def masked(account_number: str | None) -> str | None:
    """All but the last five characters as stars."""
    if account_number is None:
        return None
    hidden = max(0, len(account_number) - UNMASKED)
    return "*" * hidden + account_number[hidden:]


def account(row: Row, prefix: str = "") -> Shape:
    return {
        "bankinformasjon": row[f"{prefix}bankinformasjon"],
        "kontoeiersNavn": row[f"{prefix}kontoeiers_navn"],
        "kontonummer": row[f"{prefix}kontonummer"],
        "iban": row[f"{prefix}iban"],
        "swiftBIC": row[f"{prefix}swift_bic"],
    }


def kid_and_account(row: Row, prefix: str = "") -> Shape:
    return {"kidnummer": row[f"{prefix}kidnummer"], "konto": account(row, prefix)}


def payer(payment: Row) -> Shape:
    """``betaltFra``: the account number masked, the IBAN left out."""
    shape = kid_and_account(payment, "fra_")
    shape["konto"] |= {"kontonummer": masked(payment["fra_kontonummer"]), "iban": None}
    return shape


def kravperiode(krav: Row) -> Shape:
    return {"start": krav["periode_start"], "slutt": krav["periode_slutt"]}


def krav_shape(ledger: Ledger, krav: Row) -> Shape:
    due_dates = ledger.due_dates_of[krav["kravidentifikator"]]
    return {
        "part": krav["part"],
        "kravidentifikator": krav["kravidentifikator"],
        "kravbeskrivelse": ledger.kravbeskrivelse(krav),
        "opprettelsesdatoForKrav": krav["opprettelsesdato"],
        "kravperiode": krav["kravperiode"],
        "kravforfall": [due_date_shape(ledger, due) for due in due_dates],
        "opprinneligBeloep": krav["opprinnelig_beloep"],
        "gjenstaaendeBeloep": ledger.krav_remaining(krav),
        "stipulerteRenter": ledger.krav_interest(krav),
        "kravtype": krav["kravtype"],
        "kravgruppe": ledger.kravgruppe(krav),
    }


def due_date_shape(ledger: Ledger, due: Row) -> Shape:
    key = due["kravforfallsidentifikator"]
    return {
        "kravforfallsIdentifikator": key,
        "forfallsdato": due["forfallsdato"],
        "opprinneligBeloep": due["opprinnelig_beloep"],
        "plassertInnbetaling": [payment_placed_shape(ledger, row) for row in ledger.payments_on[key]],
        "plassertMotkrav": motkrav_shapes(ledger, key),
        "gjenstaaendeBeloep": ledger.remaining(due),
        "betalingsinformasjon": kid_and_account(due),
        "utsattIverksettelse": due["utsatt_iverksettelse"],
    }


def payment_placed_shape(ledger: Ledger, placement: Row) -> Shape:
    payment = ledger.payments[placement["motpost"]]
    return {
        "innbetalingsidentifikator": payment["innbetalingsidentifikator"],
        "innbetalingsdato": payment["innbetalingsdato"],
        "innbetaltBeloep": -payment["innbetalt_beloep"],
        "betaltFra": payer(payment),
        "plassertBeloep": -placement["plassert_beloep"],
        "plasseringsdato": placement["plasseringsdato"],
    }


def motkrav_shapes(ledger: Ledger, key: str) -> list[Shape]:
    """On a debit due date the credit ones that cover it, on a credit one the debit ones it covers.

    A due date is either, so at most one of the two lists holds anything.
    """
    covering = [motkrav_shape(ledger, row, row["motpost"], -1) for row in ledger.motkrav_on[key]]
    covered = [motkrav_shape(ledger, row, row["kravforfallsidentifikator"], 1) for row in ledger.motkrav_from[key]]
    return covering + covered


def motkrav_shape(ledger: Ledger, placement: Row, other: str, sign: int) -> Shape:
    return {
        "motkravBeskrivelse": ledger.kravbeskrivelse(ledger.krav_of(other)),
        "motkravForfallsIdentifikator": other,
        "motkravForfallsdato": ledger.due_dates[other]["forfallsdato"],
        "plassertBeloep": sign * placement["plassert_beloep"],
        "plasseringsdato": placement["plasseringsdato"],
    }


def payment_shape(ledger: Ledger, payment: Row) -> Shape:
    placed = ledger.placed_from_payment[payment["innbetalingsidentifikator"]]
    return {
        "part": payment["part"],
        "innbetalingsdato": payment["innbetalingsdato"],
        "innbetaltBeloep": -payment["innbetalt_beloep"],
        "uplassertBeloep": -ledger.unplaced(payment),
        "plassertInnbetalingMotKrav": [covered_krav_shape(ledger, row) for row in placed],
        "betaltFra": payer(payment),
        "betaltTilKonto": account(payment, "til_"),
        "innbetalingsIdentifikator": payment["innbetalingsidentifikator"],
    }


def covered_krav_shape(ledger: Ledger, placement: Row) -> Shape:
    krav = ledger.krav_of(placement["kravforfallsidentifikator"])
    return {
        "dekketKrav": ledger.kravbeskrivelse(krav),
        "kravperiode": kravperiode(krav),
        "kravforfallIdentifikator": placement["kravforfallsidentifikator"],
        "plassertBeloep": placement["plassert_beloep"],
        "plasseringsdato": placement["plasseringsdato"],
    }


def payout_shape(ledger: Ledger, payout: Row) -> Shape:
    placed = ledger.placed_to_payout[payout["utbetalingsidentifikator"]]
    keys = {ledger.krav_of(row["kravforfallsidentifikator"])["kravidentifikator"] for row in placed}
    return {
        "part": payout["part"],
        "utbetalingsbeskrivelse": payout["utbetalingsbeskrivelse"],
        "utbetaltdato": payout["utbetalingsdato"],
        "utbetaltBeloep": payout["utbetalt_beloep"],
        "betaltTil": kid_and_account(payout, "til_"),
        "utbetalingIdentifikator": payout["utbetalingsidentifikator"],
        "grunnlagForUtbetaling": [payout_ground_shape(ledger, ledger.krav[key]) for key in sorted(keys)],
    }


def payout_ground_shape(ledger: Ledger, krav: Row) -> Shape:
    return {
        "dekketKrav": ledger.kravbeskrivelse(krav),
        "kravIdentifikator": krav["kravidentifikator"],
        "kravtype": krav["kravtype"],
        "kravperiode": kravperiode(krav),
        "opprinneligBeloep": krav["opprinnelig_beloep"],
        "gjenstaaendeBeloep": ledger.krav_remaining(krav),
    }
