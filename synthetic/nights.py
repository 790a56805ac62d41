"""Which parts a night touches, and what it does to their ledgers.

A night is a function from ledger to ledger. What is delivered is the difference between the two, so a
night cannot contradict itself: a key comes once, and what it refers to is there.
"""

from collections.abc import Callable
from datetime import date, timedelta

import polars as pl

from synthetic import ids
from synthetic.claims import whole
from synthetic.draw import Draw
from synthetic.ledger import KEYS, Ledger, shaped, tables
from synthetic.payments import INNBETALING, MOTKRAV, UTBETALING
from synthetic.terms import EPOCH
from synthetic.tracks import Track


class Night:
    """Night ``number`` (from 2) of a run that began with ``first_parts`` parts on ``first_date``."""

    def __init__(self, draw: Draw, number: int, first_parts: int, first_date: date) -> None:
        self.draw, self.number, self.first_parts = draw, number, first_parts
        self.today = (first_date - EPOCH).days + number - 1
        self.date = first_date + timedelta(number - 1)
        newcomers = max(1, first_parts // 2000)
        self.newcomers_from = first_parts + newcomers * (number - 2)
        self.newcomers_to = self.newcomers_from + newcomers

    def purpose(self, name: str) -> str:
        """A purpose that differs from night to night."""
        return f"{name} {self.number}"

    def is_new(self) -> pl.Expr:
        """Whether a part comes with this night."""
        return (pl.col("i") >= self.newcomers_from) & (pl.col("i") < self.newcomers_to)

    def touches(self) -> pl.Expr:
        """Whether a part's ledger changes: one in a hundred, or about twenty where that would be fewer."""
        percent = min(50.0, max(1.0, 2000 / self.first_parts))
        old = pl.col("i") < self.newcomers_from
        return self.is_new() | (old & self.draw.chance("i", self.purpose("touched"), percent))

    def chance(self, name: str, percent: float) -> pl.Expr:
        """Whether something happens to a part this night."""
        return self.draw.chance("i", self.purpose(name), percent)

    def one_each(self, posts: pl.LazyFrame, name: str, key: str) -> pl.LazyFrame:
        """One post of every part, chosen by chance."""
        lot = self.draw.bits(key, self.purpose(name))
        return posts.with_columns(lot=lot).sort("lot", key).unique("i", keep="first", maintain_order=True).drop("lot")

    def after(self, ledger: Ledger, parts: pl.DataFrame) -> Ledger:
        """The ledger after this night, for parts that it touches; the others' posts stay as they are."""
        steps: tuple[Callable[[Night, Ledger, pl.LazyFrame], Ledger], ...]
        steps = (_withdraw, _correct, _claim, _set_off, _pay_out, _replace, _pay)
        touched = parts.lazy().filter(self.touches())
        for step in steps:
            ledger = step(self, ledger, touched)
        return ledger


def _with(ledger: Ledger, **frames: pl.DataFrame | pl.LazyFrame) -> Ledger:
    """The ledger with some tables replaced."""
    new = {table: shaped(table, frame.lazy().collect()) for table, frame in frames.items()}
    return Ledger(**(tables(ledger) | new))


def _added(ledger: Ledger, **frames: pl.LazyFrame) -> Ledger:
    """The ledger with rows added to some tables."""
    together = {table: shaped(table, tables(ledger)[table], rows.collect()) for table, rows in frames.items()}
    return Ledger(**(tables(ledger) | together))


def _left(ledger: Ledger) -> pl.LazyFrame:
    """Due dates with ``left``: what remains of a debit to cover (> 0), or of a credit to use (< 0)."""
    placed = ledger.plassering.lazy()
    covered = placed.group_by("f").agg(pl.col("oere").sum().alias("covered"))
    used = placed.filter(pl.col("kind") == MOTKRAV).group_by(pl.col("c").alias("f")).agg(used=pl.col("oere").sum())
    placed_on = pl.col("covered").fill_null(0) + pl.col("used").fill_null(0)
    dues = ledger.kravforfall.lazy().join(covered, on="f", how="left").join(used, on="f", how="left")
    return dues.with_columns(left=pl.col("oere") - placed_on * pl.col("oere").sign())


def _withdraw(night: Night, ledger: Ledger, touched: pl.LazyFrame) -> Ledger:
    """A claim that nothing is placed on turns out to be wrong, and goes with its due dates."""
    placed = ledger.plassering.lazy()
    motkrav = placed.filter(pl.col("kind") == MOTKRAV).select(f="c")
    ends = pl.concat([placed.select("f"), motkrav]).select(k=pl.col("f") // 8)
    chosen = touched.filter(night.chance("withdraw", 15)).select("i")
    free = ledger.krav.lazy().join(chosen, on="i", how="semi").join(ends, on="k", how="anti")
    gone = night.one_each(free, "withdrawn", "k")
    krav = ledger.krav.lazy().join(gone, on="k", how="anti")
    dues = ledger.kravforfall.lazy().join(gone, on="k", how="anti")
    return _with(ledger, krav=krav, kravforfall=dues)


def _correct(night: Night, ledger: Ledger, touched: pl.LazyFrame) -> Ledger:
    """One due date is raised by a tenth, or lowered by half of what remains; its claim with it."""
    chosen = touched.filter(night.chance("correct", 30)).select("i")
    debits = _left(ledger).filter(pl.col("oere") > 0).join(chosen, on="i", how="semi")
    raised = pl.max_horizontal(whole(pl.col("oere") // 10), 100)
    change = pl.when(night.chance("raise", 50)).then(raised).otherwise(-(pl.col("left") // 2))
    changes = night.one_each(debits, "corrected", "f").select("f", "k", change=change)
    new = pl.col("oere") + pl.col("change").fill_null(0)
    krav = ledger.krav.lazy().join(changes.drop("f"), on="k", how="left").with_columns(oere=new)
    dues = ledger.kravforfall.lazy().join(changes.drop("k"), on="f", how="left").with_columns(oere=new)
    return _with(ledger, krav=krav, kravforfall=dues)


def _claim(night: Night, ledger: Ledger, touched: pl.LazyFrame) -> Ledger:
    """A new claim, due in three weeks; every part new this night gets one."""
    rows = touched.filter(night.is_new() | night.chance("claim", 40)).with_columns(
        k=ids.event(pl.col("i"), night.number),
        track=pl.lit(int(Track.FEE)),
        year=night.date.year,
        number=0,
        created=night.today - 1,
        due=night.today + 21,
        oere=50_000 + night.draw.below("i", night.purpose("new amount"), 50_000) * 100,
        mva=night.draw.chance("i", night.purpose("new in mva"), 50),
    )
    return _added(ledger, krav=rows, kravforfall=rows.with_columns(f=pl.col("k") * 8))


def _event_rows(night: Night, rows: pl.LazyFrame, place: int) -> pl.LazyFrame:
    """Rows with the identifiers and the date of this night; ``place`` keeps a night's events apart."""
    event = ids.event(pl.col("i"), night.number) * 8
    return rows.with_columns(p=event * 4 + place, u=event * 4 + place, l=event * 8 + place, date=night.today - 1)


def _set_off(night: Night, ledger: Ledger, touched: pl.LazyFrame) -> Ledger:
    """An open credit covers an open debit, perhaps in the other ledger."""
    chosen = touched.filter(night.chance("set off", 30)).select("i")
    open_dues = _left(ledger).join(chosen, on="i", how="semi")
    credits = night.one_each(open_dues.filter(pl.col("left") < 0), "credit", "f").select("i", "mva", c="f", owed="left")
    debits = night.one_each(open_dues.filter(pl.col("left") > 0), "debit", "f").select("i", "f", "left")
    amount = pl.min_horizontal("left", -pl.col("owed"))
    rows = debits.join(credits, on="i").with_columns(oere=amount, kind=pl.lit(MOTKRAV))
    return _added(ledger, plassering=_event_rows(night, rows, 0))


def _pay_out(night: Night, ledger: Ledger, touched: pl.LazyFrame) -> Ledger:
    """What remains of an open credit is paid out; only every other night, so some nights lack the table."""
    chosen = touched.filter(night.chance("pay out", 50) & (night.number % 2 == 0)).select("i", "part")
    credits = _left(ledger).filter(pl.col("left") < 0).join(chosen, on="i")
    rows = night.one_each(credits, "paid out", "f").with_columns(oere=-pl.col("left"), kind=pl.lit(UTBETALING))
    rows = _event_rows(night, rows, 1).with_columns(c="u", holder_i="i")
    return _added(ledger, utbetaling=rows, plassering=rows)


def _replace(night: Night, ledger: Ledger, touched: pl.LazyFrame) -> Ledger:
    """A payment's placement is removed; every other time a new one of half the amount takes its place."""
    chosen = touched.filter(night.chance("replace", 35)).select("i")
    placed = ledger.plassering.lazy().filter(pl.col("kind") == INNBETALING).join(chosen, on="i", how="semi")
    gone = night.one_each(placed, "replaced", "l")
    again = gone.filter(night.chance("again", 50)).with_columns(oere=(pl.col("oere") + 1) // 2)
    kept = ledger.plassering.lazy().join(gone, on="l", how="anti")
    return _added(_with(ledger, plassering=kept), plassering=_event_rows(night, again, 2))


def _pay(night: Night, ledger: Ledger, touched: pl.LazyFrame) -> Ledger:
    """A payment: it covers an open due date, all, some or too much of it; without one it stays unplaced."""
    payers = touched.filter(~night.is_new() & night.chance("pay", 60)).select("i", "part")
    open_dues = _left(ledger).filter(pl.col("left") > 0).join(payers, on="i", how="semi")
    one = night.one_each(open_dues, "covered", "f").select("i", "f", "mva", "left")
    roll = night.draw.below("i", night.purpose("how"), 100)
    some = pl.when(roll < 20).then((pl.col("left") + 1) // 2).otherwise("left")
    rest = pl.when(roll >= 90).then(12_345).otherwise(0)
    unknown = 100_000 + night.draw.below("i", night.purpose("unplaced"), 900_000)
    rows = _event_rows(night, payers.join(one, on="i", how="left"), 3).with_columns(
        holder_i="i", c="p", kind=pl.lit(INNBETALING), oere=some, mva=pl.col("mva").fill_null(False)
    )
    paid = rows.with_columns(oere=pl.coalesce(pl.col("oere") + rest, unknown))
    return _added(ledger, innbetaling=paid, plassering=rows.filter(pl.col("f").is_not_null()))


def difference(before: Ledger, after: Ledger) -> dict[str, pl.DataFrame]:
    """The rows of ``after`` that are new or other than before, and those gone, with ``slettet`` true."""
    changes = {}
    for table, key in KEYS.items():
        old, new = tables(before)[table].lazy(), tables(after)[table].lazy()
        changed = new.join(old, on=new.collect_schema().names(), how="anti", nulls_equal=True)
        gone = old.join(new, on=key, how="anti").with_columns(slettet=True)
        rows = pl.concat([changed.with_columns(slettet=False), gone])
        changes[table] = rows.sort(key).collect()
    return changes
