"""Deterministic randomness in columns.

Every draw is a function of (seed, purpose, key) alone, so a post looks the same whichever chunk,
night or thread makes it. Polars' own ``hash`` promises no such thing across processors.
"""

from collections.abc import Sequence
from hashlib import blake2b

import polars as pl


def _u64(value: int) -> pl.Expr:
    return pl.lit(value, dtype=pl.UInt64)


def _mix(z: pl.Expr) -> pl.Expr:
    """The finalizer of splitmix64; Polars wraps on overflow, and divides where others shift."""
    z = (z ^ (z // _u64(2**30))) * _u64(0xBF58476D1CE4E5B9)
    z = (z ^ (z // _u64(2**27))) * _u64(0x94D049BB133111EB)
    return z ^ (z // _u64(2**31))


class Draw:
    """Draws for one seed. ``key`` is an integer column, ``purpose`` keeps draws on one key apart.

    The expressions repeat themselves: run them lazily, where Polars computes each repeat once.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def number(self, purpose: str) -> int:
        """One number of 64 bits for the whole run."""
        return int.from_bytes(blake2b(f"{self.seed}/{purpose}".encode(), digest_size=8).digest(), "big")

    def bits(self, key: str | pl.Expr, purpose: str) -> pl.Expr:
        """64 random bits."""
        column = pl.col(key) if isinstance(key, str) else key
        weyl = column.cast(pl.UInt64) * _u64(0x9E3779B97F4A7C15) + _u64(self.number(purpose))
        return _mix(weyl)

    def below(self, key: str | pl.Expr, purpose: str, n: int) -> pl.Expr:
        """A whole number from 0 up to but not including ``n``."""
        return (self.bits(key, purpose) % _u64(n)).cast(pl.Int64)

    def chance(self, key: str | pl.Expr, purpose: str, percent: float) -> pl.Expr:
        """True in ``percent`` of the cases."""
        return self.bits(key, purpose) < _u64(min(int(percent / 100 * 2**64), 2**64 - 1))

    def pick(self, key: str | pl.Expr, purpose: str, values: Sequence[str | None]) -> pl.Expr:
        """One of the values; one listed twice comes twice as often."""
        return lookup(values, self.below(key, purpose, len(values)))


def lookup(values: Sequence[str | int | None], index: pl.Expr) -> pl.Expr:
    """``values[index]`` for every row."""
    return pl.lit(pl.Series(values)).gather(index)
