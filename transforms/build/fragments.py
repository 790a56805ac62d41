"""The JSON of single posts: every krav, payment and payout of a bucket as one fragment.

Shape, order and spelling are those of ``schemas.documents``; a test holds the two together.
Each function takes rows sorted as the documents sort them and returns their texts in that order.
"""

import polars as pl

from transforms.text.json_text import (
    Fields,
    Shape,
    Texts,
    amount,
    array,
    day,
    document,
    flag,
    fragment,
    obj,
    objects_of,
    text,
)

KONTO = {
    "bankinformasjon": "bankinformasjon",
    "kontoeiers_navn": "kontoeiersNavn",
    "kontonummer": "kontonummer",
    "iban": "iban",
    "swift_bic": "swiftBIC",
}
PAYERS_KONTO = {column: field for column, field in KONTO.items() if column != "iban"}
"""A payer's account is shown without its IBAN (CONTRACT section 3)."""


def _konto(name: str, prefix: str = "", fields: dict[str, str] = KONTO) -> Fields:
    return obj(name, *(text(field, prefix + column, optional=True) for column, field in fields.items()))


def _payment_details(name: str, prefix: str = "", fields: dict[str, str] = KONTO) -> Fields:
    """``{"kidnummer":…,"konto":{…}}`` of the columns with the prefix."""
    return obj(name, text("kidnummer", f"{prefix}kidnummer", optional=True), _konto("konto", prefix, fields))


def _kravperiode() -> Fields:
    return obj(
        "kravperiode", day("start", "periode_start", optional=True), day("slutt", "periode_slutt", optional=True)
    )


KRAV = fragment(
    text("part", "part"),
    text("kravidentifikator", "kravidentifikator"),
    text("kravbeskrivelse", "kravbeskrivelse"),
    day("opprettelsesdatoForKrav", "opprettelsesdato"),
    text("kravperiode", "kravperiode", optional=True),
    array("kravforfall", "kravforfall"),
    amount("opprinneligBeloep", "opprinnelig_beloep"),
    amount("gjenstaaendeBeloep", "gjenstaaende_beloep"),
    amount("stipulerteRenter", "stipulerte_renter"),
    text("kravtype", "kravtype"),
    text("kravgruppe", "kravgruppe"),
)

KRAVFORFALL = fragment(
    text("kravforfallsIdentifikator", "kravforfallsidentifikator"),
    day("forfallsdato", "forfallsdato"),
    amount("opprinneligBeloep", "opprinnelig_beloep"),
    array("plassertInnbetaling", "innbetalinger"),
    array("plassertMotkrav", "motkrav"),
    amount("gjenstaaendeBeloep", "gjenstaaende_beloep"),
    _payment_details("betalingsinformasjon"),
    flag("utsattIverksettelse", "utsatt_iverksettelse"),
)

PLASSERT_INNBETALING = fragment(
    text("innbetalingsidentifikator", "motpost"),
    day("innbetalingsdato", "innbetalingsdato"),
    amount("innbetaltBeloep", "innbetalt_beloep"),
    _payment_details("betaltFra", "fra_", PAYERS_KONTO),
    amount("plassertBeloep", "plassert_beloep"),
    day("plasseringsdato", "plasseringsdato"),
)

PLASSERT_MOTKRAV = fragment(
    text("motkravBeskrivelse", "kravbeskrivelse"),
    text("motkravForfallsIdentifikator", "motpost"),
    day("motkravForfallsdato", "forfallsdato"),
    amount("plassertBeloep", "plassert_beloep"),
    day("plasseringsdato", "plasseringsdato"),
)

INNBETALING = fragment(
    text("part", "part"),
    day("innbetalingsdato", "innbetalingsdato"),
    amount("innbetaltBeloep", "innbetalt_beloep"),
    amount("uplassertBeloep", "uplassert_beloep"),
    array("plassertInnbetalingMotKrav", "plassert"),
    _payment_details("betaltFra", "fra_", PAYERS_KONTO),
    _konto("betaltTilKonto", "til_"),
    text("innbetalingsIdentifikator", "innbetalingsidentifikator"),
)

PLASSERT_INNBETALING_MOT_KRAV = fragment(
    text("dekketKrav", "kravbeskrivelse"),
    _kravperiode(),
    text("kravforfallIdentifikator", "motpost"),
    amount("plassertBeloep", "plassert_beloep"),
    day("plasseringsdato", "plasseringsdato"),
)

