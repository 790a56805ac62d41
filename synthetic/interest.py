"""Interest claims for what was paid late, and credits for interest that should not have been."""

from datetime import date

import polars as pl

from synthetic import ids
from synthetic.claims import CARRIED, whole
from synthetic.draw import Draw
from synthetic.terms import EPOCH
from synthetic.tracks import Track

_CLAIM = (*CARRIED, "k", "track", "term", "created", "due", "mva", "oere")


def interest(draw: Draw, placed: pl.DataFrame, until: date) -> pl.DataFrame:
    """A claim per due date paid late: about ten percent a year, in kroner, from fifty kroner up."""
    late = pl.col("date") - pl.col("due")
    claims = (
        placed.lazy()
        .filter((late >= 3) & draw.chance("f", "interest", 45))
        .with_columns(oere=whole(pl.col("oere") * late // 3650), k=ids.derived(pl.col("f"), ids.Origin.INTEREST))
        .filter(pl.col("oere") >= 5_000)
        .unique("k", keep="none")  # one of several payments late: too little to be worth a second claim
        .with_columns(created=pl.col("date") + 5 + draw.below("k", "interest made", 20))
        .with_columns(track=pl.lit(int(Track.INTEREST)), due=pl.col("created") + 21)
    )
    return claims.filter(pl.col("created") <= (until - EPOCH).days).select(_CLAIM).collect()


def interest_credits(draw: Draw, claims: pl.DataFrame, until: date) -> pl.DataFrame:
    """A credit of all or half of one interest claim in eight."""
    all_of_it = draw.chance("k", "whole credit", 60)
    amount = pl.when(all_of_it).then("oere").otherwise(whole(pl.col("oere") // 2))
    credits = (
        claims.lazy()
        .filter(draw.chance("k", "credited", 12))
        .with_columns(created=pl.col("created") + 8 + draw.below("k", "credit made", 40))
        .with_columns(oere=-amount, due="created", track=pl.lit(int(Track.INTEREST_CREDIT)))
        .with_columns(of=pl.col("k") * 8, k=pl.col("k") + ids.PLACES)
    )
    return credits.filter(pl.col("created") <= (until - EPOCH).days).select(*_CLAIM, "of").collect()


def corrections(draw: Draw, credits: pl.DataFrame, until: date) -> pl.DataFrame:
    """The credits used to cover the interest that they correct; the rest are left to be paid out."""
    day = pl.min_horizontal(pl.col("created") + draw.below("k", "corrected", 5), (until - EPOCH).days)
    return (
        credits.lazy()
        .filter(draw.chance("k", "covers", 80))
        .select(f="of", credit=pl.col("k") * 8, oere=-pl.col("oere"), date=day, i="i", mva="mva")
        .collect()
    )


def interest_dues(claims: pl.DataFrame) -> pl.DataFrame:
    """The one due date of each interest claim or credit."""
    columns = [name for name in _CLAIM if name != "due"]
    return claims.select(*columns, n=pl.lit(0, dtype=pl.Int64), f=pl.col("k") * 8, due="due", anchor="due")
