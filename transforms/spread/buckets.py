"""Which bucket of households each post goes to, by row numbers (``ledgers.links``).

A part and the sole proprietorships that it owns form a household, so a bucket holds all that a
document of its parts can show, but for what placements show of a far end that lies elsewhere: those few
posts go with the bucket as ``far_forfall`` and ``far_innbetaling``. After that every bucket is independent.
"""

import polars as pl

from transforms.home.snapshot import PARTS_PER_SEGMENT
from transforms.ledgers.links import MOTPOSTER, Links, Numbered


def bucket_count(parts: int) -> int:
    """How many buckets for so many parts: a power of two."""
    return 1 << max(0, -(-parts // PARTS_PER_SEGMENT) - 1).bit_length()


def in_buckets(links: Links, to_build: pl.DataFrame, buckets: int) -> Links:
    """The links of the parts ``to_build`` (``part``) and of their posts, with ``bucket``.

    The bucket is a multiplicative hash of the household's number. A placement goes to the bucket of each end: it has
    ``forfall_part_row`` and ``forfall_bucket``, ``motpost_part_row`` and ``motpost_bucket``. The bucket is null where
    that end isn't built; it is at one at least.
    """
    part = links["part"].join(to_build, on="part", how="semi", maintain_order="left")
    household = pl.coalesce("innehaver", "part").cast(pl.Int128)
    part = part.with_columns(bucket=(household * 2654435761 // 65536 % buckets).cast(pl.UInt32))
    of_part = Numbered(part.select("bucket", row="part_row"))
    posts = {
        name: links[name].with_columns(bucket=of_part.values(links[name]["part_row"], "bucket"))
        for name in ("krav", "kravforfall", "innbetaling", "utbetaling")
    }
    whose = {name: Numbered(posts[name].select("row", "part_row", "bucket")) for name in MOTPOSTER.values()}
    placed = pl.concat(
        _seen(_seen(rows, "forfall", whose["kravforfall"]), "motpost", whose[name])
        for name, rows in ((name, links["plassering"].filter(plasseringstype=kind)) for kind, name in MOTPOSTER.items())
    )
    nowhere = placed["forfall_bucket"].is_null() & placed["motpost_bucket"].is_null()
    shown = placed.filter(~nowhere) if nowhere.any() else placed  # which is not copied
    return {"part": part, **{name: rows.drop_nulls("bucket") for name, rows in posts.items()}, "plassering": shown}


def _seen(placed: pl.DataFrame, end: str, posts: Numbered) -> pl.DataFrame:
    """The placements with the part and the bucket of an end, which is one of the posts."""
    values = {f"{end}_{name}": posts.values(placed[f"{end}_row"], name) for name in ("part_row", "bucket")}
    return placed.with_columns(**values)


def far_forfall(placed: pl.DataFrame) -> pl.DataFrame:
    """The due dates that a bucket shows though they lie elsewhere: ``bucket``, ``row``, and whether a payout is
    ``paid_out`` of it. ``placed``: the placements ``in_buckets``.
    """
    paid = _far(placed, "forfall", "motpost").select(
        "bucket", row="forfall_row", paid_out=pl.col("plasseringstype") == "UTBETALING"
    )
    used = _far(placed.filter(plasseringstype="MOTKRAV"), "motpost", "forfall").select(
        "bucket", row="motpost_row", paid_out=pl.lit(value=False)
    )
    return pl.concat([paid, used]).unique()


def far_innbetaling(placed: pl.DataFrame) -> pl.DataFrame:
    """The payments that a bucket shows though they lie elsewhere: ``bucket``, ``row``."""
    far = _far(placed.filter(plasseringstype="INNBETALING"), "motpost", "forfall")
    return far.select("bucket", row="motpost_row").unique()


def _far(placed: pl.DataFrame, end: str, near: str) -> pl.DataFrame:
    """The placements whose ``end`` lies elsewhere than the ``near`` one, with the latter's ``bucket``."""
    apart = pl.col(f"{near}_bucket").ne_missing(pl.col(f"{end}_bucket"))
    return placed.with_columns(bucket=f"{near}_bucket").filter(pl.col("bucket").is_not_null() & apart)


def remaining(krav: pl.Series, links: Links) -> pl.DataFrame:
    """What remains of some krav: ``krav_row`` and ``krav_gjenstaaende`` (øre, ``Int128``): Σ original and placed by one
    law of signs. ``krav``: their numbers; ``links``: of all posts (CONTRACT section 3).
    """
    dues = links["kravforfall"].filter(pl.col("krav_row").is_in(krav.implode()))
    placed = links["plassering"]
    on = pl.concat(
        [
            placed.select("plassert_beloep", row="forfall_row"),
            placed.filter(plasseringstype="MOTKRAV").select("plassert_beloep", row="motpost_row"),
        ]
    )
    covered = on.join(dues, on="row", how="semi").group_by("row").agg(pl.col("plassert_beloep").cast(pl.Int128).sum())
    sign = pl.when(pl.col("beloep") < 0).then(1).otherwise(-1)
    rest = pl.col("beloep").cast(pl.Int128) + sign * pl.col("plassert_beloep").fill_null(0)
    return dues.join(covered, on="row", how="left").group_by("krav_row").agg(krav_gjenstaaende=rest.sum())
