"""The parts: who exists, who owns what, and what decides which claims they get.

Parts come in blocks of eight. The first of a block is a person, and everyone a part has to do with
(a sole proprietorship's owner, someone else who pays) stands before it in its block, so a block can be
made without the others.
"""

from datetime import date

import polars as pl

from synthetic.draw import Draw, lookup
from synthetic.numbers import national_numbers, organisation_numbers
from synthetic.terms import EPOCH, YEARS

BLOCK = 8

_STEPS = 1024


def _sizes() -> list[int]:
    """Kroner that a term is about, by percentile: half under 55 000, a few a thousand times that."""
    sizes, size = [], 1_500_000
    for _ in range(_STEPS):
        sizes.append(size // 1000)
        size = size * 1007 // 1000
    return [*sizes[:-2], sizes[-2] * 40, sizes[-1] * 400]


def _kind(draw: Draw) -> pl.Expr:
    roll = draw.below("i", "parttype", 100)
    first = pl.col("i") % BLOCK == 0
    kind = pl.when(first | (roll < 42)).then(pl.lit("PERSON")).when(roll < 67).then(pl.lit("ENK"))
    return kind.otherwise(pl.lit("VIRKSOMHET"))


def _traits(draw: Draw, until: date) -> list[pl.Expr]:
    person, enk = pl.col("parttype") == "PERSON", pl.col("parttype") == "ENK"
    company = ~person & ~enk

    def share(purpose: str, persons: float, enks: float, companies: float) -> pl.Expr:
        by_kind = ((person, persons), (enk, enks), (company, companies))
        hits = [kind & draw.chance("i", purpose, percent) for kind, percent in by_kind]
        return pl.any_horizontal(hits).alias(purpose)

    step = draw.below("i", "size", _STEPS)
    size = lookup(_sizes(), step)
    days = YEARS * 365
    age = pl.max_horizontal(draw.below("i", "age", days), draw.below("i", "older", days), pl.lit(100))
    return [
        pl.when(person).then(pl.min_horizontal(size, 50_000)).otherwise(size).alias("size"),
        ((until - EPOCH).days - age).alias("start"),
        lookup([0] * 70 + [1] * 20 + [2] * 10, draw.below("i", "profile", 100)).alias("profile"),
        share("vat", 0, 55, 60),
        share("employer", 0, 5, 25),
        share("advance", 82, 0, 65),
        share("settlement", 88, 0, 60),
        share("exporter", 0, 5, 12),
        share("joint", 30, 30, 60),
        (company & (step >= _STEPS - 8)).alias("large"),
    ]


def _relations() -> list[pl.Expr]:
    """Owner (the nearest person before), and payer (the part before, or the owner) in the block."""
    person = pl.col("parttype") == "PERSON"
    enk = pl.col("parttype") == "ENK"
    owner = pl.when(person).then("part").forward_fill()
    owner_i = pl.when(person).then("i").forward_fill()
    before = pl.col("i") % BLOCK > 0
    first = pl.when(~before).then("part").forward_fill()
    return [
        pl.when(enk).then(owner).alias("innehaver"),
        pl.when(enk).then(first).alias("other_owner"),
        pl.when(enk).then(owner).when(before).then(pl.col("part").shift(1)).alias("payer"),
        pl.when(enk).then(owner_i).when(before).then(pl.col("i") - 1).alias("payer_i"),
    ]


def parts(draw: Draw, first: int, stop: int, until: date) -> pl.DataFrame:
    """The parts numbered from ``first`` up to but not including ``stop``, in order."""
    index = pl.int_range(first // BLOCK * BLOCK, stop, dtype=pl.Int64, eager=True)
    national, organisation = national_numbers(draw, index), organisation_numbers(draw, index)
    person = pl.col("parttype") == "PERSON"
    return (
        pl.LazyFrame({"i": index, "national": national, "organisation": organisation})
        .with_columns(parttype=_kind(draw))
        .with_columns(part=pl.when(person).then("national").otherwise("organisation"))
        .with_columns(*_relations(), *_traits(draw, until))
        .drop("national", "organisation")
        .filter(pl.col("i") >= first)
        .collect()
    )
