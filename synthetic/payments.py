"""Payments in and out, and what they are placed on."""

from datetime import date

import polars as pl

from synthetic import ids
from synthetic.claims import CARRIED, whole
from synthetic.draw import Draw, lookup
from synthetic.terms import EPOCH
from synthetic.tracks import Track

# How a due date is paid. The order is the table's below.
ON_TIME, EARLY, LATE, SPLIT, PARTIAL, UNPAID, OVERPAID, OTHER = range(8)
_OF_HUNDRED = (
    (48, 12, 8, 24, 0, 0, 4, 4),  # good payers: what they owe is paid in the end
    (18, 3, 38, 32, 3, 1, 2, 3),  # slow ones
    (8, 0, 25, 20, 15, 30, 0, 2),  # bad ones
)
_BEHAVIOURS = [kind for row in _OF_HUNDRED for kind, count in enumerate(row) for _ in range(count)]

# plasseringstype, by number in the frames
INNBETALING, MOTKRAV, UTBETALING = range(3)

_PAID = ("p", "i", "holder_i", "part", "date", "oere", "mva")


def _behaviour(draw: Draw, key: str) -> pl.Expr:
    return lookup(_BEHAVIOURS, pl.col("profile") * 100 + draw.below(key, "behaviour", 100))


def _together(draw: Draw) -> pl.Expr:
    """The due date that a due date is paid with: some pay withholding with payroll tax, or a year at once."""
    track, n, f = pl.col("track"), pl.col("n"), pl.col("f")
    payroll = (track == Track.WITHHOLDING) & (n == 0) & pl.col("joint")
    year = (track == Track.ADVANCE_PERSON) & pl.col("joint") & draw.chance("k", "year at once", 25)
    return pl.when(payroll).then(f - 512 * 8).when(year).then(f - n).otherwise(f)


def _first_date(draw: Draw) -> pl.Expr:
    how = pl.col("how")
    on_time = pl.col("anchor") - draw.below("b", "days before", 8)
    early = pl.col("anchor") - 10 - draw.below("b", "days early", 30)
    # Squared, so that most are a little late and a few very.
    late = pl.col("anchor") + 1 + draw.below("b", "days late", 20) * draw.below("b", "later", 16)
    day = pl.when(how == LATE).then(late).when(how == EARLY).then(early).otherwise(on_time)
    return pl.max_horizontal(day, "created")


