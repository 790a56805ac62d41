"""Which bucket of households each post goes to, by row numbers (``ledgers.links``).

A part and the sole proprietorships that it owns form a household, so a bucket holds all that a
document of its parts can show, but for what placements show of a far end that lies elsewhere: those few
posts go with the bucket as ``far_forfall`` and ``far_innbetaling``. After that every bucket is independent.
"""

from typing import Literal

import numpy as np
import polars as pl

from transforms.home.snapshot import PARTS_PER_SEGMENT
from transforms.ledgers.link_files import LinkFiles
from transforms.ledgers.links import MOTPOSTER, Links

NOWHERE = 2**32 - 1
"""Of a post that is not built, its bucket; of a row that is none, what it names."""

End = Literal["forfall", "motpost"]
ENDS: tuple[End, End] = ("forfall", "motpost")


def bucket_count(parts: int) -> int:
    """How many buckets for so many parts: a power of two."""
    return 1 << max(0, -(-parts // PARTS_PER_SEGMENT) - 1).bit_length()


class Buckets:
    """Where the posts of the parts that are built go. It holds some 500 bytes a part: numbers by row."""

    def __init__(self, links: LinkFiles, to_build: pl.DataFrame, buckets: int) -> None:
        """``to_build``: those parts (``part``). The bucket is a multiplicative hash of the household's number."""
        every = links.whole("part")
        part = every.join(to_build, on="part", how="semi", maintain_order="left")
        household = pl.coalesce("innehaver", "part").cast(pl.Int128)
        self.part = part.with_columns(bucket=(household * 2654435761 // 65536 % buckets).cast(pl.UInt32))
        """The links of the parts that are built, with ``bucket``."""
        self._bucket = np.full(every.height + 1, NOWHERE, np.uint32)  # behind the last: of no part
        self._bucket[part["part_row"].to_numpy()] = self.part["bucket"].to_numpy()
        posts = ("krav", *MOTPOSTER.values())
        self._part = {name: links.by_row(name, "part_row", every.height) for name in posts}
        self._krav = links.by_row("kravforfall", "krav_row", NOWHERE)
        self._ends = {end: links.by_row("plassering", f"{end}_row", NOWHERE) for end in ENDS}

    def posts(self, name: str, rows: pl.DataFrame) -> pl.DataFrame:
        """The table's rows (``row``) that are built, with ``part_row`` and ``bucket``; a due date with ``krav_row``."""
        part = _at(self._part[name], rows["row"])
        numbers = {"part_row": part, "bucket": self._bucket[part]}
        if name == "kravforfall":
            numbers["krav_row"] = _at(self._krav, rows["row"])
        return _with(rows, numbers).filter(pl.col("bucket") != NOWHERE)

    def krav_of(self, dues: pl.DataFrame) -> pl.DataFrame:
        """The due dates (``row``) with ``krav_row``."""
        return _with(dues, {"krav_row": _at(self._krav, dues["row"])})

    def placed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The good ones among placements' rows (``row``, ``plasseringstype``) that ``ends`` are built of."""
        return self.ends(_with(rows, {f"{end}_row": _at(self._ends[end], rows["row"]) for end in ENDS}))

    def ends(self, placed: pl.DataFrame) -> pl.DataFrame:
        """The placements (``plasseringstype``, ``forfall_row``, ``motpost_row``) built at one end at least.

        They have ``forfall_part_row`` and ``forfall_bucket``, ``motpost_part_row`` and ``motpost_bucket``; the bucket
        is null where that end isn't built.
        """
        kinds = placed["plasseringstype"].cast(pl.String)
        motpost = np.full(placed.height, len(self._bucket) - 1, np.uint32)
        for kind, name in MOTPOSTER.items():
            of_kind = kinds.eq_missing(kind).to_numpy()  # a removal says of no type
            motpost[of_kind] = _at(self._part[name], placed["motpost_row"].filter(of_kind))
        part = {"forfall": _at(self._part["kravforfall"], placed["forfall_row"]), "motpost": motpost}
        numbers = {f"{end}_part_row": part[end] for end in ENDS}
        numbers |= {f"{end}_bucket": self._bucket[part[end]] for end in ENDS}
        buckets = pl.col(f"{end}_bucket" for end in ENDS)
        built = _with(placed, numbers).filter(pl.any_horizontal(buckets != NOWHERE))
        return built.with_columns(pl.when(buckets != NOWHERE).then(buckets))


def _at(values: np.ndarray, numbers: pl.Series) -> np.ndarray:
    return values.take(numbers.to_numpy(), mode="clip")


def _with(rows: pl.DataFrame, numbers: dict[str, np.ndarray]) -> pl.DataFrame:
    return rows.with_columns(**{name: pl.Series(values) for name, values in numbers.items()})


def far_posts(links: LinkFiles, buckets: Buckets) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What buckets show though it lies elsewhere: due dates, ``bucket``, ``row`` and whether a payout is ``paid_out``
    of it; and payments, ``bucket`` and ``row``.
    """
    far = [(_far_forfall(placed), _far_innbetaling(placed)) for placed in map(buckets.ends, links.some("plassering"))]
    dues, payments = (pl.concat(some).unique() for some in zip(*far, strict=True))
    return dues, payments


def _far_forfall(placed: pl.DataFrame) -> pl.DataFrame:
    paid = _far(placed, "forfall", "motpost").select(
        "bucket", row="forfall_row", paid_out=pl.col("plasseringstype") == "UTBETALING"
    )
    used = _far(placed.filter(plasseringstype="MOTKRAV"), "motpost", "forfall").select(
        "bucket", row="motpost_row", paid_out=pl.lit(value=False)
    )
    return pl.concat([paid, used])


def _far_innbetaling(placed: pl.DataFrame) -> pl.DataFrame:
    far = _far(placed.filter(plasseringstype="INNBETALING"), "motpost", "forfall")
    return far.select("bucket", row="motpost_row")


def _far(placed: pl.DataFrame, end: End, near: End) -> pl.DataFrame:
    """The placements whose ``end`` lies elsewhere than the ``near`` one, with the latter's ``bucket``."""
    apart = pl.col(f"{near}_bucket").ne_missing(pl.col(f"{end}_bucket"))
    return placed.with_columns(bucket=f"{near}_bucket").filter(pl.col("bucket").is_not_null() & apart)


def remaining(krav: pl.Series, links: Links) -> pl.DataFrame:
    """What remains of some krav: ``krav_row`` and ``krav_gjenstaaende`` (øre, ``Int128``): Σ original and placed by one
    law of signs (CONTRACT section 3). ``krav``: their numbers; ``links``: those around them, or more.
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
