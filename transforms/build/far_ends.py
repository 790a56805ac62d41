"""Gives each placement what its documents show of the far end: a payment's payer, a krav's text and period.

Most far ends lie in the same bucket; those that don't came with it (``buckets``). Pure, within one bucket.
"""

import polars as pl

KRAV_SHOWN = ("kravidentifikator", "kravbeskrivelse", "kravtype", "periode_start", "periode_slutt")
PAYMENT_SHOWN = (
    "innbetalingsdato",
    "innbetalt_beloep",
    "fra_kidnummer",
    "fra_bankinformasjon",
    "fra_kontoeiers_navn",
    "fra_swift_bic",
    "fra_kontonummer",
)
PLACEMENT_TABLES = (
    "innbetaling_on_forfall",
    "motkrav_on_debit",
    "motkrav_on_credit",
    "utbetaling_on_forfall",
    "forfall_on_innbetaling",
    "forfall_on_utbetaling",
)
"""Placements by type and near end: each has ``post`` (the near end), ``part`` (whose that is) and ``motpost``.

They are sorted more than once, so each also has its place by identifier, ``number``, and its part's place, ``doc``:
sorting by numbers costs a fourth of sorting by text.
"""


def placements(bucket: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The ``PLACEMENT_TABLES`` of a bucket, made of its posts, ``plassering`` and the ``far_`` tables.

    ``part`` is sorted.
    """
    parts = bucket["part"].select("part").with_row_index("doc")
    rows = bucket["plassering"].sort("plasseringsidentifikator").with_row_index("number")
    dues, payments = _dues(bucket), _payments(bucket)
    near_forfall = _near(rows, parts, "kravforfallsidentifikator", "forfall_part", "motpost")
    near_motpost = _near(rows, parts, "motpost", "motpost_part", "kravforfallsidentifikator")

    def of(rows: pl.DataFrame, kind: str) -> pl.DataFrame:
        return rows.filter(pl.col("plasseringstype") == kind)

    return {
        "innbetaling_on_forfall": of(near_forfall, "INNBETALING").join(payments, on="motpost", how="left"),
        "motkrav_on_debit": of(near_forfall, "MOTKRAV").join(dues, on="motpost", how="left"),
        "motkrav_on_credit": of(near_motpost, "MOTKRAV").join(dues, on="motpost", how="left"),
        "utbetaling_on_forfall": of(near_forfall, "UTBETALING"),
        "forfall_on_innbetaling": of(near_motpost, "INNBETALING").join(dues, on="motpost", how="left"),
        "forfall_on_utbetaling": of(near_motpost, "UTBETALING").join(dues, on="motpost", how="left"),
    }


def _near(rows: pl.DataFrame, parts: pl.DataFrame, post: str, part: str, motpost: str) -> pl.DataFrame:
    """The placements whose end ``post`` lies with a part of the bucket, seen from there."""
    return rows.join(parts.rename({"part": part}), on=part).select(
        "number",
        "doc",
        "plasseringsidentifikator",
        "plasseringstype",
        "plassert_beloep",
        "plasseringsdato",
        post=pl.col(post),
        part=pl.col(part),
        motpost=pl.col(motpost),
    )


def _dues(bucket: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """What is shown of a due date and its krav, by ``motpost``; ``krav_gjenstaaende`` of far ones only."""
    krav = bucket["krav"].select(*KRAV_SHOWN, krav_opprinnelig="opprinnelig_beloep")
    here = bucket["kravforfall"].select("kravforfallsidentifikator", "forfallsdato", "kravidentifikator")
    here = here.join(krav, on="kravidentifikator", how="left")
    dues = pl.concat([here, bucket["far_forfall"]], how="diagonal_relaxed")
    return dues.rename({"kravforfallsidentifikator": "motpost", "kravidentifikator": "motkrav"})


def _payments(bucket: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """What is shown of a payment, by ``motpost``."""
    shown = ["innbetalingsidentifikator", *PAYMENT_SHOWN]
    payments = pl.concat([bucket["innbetaling"].select(shown), bucket["far_innbetaling"].select(shown)])
    return payments.rename({"innbetalingsidentifikator": "motpost"})


def with_remaining(payouts: pl.DataFrame, krav: pl.DataFrame) -> pl.DataFrame:
    """Fills ``krav_gjenstaaende`` in from the bucket's own balanced krav."""
    here = krav.select(motkrav="kravidentifikator", here=pl.col("gjenstaaende_beloep"))
    return (
        payouts.join(here, on="motkrav", how="left")
        .with_columns(krav_gjenstaaende=pl.coalesce("here", pl.col("krav_gjenstaaende").cast(pl.Int128)))
        .drop("here")
    )