def _shares(draw: Draw, dues: pl.DataFrame, covered: pl.DataFrame) -> pl.LazyFrame:
    """Due dates with what is left to pay after offsets, how, and how much of it in the first payment."""
    set_off = covered.lazy().group_by("f").agg(pl.col("oere").sum().alias("set_off"))
    how, left = pl.col("how"), pl.col("left")
    part = whole(left * (20 + draw.below("b", "share", 70)) // 100)
    first = pl.when(how.is_in([SPLIT, PARTIAL])).then(part).when(how == UNPAID).then(0).otherwise(left)
    return (
        dues.lazy()
        .filter(pl.col("oere") > 0)
        .join(set_off, on="f", how="left")
        .with_columns(b=_together(draw), left=pl.col("oere") - pl.col("set_off").fill_null(0))
        .with_columns(how=_behaviour(draw, "b"))
        .with_columns(first=first, date=_first_date(draw))
    )


def payments(draw: Draw, dues: pl.DataFrame, covered: pl.DataFrame, until: date) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Payments made up to ``until`` and their placements, one placement per due date and payment."""
    shares = _shares(draw, dues, covered)
    first = shares.with_columns(share="first", p=pl.col("b") * 4, l=pl.col("f") * 8)
    second_date = pl.max_horizontal("due", "date") + 6 + draw.below("f", "second", 70)
    second = shares.filter(pl.col("how") == SPLIT).with_columns(
        share=pl.col("left") - pl.col("first"), date=second_date, p=pl.col("f") * 4 + 1, l=pl.col("f") * 8 + 1
    )
    placed = pl.concat([first, second]).filter(pl.col("share") > 0).collect()
    paid = _paid(draw, placed, until)
    ledgers = paid.lazy().select("p", "date", pl.col("mva").alias("ledger"))
    day = pl.min_horizontal(pl.col("date") + draw.below("l", "placed", 4), (until - EPOCH).days)
    columns = (*CARRIED, "l", "f", "p", "due", "track", "term", "mva")
    placements = placed.lazy().select(*columns, oere="share").join(ledgers, on="p")
    return paid, placements.with_columns(date=day).collect()


def _paid(draw: Draw, placed: pl.DataFrame, until: date) -> pl.DataFrame:
    other = (pl.col("how") == OTHER) & pl.col("payer").is_not_null()
    surplus = pl.col("oere") * (5 + draw.below("p", "surplus", 60)) // 100
    return (
        placed.lazy()
        .with_columns(
            holder_i=pl.when(other).then("payer_i").otherwise("i"),
            part=pl.when(other).then("payer").otherwise("part"),
        )
        .group_by("p")
        .agg(
            pl.col("i", "holder_i", "part", "mva", "how").first(),
            pl.col("date").max(),
            pl.col("share").sum().alias("oere"),
        )
        .filter(pl.col("date") <= (until - EPOCH).days)
        .with_columns(
            # One payment in thirty comes in on the other ledger's account.
            mva=pl.col("mva") ^ draw.chance("p", "other ledger", 3.3),
            oere=pl.col("oere") + pl.when(pl.col("how") == OVERPAID).then(surplus).otherwise(0),
        )
        .select(_PAID)
        .collect()
    )


def unplaced(draw: Draw, parts: pl.DataFrame, until: date) -> pl.DataFrame:
    """Payments that nobody knows what are for."""
    today = (until - EPOCH).days
    return (
        parts.lazy()
        .filter(draw.chance("i", "unplaced", 5))
        .with_columns(
            p=ids.event(pl.col("i"), 0) * 32,
            holder_i="i",
            date=today - draw.below("i", "unplaced date", 300),
            oere=10_000 + draw.below("i", "unplaced amount", 2_000_000),
            mva=draw.chance("i", "unplaced ledger", 50),
        )
        .select(_PAID)
        .collect()
    )


def payouts(draw: Draw, dues: pl.DataFrame, used: pl.DataFrame, until: date) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What is paid out of credit due dates after offsets: all, half or nothing; some two credits at once."""
    spent = used.lazy().group_by(pl.col("credit").alias("f")).agg(pl.col("oere").sum().alias("spent"))
    left = -pl.col("oere") - pl.col("spent").fill_null(0)
    roll = draw.below("f", "paid out", 100)
    # Terms two and two are paid out together by those who do things jointly: the even number of the pair.
    pair = pl.col("joint") & (pl.col("track") == Track.VAT)
    with_f = pl.when(pair).then(pl.col("f") - pl.col("term") % 2 * 8).otherwise("f")
    out = (
        dues.lazy()
        .filter(pl.col("oere") < 0)
        .join(spent, on="f", how="left")
        .with_columns(share=pl.when(roll < 82).then(left).when(roll < 90).then(left // 2).otherwise(0), u=with_f * 4)
        .with_columns(date=pl.max_horizontal("due", "created") + draw.below("f", "payout", 25))
        .filter((pl.col("share") > 0) & (pl.col("date") <= (until - EPOCH).days))
        .collect()
    )
    # One in thirty goes to somebody else's account: an owner's, a spouse's.
    other = pl.col("payer").is_not_null() & draw.chance("u", "paid to another", 3.3)
    made = (
        out.lazy()
        .with_columns(
            holder_i=pl.when(other).then("payer_i").otherwise("i"),
            part=pl.when(other).then("payer").otherwise("part"),
        )
        .group_by("u")
        .agg(
            pl.col("i", "holder_i", "part", "mva").first(),
            pl.col("date").max(),
            pl.col("share").sum().alias("oere"),
        )
        .collect()
    )
    dates = made.lazy().select("u", "date")
    placed = out.lazy().select("f", "u", "i", "mva", oere="share", l=pl.col("f") * 8 + 3).join(dates, on="u")
    return made, placed.collect()
