"""Credit claims used to cover debit ones (motkrav)."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from synthetic.draw import Draw
from synthetic.terms import EPOCH
from synthetic.tracks import Track

_CREDIT = {"f": "credit", "oere": "owed", "created": "credit_made", "mva": "credit_mva"}


def _pairs(dues: pl.LazyFrame, source: Track, terms_on: int, target: Track, n: int) -> pl.LazyFrame:
    """Credits of one track beside the debit due date that they may cover: one credit each, one debit each."""
    credits = dues.filter((pl.col("track") == source) & (pl.col("oere") < 0) & (pl.col("n") == 0))
    credits = credits.select("i", pl.col("term") + terms_on, *(pl.col(a).alias(b) for a, b in _CREDIT.items()))
    debits = dues.filter((pl.col("track") == target) & (pl.col("oere") > 0) & (pl.col("n") == n))
    return debits.join(credits, on=["i", "term"])


def _taken(pairs: pl.LazyFrame, draw: Draw, percent: float, until: date) -> pl.LazyFrame:
    day = pl.max_horizontal("credit_made", "created", pl.col("due") - 20) + draw.below("f", "set off", 15)
    return pairs.with_columns(date=day).filter(
        draw.chance("f", "motkrav", percent) & (pl.col("date") <= (until - EPOCH).days)
    )


def offsets(draw: Draw, dues: pl.DataFrame, until: date) -> pl.DataFrame:
    """What refunds cover: VAT the payroll tax of its term, then the next VAT; tax refunds advance tax.

    The second crosses no ledger, the first does. Each credit is used for no more than it is worth.
    """
    frame = dues.lazy()
    rules = (
        (Track.VAT, 0, Track.PAYROLL, 0, 50),
        (Track.VAT, 1, Track.VAT, 0, 60),
        (Track.SETTLEMENT_PERSON, 1, Track.ADVANCE_PERSON, 2, 35),
    )
    taken = [_taken(_pairs(frame, *rule[:4]), draw, rule[4], until) for rule in rules]
    return _share_out(taken)


def _share_out(taken: Sequence[pl.LazyFrame]) -> pl.DataFrame:
    """Each credit's worth handed out over its debits, in order, until there is no more."""
    before = pl.col("oere").cum_sum().over("credit", order_by="order") - pl.col("oere")
    left = -pl.col("owed") - before
    ordered = [frame.with_columns(order=pl.lit(order)) for order, frame in enumerate(taken)]
    return (
        pl.concat(ordered)
        .with_columns(oere=pl.min_horizontal("oere", left))
        .filter(pl.col("oere") > 0)
        .select("f", "credit", "oere", "date", "i", mva="credit_mva")
        .collect()
    )
