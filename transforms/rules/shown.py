"""What documents show of a krav's texts and of a payer's account (CONTRACT section 3)."""

import polars as pl

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
