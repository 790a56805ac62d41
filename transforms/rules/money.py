"""Money: integer øre inside, kroner with exactly two decimals at the edges.

An amount as delivered fits 64 bits (at most 16 + 2 digits, CONTRACT section 1). A sum of amounts
may not, so sums are made in 128 bits.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import polars as pl
import pyarrow as pa

from transforms.rules.digits import ZERO, by_length, where

WHOLE_DIGITS = 16
"""So many digits may an amount have before the point, CONTRACT section 1."""

MOST_OERE = 10**18 - 1
"""The largest: 16 digits before the point, two after it."""


def oere_from_text(kroner: pl.Series) -> pl.Series:
    """Øre (Int64) of kroner written as text; null where the text is not a well-formed amount.

    Well-formed is ``-?[0-9]{1,16}(\\.[0-9]{1,2})?`` (CONTRACT section 1).
    """
    oere, good = np.zeros(len(kroner), np.int64), np.zeros(len(kroner), np.bool_)
    for rows, places in by_length(kroner, range(1, len("-.00") + WHOLE_DIGITS + 1)):
        length = len(places)
        negative = places[0] == ord("-")
        two = places[-3] == ord(".") if length > 3 else np.zeros_like(negative)
        one = (places[-2] == ord(".")) & ~two if length > 2 else two
        value, digits = np.zeros(rows.size, np.int64), np.zeros(rows.size, np.int64)
        for row in places - ZERO:
            is_digit = row <= 9
            value = np.where(is_digit, 10 * value + row, value)
            digits += is_digit
        whole = digits - one - 2 * two
        good[rows] = (digits + negative + one + two == length) & (whole >= 1) & (whole <= WHOLE_DIGITS)
        oere[rows] = value * np.where(two, 1, np.where(one, 10, 100)) * np.where(negative, -1, 1)
    return where(pl.Series(good), pl.Series(kroner.name, oere))


def oere_from_decimal(kroner: pl.Series) -> pl.Series:
    """Øre (Int64) of kroner as a decimal with scale 2: the integer that the decimal is stored as.

    Null where kroner have more than 16 digits before the point (CONTRACT section 1).
    """
    oere = kroner.to_physical()
    return where(oere.is_between(-MOST_OERE, MOST_OERE).fill_null(True), oere).cast(pl.Int64)


def kroner_as_text(oere: pl.Series) -> pl.Series:
    """Kroner with two decimals of øre (Int64 or Int128): ``-12.05``; zero is ``0.00``."""
    integers = oere.cast(pl.Decimal(38, 0)).rechunk().to_arrow()
    kroner = pa.Array.from_buffers(pa.decimal128(38, 2), len(integers), integers.buffers(), offset=integers.offset)
    return pl.Series(oere.name, kroner).cast(pl.String)


def kroner(oere: int) -> str:
    """Kroner with two decimals of any number of øre."""
    whole, rest = divmod(abs(oere), 100)
    return f"{'-' if oere < 0 else ''}{whole}.{rest:02d}"


SUMS_AT_A_TIME = 1_000_000


def summed(many: int, placed: Iterable[tuple[np.ndarray, pl.Series]]) -> Iterator[pl.Series]:
    """The øre of each of so many places added up (``Int128``), of ``SUMS_AT_A_TIME`` places at a time.

    ``placed``: places, and the øre of each. They are not copied into 128 bits: their upper and their lower halves are
    added up by themselves, of which 64 bits hold the sums of two billion.
    """
    high, low = np.zeros(many, np.int64), np.zeros(many, np.int64)
    for places, oere in placed:
        np.add.at(high, places, oere.to_numpy() >> 32)
        np.add.at(low, places, oere.to_numpy() & (2**32 - 1))
    for start in range(0, many, SUMS_AT_A_TIME):
        upper, lower = (pl.lit(pl.Series(half[start : start + SUMS_AT_A_TIME])) for half in (high, low))
        yield pl.select(upper.cast(pl.Int128) * 2**32 + lower).to_series()


def compared(
    sums: Iterable[pl.Series], oere: pl.Series, compare: Callable[[pl.Series, pl.Series], pl.Series]
) -> pl.Series:
    """What comes of comparing what is ``summed``, place by place, with the øre there; empty where there is no place."""
    start, found = 0, [pl.Series(dtype=pl.Boolean)]
    for some in sums:
        found.append(compare(some, oere.slice(start, some.len())))
        start += some.len()
    return pl.concat(found)
