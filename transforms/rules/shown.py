"""What documents show of a krav's texts, a payer's account (CONTRACT section 3) and posts at far ends (section 4)."""

import polars as pl

KRAV_SHOWN = ("kravidentifikator", "kravbeskrivelse", "kravtype", "periode_start", "periode_slutt")
PAYMENT_SHOWN = (
    "innbetalingsidentifikator",
    "innbetalingsdato",
    "innbetalt_beloep",
    "fra_kidnummer",
    "fra_bankinformasjon",
    "fra_kontoeiers_navn",
    "fra_swift_bic",
    "fra_kontonummer",
)
"""The columns of krav and payments that the documents of others show: those at the far end of their placements."""

TEXTS = {
    "kravbeskrivelse": pl.coalesce("kravbeskrivelse", "tekst", "kravtype"),
    "kravgruppe": pl.coalesce("kravgruppe", "kravgruppe_of_type", pl.lit("Andre krav")),
    "renteberegnes": pl.col("renteberegnes").fill_null(value=True),
}


def with_texts(krav: pl.DataFrame, kravtyper: pl.DataFrame) -> pl.DataFrame:
    """The krav with their texts and groups filled in from ``kravtyper`` (``reference``), and ``renteberegnes``: one of
    an unknown kravtype bears interest.
    """
    of_type = kravtyper.rename({"kravgruppe": "kravgruppe_of_type"})
    krav = krav.join(of_type, on="kravtype", how="left", maintain_order="left")
    return krav.with_columns(**TEXTS).drop("tekst", "kravgruppe_of_type")


def masked(account: str) -> pl.Expr:
    """The account in a column but for its last five digits."""
    return pl.col(account).str.tail(5).str.pad_start(pl.col(account).str.len_chars(), "*")
