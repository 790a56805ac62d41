"""The JSON of single posts: every krav, payment and payout of a bucket as one fragment.

Shape, order and spelling are those of ``schemas.documents``; a test holds the two together.
Each function takes rows sorted as the documents sort them and returns a series as long.
"""

import polars as pl

from transforms.json_text import amount, array, day, escaped, fragment, join, obj, raw, text

KONTO = {
    "bankinformasjon": "bankinformasjon",
    "kontoeiers_navn": "kontoeiersNavn",
    "kontonummer": "kontonummer",
    "iban": "iban",
    "swift_bic": "swiftBIC",
}


def _konto(frame: pl.DataFrame, prefix: str = "") -> pl.Expr:
    return obj(*(text(name, pl.col(prefix + col)) for col, name in KONTO.items() if prefix + col in frame.columns))


def _payment_details(frame: pl.DataFrame, prefix: str = "") -> pl.Expr:
    """``{"kidnummer":…,"konto":{…}}`` of the columns with the prefix."""
    return obj(text("kidnummer", pl.col(prefix + "kidnummer")), raw("konto", _konto(frame, prefix)))


def _kravperiode() -> pl.Expr:
    return raw("kravperiode", obj(day("start", pl.col("periode_start")), day("slutt", pl.col("periode_slutt"))))


def _joined_per_row(rows: pl.DataFrame, made: pl.Series, parents: int) -> pl.Series:
    """Fragments of rows sorted by ``parent`` (0, 1, …) joined for each of so many parents."""
    counts = (
        pl.DataFrame({"parent": pl.int_range(parents, dtype=pl.UInt32, eager=True)})
        .join(rows.group_by("parent").len(), on="parent", how="left", maintain_order="left")["len"]
        .fill_null(0)
    )
    return join(made, counts)


def under(rows: pl.DataFrame, parents: pl.DataFrame, key: str, *order: str, on: str = "post") -> pl.DataFrame:
    """Rows with ``parent``, the place of their parent among ``parents``, sorted by it and by ``order``."""
    places = parents.select(pl.col(key).alias(on)).with_row_index("parent")
    return rows.join(places, on=on).sort("parent", *order)


PLACEMENT_ORDER = ("plasseringsdato", "plasseringsidentifikator")


def krav_fragments(krav: pl.DataFrame, dues: pl.DataFrame, bucket: dict[str, pl.DataFrame]) -> pl.Series:
    """One fragment per krav. ``krav`` is in the documents' order, ``dues`` in any."""
    dues = under(dues, krav, "kravidentifikator", "forfallsdato", "kravforfallsidentifikator", on="kravidentifikator")
    made = _joined_per_row(dues, _forfall_fragments(dues, bucket), krav.height)
    return (
        escaped(krav)
        .with_columns(forfall=made)
        .select(
            fragment(
                text("part", pl.col("part"), first=True),
                text("kravidentifikator", pl.col("kravidentifikator")),
                text("kravbeskrivelse", pl.col("kravbeskrivelse")),
                day("opprettelsesdatoForKrav", pl.col("opprettelsesdato")),
                text("kravperiode", pl.col("kravperiode")),
                array("kravforfall", pl.col("forfall")),
                amount("opprinneligBeloep", pl.col("opprinnelig_beloep")),
                amount("gjenstaaendeBeloep", pl.col("gjenstaaende_beloep")),
                amount("stipulerteRenter", pl.col("stipulerte_renter")),
                text("kravtype", pl.col("kravtype")),
                text("kravgruppe", pl.col("kravgruppe")),
            ).alias("krav")
        )["krav"]
    )


def _forfall_fragments(dues: pl.DataFrame, bucket: dict[str, pl.DataFrame]) -> pl.Series:
    key = "kravforfallsidentifikator"
    payments = under(bucket["innbetaling_on_forfall"], dues, key, *PLACEMENT_ORDER)
    motkrav = pl.concat(
        [
            bucket["motkrav_on_debit"].with_columns(plassert_beloep=-pl.col("plassert_beloep")),
            bucket["motkrav_on_credit"],
        ]
    )
    motkrav = under(motkrav, dues, key, *PLACEMENT_ORDER)
    dues = escaped(dues).with_columns(
        innbetalinger=_joined_per_row(payments, _payment_on_forfall(payments), dues.height),
        motkrav=_joined_per_row(motkrav, _motkrav(motkrav), dues.height),
    )
    flag = pl.when(pl.col("utsatt_iverksettelse")).then(pl.lit("true")).otherwise(pl.lit("false"))
    return dues.select(
        fragment(
            text("kravforfallsIdentifikator", pl.col(key), first=True),
            day("forfallsdato", pl.col("forfallsdato")),
            amount("opprinneligBeloep", pl.col("opprinnelig_beloep")),
            array("plassertInnbetaling", pl.col("innbetalinger")),
            array("plassertMotkrav", pl.col("motkrav")),
            amount("gjenstaaendeBeloep", pl.col("gjenstaaende_beloep")),
            raw("betalingsinformasjon", _payment_details(dues)),
            raw("utsattIverksettelse", flag),
        ).alias("forfall")
    )["forfall"]


