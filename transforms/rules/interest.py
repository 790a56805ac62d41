"""Stipulated interest (CONTRACT section 3; forsinkelsesrenteloven § 3, skattebetalingsloven § 11-1).

Interest of a due date = remaining × Σ over the days after it through S of that day's yearly rate ÷ 365,
rounded down to whole kroner, and 0 under 50. All in integers: the sum of the daily rates, the
*weight*, has one value per due date, however many claims are due that day.
"""

from datetime import date, timedelta

import numpy as np
import polars as pl

ONE_DAY = timedelta(days=1)
LEAST_KRONER = 50
DIVISOR = 365 * 100 * 100 * 100
"""Days a year, hundredths of a percent, and øre, to whole kroner."""


def weights(due: pl.Series, rates: pl.DataFrame, snapshot_date: date) -> pl.DataFrame:
    """``forfallsdato`` and ``vekt`` (Int128): the sum of the daily rates from the day after through S.

    ``rates``: ``fra_dato``, ``sats`` in hundredths of a percent a year, ascending. Days before the first
    rate bear none; a due date on S or after has the weight 0.
    """
    dates = due.unique().sort().rename("forfallsdato")
    day, ends = (days.to_physical().cast(pl.Int64).to_numpy() for days in (dates, _ends(rates, snapshot_date)))
    begin = np.maximum(day[:, np.newaxis] + 1, ends[:-1])
    until = np.minimum(ends[1:], ends[-1])
    weight = (until - begin).clip(0) @ rates["sats"].to_numpy()  # of 64 bits: millions of days, millions of percent
    return pl.DataFrame({"forfallsdato": dates, "vekt": pl.Series(weight, dtype=pl.Int128)})


def rate_periods(due: date, rates: pl.DataFrame, snapshot_date: date) -> list[tuple[date, date, int]]:
    """The days from the day after ``due`` through S by their rate: the first, the last, ``sats``. As ``weights``."""
    periods = []
    ends = [*rates["fra_dato"][1:], snapshot_date + ONE_DAY]
    for begins, end, sats in zip(rates["fra_dato"], ends, rates["sats"], strict=True):
        first, last = max(begins, due + ONE_DAY), min(end - ONE_DAY, snapshot_date)
        if first <= last:
            periods.append((first, last, sats))
    return periods


def _ends(rates: pl.DataFrame, snapshot_date: date) -> pl.Series:
    """When each rate begins, and after that the day after S."""
    return pl.concat([rates["fra_dato"], pl.Series([snapshot_date + ONE_DAY], dtype=pl.Date)])


def interest(remaining: pl.Expr, weight: pl.Expr) -> pl.Expr:
    """Whole kroner (Int128) on ``remaining`` (øre, at least 0) with ``weight``."""
    kroner = remaining.cast(pl.Int128) * weight // DIVISOR
    return pl.when(kroner >= LEAST_KRONER).then(kroner).otherwise(0)


def stipulated() -> pl.Expr:
    """Interest of due dates in øre (Int128), of their columns ``gjenstaaende_beloep``, ``forfalt``, ``renteberegnes``
    and ``vekt``: overdue debits with something remaining, of krav that bear interest.
    """
    remaining = pl.col("gjenstaaende_beloep")
    bears = pl.col("forfalt") & (remaining > 0) & pl.col("renteberegnes")
    return pl.when(bears).then(interest(remaining.clip(0), pl.col("vekt")) * 100).otherwise(0).cast(pl.Int128)
