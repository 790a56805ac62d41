"""Money: integer øre inside, kroner with exactly two decimals at the edges.

An amount as delivered fits 64 bits (at most 16 + 2 digits, CONTRACT section 1). A sum of amounts
may not, so sums are made in 128 bits.
"""

import polars as pl
import pyarrow as pa

WELL_FORMED = r"^-?[0-9]{1,16}(\.[0-9]{1,2})?$"
"""A well-formed amount, CONTRACT section 1."""

MOST_OERE = 10**18 - 1
"""The largest: 16 digits before the point, two after it."""


def oere_from_text(kroner: pl.Expr) -> pl.Expr:
    """Øre (Int64) of kroner written as text; null where the text is not a well-formed amount."""
    well_formed = pl.when(kroner.str.contains(WELL_FORMED)).then(kroner)
    return oere_from_decimal(well_formed.cast(pl.Decimal(38, 2), strict=False))


def oere_from_decimal(kroner: pl.Expr) -> pl.Expr:
    """Øre (Int64) of kroner as a decimal with scale 2: the integer that the decimal is stored as.

    Null where kroner have more than 16 digits before the point (CONTRACT section 1).
    """
    oere = kroner.to_physical()
    return pl.when(oere.is_between(-MOST_OERE, MOST_OERE)).then(oere).cast(pl.Int64)


def kroner_as_text(oere: pl.Series) -> pl.Series:
    """Kroner with two decimals of øre (Int64 or Int128): ``-12.05``; zero is ``0.00``."""
    integers = oere.cast(pl.Decimal(38, 0)).rechunk().to_arrow()
    kroner = pa.Array.from_buffers(pa.decimal128(38, 2), len(integers), integers.buffers(), offset=integers.offset)
    return pl.Series(oere.name, kroner).cast(pl.String)


def kroner(oere: int) -> str:
    """Kroner with two decimals of any number of øre."""
    whole, rest = divmod(abs(oere), 100)
    return f"{'-' if oere < 0 else ''}{whole}.{rest:02d}"
