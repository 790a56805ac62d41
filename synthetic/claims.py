"""Claims (krav) of a term or a year, and their due dates (kravforfall)."""

from datetime import date

import polars as pl

from synthetic import ids
from synthetic.draw import Draw, lookup
from synthetic.terms import EPOCH, terms
from synthetic.tracks import IN_MVA, KINDS, SETTLEMENTS, TWO_MONTHS, Track

_TRAIT = {
    Track.VAT: "vat",
    Track.PAYROLL: "employer",
    Track.WITHHOLDING: "employer",
    Track.ADVANCE_PERSON: "advance",
    Track.ADVANCE_COMPANY: "advance",
    Track.SETTLEMENT_PERSON: "settlement",
    Track.SETTLEMENT_COMPANY: "settlement",
    Track.DUTY: "large",
}
_COMPANIES = (Track.ADVANCE_COMPANY, Track.SETTLEMENT_COMPANY)
_PERSONS = (Track.ADVANCE_PERSON, Track.SETTLEMENT_PERSON)

CARRIED = ("i", "part", "profile", "joint", "payer", "payer_i")
"""What payments need to know of the part."""


def whole(oere: pl.Expr) -> pl.Expr:
    """Rounded down to whole kroner."""
    return oere // 100 * 100


def _liable(parts: pl.LazyFrame, draw: Draw, track: Track) -> pl.LazyFrame:
    if track == Track.FEE:
        return parts
    chosen = parts.filter(_TRAIT[track])
    if track in _COMPANIES:
        return chosen.filter(pl.col("parttype") == "VIRKSOMHET")
    if track in _PERSONS:
        return chosen.filter(pl.col("parttype") == "PERSON")
    return chosen


def _shift(draw: Draw, track: Track) -> pl.Expr:
    """Days by which a claim's due dates stand off the term's: assessments aren't made on one day."""
    if track == Track.FEE:
        return draw.below("k", "fee date", 300)
    if track == Track.SETTLEMENT_PERSON:
        return draw.below("k", "assessed", 4) * 21
    if track == Track.SETTLEMENT_COMPANY:
        return draw.below("k", "assessed", 5) * 7 - 14
    return pl.lit(0, dtype=pl.Int64)


def _of_track(parts: pl.LazyFrame, draw: Draw, track: Track, until: date) -> pl.LazyFrame:
    kind = KINDS[track]
    place = ids.track_place(track, pl.col("term"))
    due = [(pl.col(f"due{n}") + pl.col("shift")).alias(f"due{n}") for n in range(4)]
    # One return in sixteen comes after the due date.
    late = draw.chance("k", "late return", 6) & (track in TWO_MONTHS)
    lead = kind.lead + draw.below("k", "made", kind.spread)
    made = pl.when(late).then(pl.col("due0") + 5 + lead * 2).otherwise(pl.col("due0") - lead)
    claims = (
        _liable(parts, draw, track)
        .join(terms(track, until).lazy(), how="cross")
        .filter(pl.col("last") >= pl.col("start"))
        .with_columns(k=ids.krav(pl.col("i"), ids.Origin.TERM, place), track=pl.lit(int(track)))
    )
    if track == Track.FEE:
        claims = claims.filter(draw.chance("k", "fee", 12))
    return (
        claims.with_columns(shift=_shift(draw, track))
        .with_columns(due)
        .with_columns(created=made)
        .filter(pl.col("created") <= (until - EPOCH).days)
    )


def _is_credit(draw: Draw) -> pl.Expr:
    refund = draw.chance("k", "refund", 7) | (pl.col("exporter") & draw.chance("k", "export", 70))
    vat = (pl.col("track") == Track.VAT) & refund
    settled = pl.col("track").is_in([*SETTLEMENTS]) & draw.chance("k", "settled", 52)
    return vat | settled


def _amount(draw: Draw) -> pl.Expr:
    """The claim's øre; whole kroner for most, never 0 but for one VAT return in a hundred."""
    percents = [kind.percent for kind in KINDS.values()]
    share = lookup(percents, pl.col("track")) * pl.col("size") // 100
    oere = share * (40 + draw.below("k", "amount", 121))
    fee = 50_000 + draw.below("k", "fee amount", 200) * 5_000
    oere = pl.when(pl.col("track") == Track.FEE).then(fee).otherwise(pl.max_horizontal(oere, 10_000))
    odd = (pl.col("track") == Track.DUTY) | draw.chance("k", "odd amount", 4)
    oere = pl.when(odd).then(oere + draw.below("k", "oere", 100)).otherwise(whole(oere))
    nil = (pl.col("track") == Track.VAT) & draw.chance("k", "nil return", 1)
    return pl.when(nil).then(0).when(_is_credit(draw)).then(-oere).otherwise(oere)


def _count(draw: Draw) -> pl.Expr:
    """How many due dates: four of advance tax, two of a larger residual tax or a claim raised later."""
    track = pl.col("track")
    raised = track.is_in([*TWO_MONTHS]) & (pl.col("oere") > 0) & draw.chance("k", "raised", 27)
    halved = track.is_in([*SETTLEMENTS]) & (pl.col("oere") >= 100_000)
    count = pl.when(track == Track.ADVANCE_PERSON).then(4)
    return count.when((track == Track.ADVANCE_COMPANY) | raised | halved).then(2).otherwise(1)


def claims(draw: Draw, parts: pl.DataFrame, until: date) -> pl.DataFrame:
    """The claims that come with the terms, made up to and including ``until``."""
    tracks = [_of_track(parts.lazy(), draw, track, until) for track in (*_TRAIT, Track.FEE)]
    in_mva = pl.col("track").is_in([*IN_MVA])
    return pl.concat(tracks).with_columns(oere=_amount(draw), mva=in_mva).with_columns(count=_count(draw)).collect()


def due_dates(draw: Draw, claims: pl.DataFrame) -> pl.DataFrame:
    """Every claim's due dates: their amounts sum to it and have its sign."""
    n, count, oere = pl.col("n"), pl.col("count"), pl.col("oere")
    even = whole(oere.abs() // count)
    added = whole(oere.abs() * (5 + draw.below("k", "raised by", 26)) // 100)
    later = pl.when(pl.col("track").is_in([*TWO_MONTHS])).then(added).otherwise(even)
    size = pl.when(n > 0).then(later).otherwise(oere.abs() - later * (count - 1))
    raised_due = pl.col("due0") + 30 + draw.below("k", "raised due", 60)
    due = pl.when(n == 0).then("due0").when(n == 1).then(pl.coalesce("due1", raised_due))
    return (
        claims.lazy()
        .select(*CARRIED, "k", "track", "term", "created", "mva", "oere", "count", "^due\\d$")
        .with_columns(n=pl.int_ranges(0, pl.col("count")))
        .explode("n")
        .with_columns(f=pl.col("k") * 8 + n, due=due.when(n == 2).then("due2").otherwise("due3"))
        .with_columns(oere=size * oere.sign(), anchor=pl.col("due0"))
        .drop("^due\\d$", "count")
        .collect()
    )