def _payment_on_forfall(rows: pl.DataFrame) -> pl.Series:
    rows = escaped(rows)
    return rows.select(
        fragment(
            text("innbetalingsidentifikator", pl.col("motpost"), first=True),
            day("innbetalingsdato", pl.col("innbetalingsdato")),
            amount("innbetaltBeloep", -pl.col("innbetalt_beloep")),
            raw("betaltFra", _payment_details(rows, "fra_")),
            amount("plassertBeloep", -pl.col("plassert_beloep")),
            day("plasseringsdato", pl.col("plasseringsdato")),
        ).alias("made")
    )["made"]


def _motkrav(rows: pl.DataFrame) -> pl.Series:
    return escaped(rows).select(
        fragment(
            text("motkravBeskrivelse", pl.col("kravbeskrivelse"), first=True),
            text("motkravForfallsIdentifikator", pl.col("motpost")),
            day("motkravForfallsdato", pl.col("forfallsdato")),
            amount("plassertBeloep", pl.col("plassert_beloep")),
            day("plasseringsdato", pl.col("plasseringsdato")),
        ).alias("made")
    )["made"]


def innbetaling_fragments(innbetaling: pl.DataFrame, placements: pl.DataFrame) -> pl.Series:
    """One fragment per payment; ``innbetaling`` is in the documents' order."""
    rows = under(placements, innbetaling, "innbetalingsidentifikator", *PLACEMENT_ORDER)
    made = escaped(rows).select(
        fragment(
            text("dekketKrav", pl.col("kravbeskrivelse"), first=True),
            _kravperiode(),
            text("kravforfallIdentifikator", pl.col("motpost")),
            amount("plassertBeloep", pl.col("plassert_beloep")),
            day("plasseringsdato", pl.col("plasseringsdato")),
        ).alias("made")
    )["made"]
    frame = escaped(innbetaling).with_columns(plassert=_joined_per_row(rows, made, innbetaling.height))
    return frame.select(
        fragment(
            text("part", pl.col("part"), first=True),
            day("innbetalingsdato", pl.col("innbetalingsdato")),
            amount("innbetaltBeloep", -pl.col("innbetalt_beloep")),
            amount("uplassertBeloep", -pl.col("uplassert_beloep")),
            array("plassertInnbetalingMotKrav", pl.col("plassert")),
            raw("betaltFra", _payment_details(frame, "fra_")),
            raw("betaltTilKonto", _konto(frame, "til_")),
            text("innbetalingsIdentifikator", pl.col("innbetalingsidentifikator")),
        ).alias("innbetaling")
    )["innbetaling"]


def utbetaling_fragments(utbetaling: pl.DataFrame, placements: pl.DataFrame) -> pl.Series:
    """One fragment per payout; ``utbetaling`` is in the documents' order."""
    rows = placements.unique(["post", "motkrav"])  # one entry per krav, however many placements
    rows = under(rows, utbetaling, "utbetalingsidentifikator", "motkrav")
    made = escaped(rows).select(
        fragment(
            text("dekketKrav", pl.col("kravbeskrivelse"), first=True),
            text("kravIdentifikator", pl.col("motkrav")),
            text("kravtype", pl.col("kravtype")),
            _kravperiode(),
            amount("opprinneligBeloep", pl.col("krav_opprinnelig")),
            amount("gjenstaaendeBeloep", pl.col("krav_gjenstaaende")),
        ).alias("made")
    )["made"]
    frame = escaped(utbetaling).with_columns(grunnlag=_joined_per_row(rows, made, utbetaling.height))
    return frame.select(
        fragment(
            text("part", pl.col("part"), first=True),
            text("utbetalingsbeskrivelse", pl.col("utbetalingsbeskrivelse")),
            day("utbetaltdato", pl.col("utbetalingsdato")),
            amount("utbetaltBeloep", pl.col("utbetalt_beloep")),
            raw("betaltTil", _payment_details(frame, "til_")),
            text("utbetalingIdentifikator", pl.col("utbetalingsidentifikator")),
            array("grunnlagForUtbetaling", pl.col("grunnlag")),
        ).alias("utbetaling")
    )["utbetaling"]
