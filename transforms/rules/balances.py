"""Remaining, overdue, interest and totals (CONTRACT section 3), for one bucket of households.

Amounts in øre, interest in øre as well (whole kroner × 100) once it stands beside amounts. Sums that
may pass 64 bits are Int128.
"""

from datetime import date

import polars as pl

from transforms.rules.interest import stipulated, weights

TOTALS = ("stipulerte_renter", "forfalte_krav", "ikke_forfalte_krav")


def balance_forfall(bucket: dict[str, pl.DataFrame], rates: pl.DataFrame, snapshot_date: date) -> pl.DataFrame:
    """Due dates with ``gjenstaaende_beloep``, ``forfalt``, ``renteberegnes`` and ``stipulerte_renter`` (Int128).

    One law on both sides, remaining = original + Σ placed: what covers a debit counts negative,
    what is taken from a credit positive.
    """
    placed = pl.concat(_placed(bucket[name], sign) for name, sign in _SIGNS.items())
    sums = placed.group_by("kravforfallsidentifikator").agg(pl.col("plassert").sum())
    dues = bucket["kravforfall"].join(sums, on="kravforfallsidentifikator", how="left")
    bearing = bucket["krav"].select("kravidentifikator", "renteberegnes")
    remaining = pl.col("opprinnelig_beloep") + pl.col("plassert").fill_null(0)
    dues = dues.with_columns(gjenstaaende_beloep=remaining).drop("plassert")
    return with_interest(dues.join(bearing, on="kravidentifikator", how="left"), rates, snapshot_date)


def with_interest(dues: pl.DataFrame, rates: pl.DataFrame, snapshot_date: date) -> pl.DataFrame:
    """Due dates with what the date alone decides of them: ``forfalt`` and ``stipulerte_renter`` (Int128)."""
    dues = dues.with_columns(forfalt=pl.col("forfallsdato") < snapshot_date).join(
        weights(dues["forfallsdato"], rates, snapshot_date), on="forfallsdato", how="left"
    )
    return dues.with_columns(stipulerte_renter=stipulated()).drop("vekt")


_SIGNS = {
    "innbetaling_on_forfall": -1,
    "motkrav_on_debit": -1,
    "motkrav_on_credit": 1,
    "utbetaling_on_forfall": 1,
}


def _placed(rows: pl.DataFrame, sign: int) -> pl.DataFrame:
    return rows.select(kravforfallsidentifikator=pl.col("post"), plassert=pl.col("plassert_beloep") * sign)


def balance_krav(krav: pl.DataFrame, dues: pl.DataFrame) -> pl.DataFrame:
    """Krav with ``gjenstaaende_beloep``, ``aapent`` and their due dates' sums of the three ``TOTALS``."""
    sums = dues.group_by("kravidentifikator").agg(
        gjenstaaende_beloep=_REMAINING.sum(),
        aapent=(pl.col("gjenstaaende_beloep") != 0).any(),
        antall_forfall=pl.len(),
        **_OF_DUES,
    )
    return krav.join(sums, on="kravidentifikator", how="left", maintain_order="left")


def with_totals(krav: pl.DataFrame, dues: pl.DataFrame) -> pl.DataFrame:
    """Balanced krav with the ``TOTALS`` of these due dates, which are all that have something remaining."""
    sums = dues.group_by("kravidentifikator").agg(**_OF_DUES)
    both = krav.drop(TOTALS).join(sums, on="kravidentifikator", how="left", maintain_order="left")
    return both.with_columns(pl.col(TOTALS).fill_null(0))


_REMAINING = pl.col("gjenstaaende_beloep").cast(pl.Int128)
_OF_DUES = {
    "stipulerte_renter": pl.col("stipulerte_renter").sum(),
    "forfalte_krav": _REMAINING.filter(pl.col("forfalt")).sum(),
    "ikke_forfalte_krav": _REMAINING.filter(~pl.col("forfalt")).sum(),
}
"""The ``TOTALS`` of a krav, by its due dates."""


def balance_innbetaling(innbetaling: pl.DataFrame, placements: pl.DataFrame) -> pl.DataFrame:
    """Payments with ``uplassert_beloep`` (at least 0): what is not placed yet."""
    placed = placements.group_by(pl.col("post").alias("innbetalingsidentifikator")).agg(
        plassert=pl.col("plassert_beloep").sum()
    )
    return (
        innbetaling.join(placed, on="innbetalingsidentifikator", how="left")
        .with_columns(uplassert_beloep=pl.col("innbetalt_beloep") - pl.col("plassert").fill_null(0))
        .drop("plassert")
    )


def shown_under(part: pl.DataFrame) -> pl.DataFrame:
    """``forespurt_part``, ``part``: whose posts each document holds, its own and an ENK's owner's."""
    own = part.select(forespurt_part=pl.col("part"), part=pl.col("part"))
    owners = part.filter(pl.col("innehaver").is_not_null()).select(
        forespurt_part=pl.col("part"), part=pl.col("innehaver")
    )
    return pl.concat([own, owners])


def per_kravgruppe(krav: pl.DataFrame, shown: pl.DataFrame) -> pl.DataFrame:
    """The overview per ``forespurt_part`` and ``kravgruppe`` over open krav, sorted, with ``saldo``."""
    return (
        shown.join(krav.filter("aapent"), on="part")
        .group_by("forespurt_part", "kravgruppe")
        .agg(pl.col(TOTALS).sum())
        .with_columns(saldo=pl.sum_horizontal(TOTALS))
        .sort("forespurt_part", "kravgruppe")
    )


def unplaced(shown: pl.DataFrame, innbetaling: pl.DataFrame) -> pl.DataFrame:
    """``uplasserte_innbetalinger`` (≤ 0) per ``forespurt_part`` that has any."""
    return (
        shown.join(innbetaling.filter(pl.col("uplassert_beloep") != 0), on="part")
        .group_by("forespurt_part")
        .agg(uplasserte_innbetalinger=(-pl.col("uplassert_beloep")).cast(pl.Int128).sum())
    )


def per_part(part: pl.DataFrame, groups: pl.DataFrame, unplaced: pl.DataFrame) -> pl.DataFrame:
    """The overview per ``forespurt_part``, sorted: the three totals, unplaced payments (≤ 0), ``saldo``.

    ``groups``: see ``per_kravgruppe``; ``unplaced``: ``forespurt_part`` and ``uplasserte_innbetalinger``.
    """
    sums = groups.group_by("forespurt_part").agg(pl.col(TOTALS).sum())
    columns = (*TOTALS, "uplasserte_innbetalinger")
    return (
        part.select(forespurt_part="part")
        .join(sums, on="forespurt_part", how="left")
        .join(unplaced, on="forespurt_part", how="left")
        .with_columns(pl.col(columns).fill_null(0).cast(pl.Int128))
        .with_columns(saldo=pl.sum_horizontal(columns))
        .sort("forespurt_part")
    )