UTBETALING = fragment(
    text("part", "part"),
    text("utbetalingsbeskrivelse", "utbetalingsbeskrivelse", optional=True),
    day("utbetaltdato", "utbetalingsdato"),
    amount("utbetaltBeloep", "utbetalt_beloep"),
    _payment_details("betaltTil", "til_"),
    text("utbetalingIdentifikator", "utbetalingsidentifikator"),
    array("grunnlagForUtbetaling", "grunnlag"),
)

GRUNNLAG_FOR_UTBETALING = fragment(
    text("dekketKrav", "kravbeskrivelse"),
    text("kravIdentifikator", "motkrav"),
    text("kravtype", "kravtype"),
    _kravperiode(),
    amount("opprinneligBeloep", "krav_opprinnelig"),
    amount("gjenstaaendeBeloep", "krav_gjenstaaende"),
)

TOTALS = {
    "stipulerte_renter": "stipulerteRenter",
    "forfalte_krav": "forfalteKrav",
    "ikke_forfalte_krav": "ikkeForfalteKrav",
    "uplasserte_innbetalinger": "uplasserteInnbetalinger",
    "saldo": "saldo",
}

KRAVGRUPPE = fragment(
    text("kravgruppe", "kravgruppe"),
    *(amount(field, column) for column, field in TOTALS.items() if column != "uplasserte_innbetalinger"),
)

OVERSIKT = document(
    text("forespurtPart", "forespurt_part"),
    array("aapentKravMedGjenstaaendeBeloep", "krav"),
    array("innbetalingMedUplassertBeloep", "innbetalinger"),
    obj("totalOversikt", *(amount(field, column) for column, field in TOTALS.items())),
    array("oversiktPerKravgruppe", "grupper"),
)

# --- the fragments of a bucket --------------------------------------------------------------------


def under(rows: pl.DataFrame, parents: pl.Series, *order: str, on: str = "post") -> pl.DataFrame:
    """Rows with ``parent``, the place among the parents of the one that ``on`` names, sorted by it and ``order``."""
    places = parents.alias(on).to_frame().with_row_index("parent")
    return rows.join(places, on=on).sort("parent", *order)


def _placed(shape: Shape, placements: pl.DataFrame, parents: pl.Series) -> Texts:
    """The placements on each of the parents."""
    order = ("plasseringsdato", "number")
    return objects_of(shape, under(placements.select({"post", *shape.columns, *order}), parents, *order))


def krav_fragments(krav: pl.DataFrame, dues: pl.DataFrame, bucket: dict[str, pl.DataFrame]) -> Texts:
    """The text of each krav. ``krav`` is in the documents' order, ``dues`` in any."""
    key = "kravidentifikator"
    dues = under(dues, krav[key], "forfallsdato", "kravforfallsidentifikator", on=key)
    return objects_of(KRAV, krav, kravforfall=_forfall_fragments(dues, bucket))


def _forfall_fragments(dues: pl.DataFrame, bucket: dict[str, pl.DataFrame]) -> Texts:
    placed, paid = pl.col("plassert_beloep"), pl.col("innbetalt_beloep")
    payments = bucket["innbetaling_on_forfall"].with_columns(-paid, -placed)
    motkrav = pl.concat([bucket["motkrav_on_debit"].with_columns(-placed), bucket["motkrav_on_credit"]])
    key = dues["kravforfallsidentifikator"]
    return objects_of(
        KRAVFORFALL,
        dues,
        innbetalinger=_placed(PLASSERT_INNBETALING, payments, key),
        motkrav=_placed(PLASSERT_MOTKRAV, motkrav, key),
    )


def innbetaling_fragments(innbetaling: pl.DataFrame, placements: pl.DataFrame) -> Texts:
    """The text of each payment; ``innbetaling`` is in the documents' order."""
    placed = _placed(PLASSERT_INNBETALING_MOT_KRAV, placements, innbetaling["innbetalingsidentifikator"])
    signed = innbetaling.with_columns(-pl.col("innbetalt_beloep", "uplassert_beloep"))
    return objects_of(INNBETALING, signed, plassert=placed)


def utbetaling_fragments(utbetaling: pl.DataFrame, placements: pl.DataFrame) -> Texts:
    """The text of each payout; ``utbetaling`` is in the documents' order."""
    krav = placements.unique(["post", "motkrav"])  # one entry per krav, however many placements
    krav = under(krav, utbetaling["utbetalingsidentifikator"], "motkrav")
    return objects_of(UTBETALING, utbetaling, grunnlag=objects_of(GRUNNLAG_FOR_UTBETALING, krav))
