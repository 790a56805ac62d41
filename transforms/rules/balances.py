"""Remaining, overdue, interest and totals (CONTRACT section 3), for one bucket of households.

Amounts in øre, interest in øre as well (whole kroner × 100) once it stands beside amounts. Sums that
may pass 64 bits are Int128.
"""

from collections.abc import Iterable
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from transforms.rules.interest import stipulated, weights

TOTALS = ("stipulerte_renter", "forfalte_krav", "ikke_forfalte_krav")


def balance_forfall(
    dues: pl.DataFrame, krav: pl.DataFrame, placed: dict[str, pl.DataFrame], rates: pl.DataFrame, snapshot_date: date
) -> pl.DataFrame:
    """Due dates with ``gjenstaaende_beloep``, ``forfalt``, ``renteberegnes`` and ``stipulerte_renter`` (Int128).

    One law on both sides, remaining = original + Σ placed: what covers a debit counts negative, what is taken from a
    credit positive. ``krav`` and ``post``: places in ``krav`` and ``dues``.
    """
    remaining = _with_placed(dues["opprinnelig_beloep"], ((placed[name], sign) for name, sign in _SIGNS.items()))
    bears = krav["renteberegnes"].gather(dues["krav"])
    return with_interest(dues.with_columns(gjenstaaende_beloep=remaining, renteberegnes=bears), rates, snapshot_date)


def with_interest(dues: pl.DataFrame, rates: pl.DataFrame, snapshot_date: date) -> pl.DataFrame:
    """Due dates with what the date alone decides of them: ``forfalt`` and ``stipulerte_renter`` (Int128)."""
    by_date = weights(dues["forfallsdato"], rates, snapshot_date)
    weight = by_date["vekt"].gather(by_date["forfallsdato"].search_sorted(dues["forfallsdato"]))
    dues = dues.with_columns(forfalt=pl.col("forfallsdato") < snapshot_date, vekt=weight)
    return dues.with_columns(stipulerte_renter=stipulated()).drop("vekt")


_SIGNS = {
    "innbetaling_on_forfall": -1,
    "motkrav_on_debit": -1,
    "motkrav_on_credit": 1,
    "utbetaling_on_forfall": 1,
}


def _with_placed(amounts: pl.Series, placements: Iterable[tuple[pl.DataFrame, int]]) -> npt.NDArray[np.int64]:
    """The amounts with what is placed on their ``post``: never more than they are (CONTRACT 2.2.5), so 64 bits do."""
    remaining = amounts.to_numpy(writable=True)
    for rows, sign in placements:
        np.add.at(remaining, rows["post"].to_numpy(), sign * rows["plassert_beloep"].to_numpy())
    return remaining


def balance_krav(krav: pl.DataFrame, dues: pl.DataFrame) -> pl.DataFrame:
    """Krav with ``gjenstaaende_beloep``, ``aapent`` and their due dates' sums of the three ``TOTALS``.

    ``krav`` of ``dues``: places in ``krav``.
    """
    remaining = pl.col("gjenstaaende_beloep")
    sums = _sums(krav.height, dues, remaining, *_TOTALS, uoppgjorte=remaining != 0, antall_forfall=pl.lit(1))
    aapent, antall = sums["uoppgjorte"] != 0, sums["antall_forfall"].cast(pl.UInt32)
    return krav.with_columns(sums.select("gjenstaaende_beloep", *TOTALS), aapent=aapent, antall_forfall=antall)


def with_totals(krav: pl.DataFrame, dues: pl.DataFrame) -> pl.DataFrame:
    """Krav with the ``TOTALS`` of these due dates, which are all that have something remaining."""
    return krav.with_columns(_sums(krav.height, dues, *_TOTALS))


_TOTALS = (
    pl.col("stipulerte_renter"),
    pl.when("forfalt").then("gjenstaaende_beloep").otherwise(0).alias("forfalte_krav"),
    pl.when("forfalt").then(0).otherwise("gjenstaaende_beloep").alias("ikke_forfalte_krav"),
)
"""What the ``TOTALS`` of a krav are sums of, of each due date."""


def _sums(krav: int, dues: pl.DataFrame, *values: pl.Expr, **named: pl.Expr) -> pl.DataFrame:
    """The sums (Int128) of the due dates of each of so many krav: what running sums grow by from one to the next."""
    of_krav = dues["krav"].to_numpy()
    order = np.argsort(of_krav, kind="stable")
    firsts = np.searchsorted(of_krav[order], np.arange(krav + 1))
    running = dues.select(*values, **named).select(pl.all().cast(pl.Int128).gather(order).cum_sum())
    return pl.concat([running.clear(1).fill_null(0), running])[firsts].select(pl.all().diff().slice(1))


def balance_innbetaling(innbetaling: pl.DataFrame, placements: pl.DataFrame) -> pl.DataFrame:
    """Payments with ``uplassert_beloep`` (at least 0): what is not placed yet. ``post``: places in ``innbetaling``."""
    return innbetaling.with_columns(uplassert_beloep=_with_placed(innbetaling["innbetalt_beloep"], [(placements, -1)]))


def per_kravgruppe(krav: pl.DataFrame) -> pl.DataFrame:
    """The overview per ``doc`` and ``kravgruppe`` over the open krav that documents show, sorted, with ``saldo``."""
    return (
        krav.group_by("doc", "kravgruppe")
        .agg(pl.col(TOTALS).sum())
        .with_columns(saldo=pl.sum_horizontal(TOTALS))
        .sort("doc", "kravgruppe")
    )


def unplaced(innbetaling: pl.DataFrame) -> pl.DataFrame:
    """``uplasserte_innbetalinger`` (≤ 0) per ``doc`` over the payments that documents show, of those that have any."""
    return innbetaling.group_by("doc").agg(uplasserte_innbetalinger=(-pl.col("uplassert_beloep")).cast(pl.Int128).sum())


def per_part(documents: int, groups: pl.DataFrame, unplaced: pl.DataFrame) -> pl.DataFrame:
    """The overview of each of so many documents: the three totals, unplaced payments (≤ 0), ``saldo``.

    ``groups``: see ``per_kravgruppe``; ``unplaced``: ``doc`` and ``uplasserte_innbetalinger``.
    """
    sums = groups.group_by("doc").agg(pl.col(TOTALS).sum())
    columns = (*TOTALS, "uplasserte_innbetalinger")
    return (
        pl.DataFrame({"doc": np.arange(documents)})
        .join(sums, on="doc", how="left", maintain_order="left")
        .join(unplaced, on="doc", how="left", maintain_order="left")
        .select(pl.col(columns).fill_null(0).cast(pl.Int128))
        .with_columns(saldo=pl.sum_horizontal(columns))
    )
