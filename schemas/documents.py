"""The four documents: fields, their order and their spelling (CONTRACT section 4, seed of October 2022).

This is the single place for the shape of what is served. Field names and order are the published
ones, irregular spellings included. Amounts are kroner with two decimals, dates the seed's date-time
form (midnight UTC). A null text or date is left out; objects and arrays are always there.
"""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Beloep = Annotated[Decimal, Field(description="Kroner, two decimals, signed as in the ledger")]
Dato = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T00:00:00\.000Z$",
        description="A day in Norway",
        json_schema_extra={"format": "date-time"},
    ),
]
Tekst = Annotated[str | None, Field(default=None)]
Part = Annotated[str, Field(pattern=r"^([0-9]{9}|[0-9]{11})$", description="Organisation or national number")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Konto(_Model):
    """A bank account; any field may be left out."""

    bankinformasjon: Tekst
    kontoeiersNavn: Tekst
    kontonummer: Tekst
    iban: Tekst
    swiftBIC: Tekst


class Betalingsinformasjon(_Model):
    """A KID and an account: where to pay, or who has paid (then the account is masked)."""

    kidnummer: Tekst
    konto: Konto


class Kravperiode(_Model):
    """The period of a claim, as it stands under a placement or a payout."""

    start: Annotated[Dato | None, Field(default=None)]
    slutt: Annotated[Dato | None, Field(default=None)]


class Periode(_Model):
    """The window asked for, both days included."""

    start: Dato
    slutt: Dato


class PlassertInnbetaling(_Model):
    """A payment that covers the due date; ``plassertBeloep`` < 0 reduces it."""

    innbetalingsidentifikator: str
    innbetalingsdato: Dato
    innbetaltBeloep: Beloep
    betaltFra: Betalingsinformasjon
    plassertBeloep: Beloep
    plasseringsdato: Dato


class PlassertMotkrav(_Model):
    """A credit claim that covers the due date, or on the credit one the debit that it covers."""

    motkravBeskrivelse: str
    motkravForfallsIdentifikator: str
    motkravForfallsdato: Dato
    plassertBeloep: Beloep
    plasseringsdato: Dato


class Kravforfall(_Model):
    """One due date of a claim."""

    kravforfallsIdentifikator: str
    forfallsdato: Dato
    opprinneligBeloep: Beloep
    plassertInnbetaling: list[PlassertInnbetaling]
    plassertMotkrav: list[PlassertMotkrav]
    gjenstaaendeBeloep: Beloep
    betalingsinformasjon: Betalingsinformasjon
    utsattIverksettelse: bool


class Krav(_Model):
    """One claim with its due dates."""

    part: Part
    kravidentifikator: str
    kravbeskrivelse: str
    opprettelsesdatoForKrav: Dato
    kravperiode: Tekst
    kravforfall: list[Kravforfall]
    opprinneligBeloep: Beloep
    gjenstaaendeBeloep: Beloep
    stipulerteRenter: Beloep
    kravtype: str
    kravgruppe: str


class PlassertInnbetalingMotKrav(_Model):
    """A due date that the payment covers; ``plassertBeloep`` > 0 reduces the payment."""

    dekketKrav: str
    kravperiode: Kravperiode
    kravforfallIdentifikator: str
    plassertBeloep: Beloep
    plasseringsdato: Dato


class Innbetaling(_Model):
    """One payment in; its amounts are <= 0, as credits."""

    part: Part
    innbetalingsdato: Dato
    innbetaltBeloep: Beloep
    uplassertBeloep: Beloep
    plassertInnbetalingMotKrav: list[PlassertInnbetalingMotKrav]
    betaltFra: Betalingsinformasjon
    betaltTilKonto: Konto
    innbetalingsIdentifikator: str


class GrunnlagForUtbetaling(_Model):
    """A credit claim that a payout pays; the amounts are the claim's."""

    dekketKrav: str
    kravIdentifikator: str
    kravtype: str
    kravperiode: Kravperiode
    opprinneligBeloep: Beloep
    gjenstaaendeBeloep: Beloep


class Utbetaling(_Model):
    """One payout; its amount is > 0."""

    part: Part
    utbetalingsbeskrivelse: Tekst
    utbetaltdato: Dato
    utbetaltBeloep: Beloep
    betaltTil: Betalingsinformasjon
    utbetalingIdentifikator: str
    grunnlagForUtbetaling: list[GrunnlagForUtbetaling]


class TotalOversikt(_Model):
    """The totals of an overview; ``saldo`` is the sum of the four before it."""

    stipulerteRenter: Beloep
    forfalteKrav: Beloep
    ikkeForfalteKrav: Beloep
    uplasserteInnbetalinger: Beloep
    saldo: Beloep


class OversiktPerKravgruppe(_Model):
    """The totals of one kravgruppe, without unplaced payments."""

    kravgruppe: str
    stipulerteRenter: Beloep
    forfalteKrav: Beloep
    ikkeForfalteKrav: Beloep
    saldo: Beloep


class Oversikt(_Model):
    """Open claims, unplaced payments and totals of one part."""

    forespurtPart: Part
    aapentKravMedGjenstaaendeBeloep: list[Krav]
    innbetalingMedUplassertBeloep: list[Innbetaling]
    totalOversikt: TotalOversikt
    oversiktPerKravgruppe: list[OversiktPerKravgruppe]


class KravIPeriode(_Model):
    """All claims of one part created within a period."""

    forespurtPart: Part
    periode: Periode
    krav: list[Krav]


class InnbetalingerIPeriode(_Model):
    """All payments in of one part within a period."""

    forespurtPart: Part
    periode: Periode
    innbetaling: list[Innbetaling]


class UtbetalingerIPeriode(_Model):
    """All payouts of one part within a period."""

    forespurtPart: Part
    periode: Periode
    utbetaling: list[Utbetaling]


DOCUMENTS: dict[str, type[BaseModel]] = {
    "oversikt": Oversikt,
    "krav": KravIPeriode,
    "innbetalinger": InnbetalingerIPeriode,
    "utbetalinger": UtbetalingerIPeriode,
}
"""The model of each kind of document."""

LISTS = {"krav": "krav", "innbetalinger": "innbetaling", "utbetalinger": "utbetaling"}
"""The field that holds the posts of each document that is served by period."""
