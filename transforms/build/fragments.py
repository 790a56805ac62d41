"""The JSON of single posts: every krav, payment and payout of a bucket as one fragment.

Shape, order and spelling are those of ``schemas.documents``; a test holds the two together.
Each function returns the texts of a table's rows as they lie; a list says which of them it shows, in which order.
"""

import numpy as np
import polars as pl

from transforms.build.far_ends import Bucket
from transforms.build.places import Under, in_order
from transforms.text.json_text import (
    Fields,
    Listed,
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
    text("innbetalingsidentifikator", "innbetalingsidentifikator"),
    day("innbetalingsdato", "innbetalingsdato"),
    amount("innbetaltBeloep", "innbetalt_beloep"),
    _payment_details("betaltFra", "fra_", PAYERS_KONTO),
    amount("plassertBeloep", "plassert_beloep"),
    day("plasseringsdato", "plasseringsdato"),
)

PLASSERT_MOTKRAV = fragment(
    text("motkravBeskrivelse", "kravbeskrivelse"),
    text("motkravForfallsIdentifikator", "kravforfallsidentifikator"),
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
    text("kravforfallIdentifikator", "kravforfallsidentifikator"),
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
    text("kravIdentifikator", "kravidentifikator"),
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


def krav_texts(bucket: Bucket) -> Texts:
    """The text of each krav."""
    of_krav = bucket["kravforfall"]["krav"].to_numpy()
    which = np.argsort(of_krav, kind="stable")  # of a krav, they are sorted by date and identifier already
    dues = Under.sorted(which, of_krav[which], bucket["krav"].height)
    return objects_of(KRAV, bucket["krav"], kravforfall=dues.listed(_forfall_texts(bucket)))


def _forfall_texts(bucket: Bucket) -> Texts:
    placed, paid = pl.col("plassert_beloep"), pl.col("innbetalt_beloep")
    payments = _in_lists(bucket["innbetaling_on_forfall"])
    payments = payments.hstack(bucket["shown_payments"][payments["motpost"]]).with_columns(-paid, -placed)
    motkrav = pl.concat([bucket["motkrav_on_debit"].with_columns(-placed), bucket["motkrav_on_credit"]])
    motkrav, dues = _with_dues(bucket, _in_lists(motkrav), PLASSERT_MOTKRAV), bucket["kravforfall"]
    return objects_of(
        KRAVFORFALL,
        dues,
        innbetalinger=_listed(PLASSERT_INNBETALING, payments, dues),
        motkrav=_listed(PLASSERT_MOTKRAV, motkrav, dues),
    )


def _in_lists(placements: pl.DataFrame) -> pl.DataFrame:
    """Placements on one post after another, by date and identifier."""
    order = np.argsort((placements["post"].to_numpy() << 32) + placements["when"].to_numpy())
    return placements.select("post", "motpost", "plassert_beloep", "plasseringsdato")[order]


def _with_dues(bucket: Bucket, placements: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    """Placements with what the shape shows of the due date at the far end, and of its krav."""
    dues = bucket["shown_dues"][placements["motpost"]]
    krav = bucket["shown_krav"].select(name for name in bucket["shown_krav"].columns if name in shape.columns)
    return pl.concat([placements, dues, krav[dues["krav"]]], how="horizontal")


def _listed(shape: Shape, placements: pl.DataFrame, posts: pl.DataFrame) -> Listed:
    """The placements on each of the posts. ``placements``: see ``_in_lists``."""
    under = Under.sorted(np.arange(placements.height), placements["post"].to_numpy(), posts.height)
    return under.listed(objects_of(shape, placements))


def innbetaling_texts(bucket: Bucket) -> Texts:
    """The text of each payment."""
    payments, shape = bucket["innbetaling"], PLASSERT_INNBETALING_MOT_KRAV
    placed = _listed(shape, _with_dues(bucket, _in_lists(bucket["forfall_on_innbetaling"]), shape), payments)
    signed = payments.with_columns(-pl.col("innbetalt_beloep", "uplassert_beloep"))
    return objects_of(INNBETALING, signed, plassert=placed)


def utbetaling_texts(bucket: Bucket) -> Texts:
    """The text of each payout: it lists each krav once, however many placements, by identifier."""
    payouts = bucket["utbetaling"]
    placed = bucket["forfall_on_utbetaling"]
    krav = bucket["shown_krav"][bucket["shown_dues"]["krav"].gather(placed["motpost"])]
    krav = krav.with_columns(placed["post"]).unique(["post", "krav_row"])
    post = krav["post"].to_numpy()
    krav = krav[in_order(post, np.zeros_like(post), krav["kravidentifikator"])]
    return objects_of(UTBETALING, payouts, grunnlag=_listed(GRUNNLAG_FOR_UTBETALING, krav, payouts))
