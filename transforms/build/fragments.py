"""The JSON of single posts: every krav, payment and payout of a bucket as one fragment.

Shape, order and spelling are those of ``schemas.documents``; a test holds the two together.
Each function returns the texts of a table's rows as they lie; a list says which of them it shows, in which order.
"""

import numpy as np
import polars as pl

from transforms.build.far_ends import Bucket, shown_dues, shown_krav, shown_payments
from transforms.build.places import Under, in_order
from transforms.text.json_text import (
    Fields,
    Listed,
    Texts,
    amount,
    array,
    day,
    document,
    flag,
    fragment,
    obj,
    objects_of,
    piece,
    piece_of,
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

BETALT_FRA = piece_of(_payment_details("betaltFra", "fra_", PAYERS_KONTO))
"""Of a payment, in every object that shows it."""

PLASSERT_INNBETALING = fragment(
    text("innbetalingsidentifikator", "innbetalingsidentifikator"),
    day("innbetalingsdato", "innbetalingsdato"),
    amount("innbetaltBeloep", "innbetalt_beloep"),
    piece("betalt_fra"),
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
    piece("betalt_fra"),
    _konto("betaltTilKonto", "til_"),
    text("innbetalingsIdentifikator", "innbetalingsidentifikator"),
)

DEKKET_KRAV = piece_of(text("dekketKrav", "kravbeskrivelse"), _kravperiode())
"""Of a krav, in every payment that covers it."""

PLASSERT_INNBETALING_MOT_KRAV = fragment(
    piece("dekket_krav"),
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


def krav_texts(bucket: Bucket, payers: Texts) -> Texts:
    """The text of each krav. ``payers``: see ``payer_texts``."""
    dues = _forfall_texts(bucket, payers)
    return objects_of(KRAV, bucket["krav"], kravforfall=dues_of(bucket).listed(dues))


def dues_of(bucket: Bucket) -> Under:
    """The due dates of each krav; they are sorted by date and identifier already."""
    krav = bucket["kravforfall"]["krav"].to_numpy()
    which = np.argsort(krav, kind="stable")
    return Under.sorted(which, krav[which], bucket["krav"].height)


def payer_texts(bucket: Bucket) -> Texts:
    """Who paid each of the payments that the bucket shows (``shown_payments``)."""
    return objects_of(BETALT_FRA, shown_payments(bucket))


def _forfall_texts(bucket: Bucket, payers: Texts) -> Texts:
    debits, credits = bucket["motkrav_on_debit"], bucket["motkrav_on_credit"]
    motkrav = in_lists(pl.concat([debits.with_columns(-pl.col("plassert_beloep")), credits]))
    return objects_of(
        KRAVFORFALL,
        bucket["kravforfall"],
        innbetalinger=_payments_on_forfall(bucket, payers),
        motkrav=_placed(motkrav, bucket["kravforfall"]).listed(_motkrav_texts(bucket, motkrav)),
    )


def _payments_on_forfall(bucket: Bucket, payers: Texts) -> Listed:
    rows = in_lists(bucket["innbetaling_on_forfall"])
    shown = _far(shown_payments(bucket), rows, "innbetalingsidentifikator", "innbetalingsdato", "innbetalt_beloep")
    signed = shown.with_columns(-pl.col("innbetalt_beloep", "plassert_beloep"))
    betalt_fra = Listed.one_each(payers, rows["motpost"].to_numpy())
    return _placed(rows, bucket["kravforfall"]).listed(objects_of(PLASSERT_INNBETALING, signed, betalt_fra=betalt_fra))


def _motkrav_texts(bucket: Bucket, rows: pl.DataFrame) -> Texts:
    dues = _far(shown_dues(bucket), rows, "kravforfallsidentifikator", "forfallsdato", "krav")
    described = shown_krav(bucket)["kravbeskrivelse"].gather(dues["krav"])
    return objects_of(PLASSERT_MOTKRAV, dues.with_columns(described))


def _far(shown: pl.DataFrame, rows: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Placements with these columns of their far ends."""
    return rows.with_columns(shown[name].gather(rows["motpost"]) for name in columns)


def in_lists(placements: pl.DataFrame) -> pl.DataFrame:
    """Placements on one post after another, by date and identifier."""
    return placements[np.argsort((placements["post"].to_numpy() << 32) + placements["when"].to_numpy())]


def _placed(rows: pl.DataFrame, posts: pl.DataFrame) -> Under:
    """The placements on each of the posts. ``rows``: see ``in_lists``."""
    return Under.sorted(np.arange(rows.height), rows["post"].to_numpy(), posts.height)


def innbetaling_texts(bucket: Bucket, payers: Texts) -> Texts:
    """The text of each payment. ``payers``: see ``payer_texts``."""
    payments, rows = bucket["innbetaling"], in_lists(bucket["forfall_on_innbetaling"])
    dues = _far(shown_dues(bucket), rows, "kravforfallsidentifikator", "krav")
    covered = Listed.one_each(objects_of(DEKKET_KRAV, shown_krav(bucket)), dues["krav"].to_numpy())
    placed = objects_of(PLASSERT_INNBETALING_MOT_KRAV, dues, dekket_krav=covered)
    return objects_of(
        INNBETALING,
        payments.with_columns(-pl.col("innbetalt_beloep", "uplassert_beloep")),
        plassert=_placed(rows, payments).listed(placed),
        betalt_fra=Listed.one_each(payers, np.arange(payments.height)),
    )


def utbetaling_texts(bucket: Bucket) -> Texts:
    """The text of each payout: it lists each krav once, however many placements, by identifier."""
    payouts, rows = bucket["utbetaling"], bucket["forfall_on_utbetaling"]
    krav = shown_krav(bucket)[_far(shown_dues(bucket), rows, "krav")["krav"]]
    krav = krav.with_columns(rows["post"]).unique(["post", "row"])
    post = krav["post"].to_numpy()
    which = in_order(post, np.zeros_like(post), krav["kravidentifikator"])
    grunnlag = Under.sorted(which, post[which], payouts.height)
    return objects_of(UTBETALING, payouts, grunnlag=grunnlag.listed(objects_of(GRUNNLAG_FOR_UTBETALING, krav)))
