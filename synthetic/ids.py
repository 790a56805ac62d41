"""Identifiers: every post's number says whose it is, so numbers never meet across parts, nights or ledgers.

krav        = part index · 2^18 + origin · 2^16 + place (track and term, or what it derives from)
kravforfall = krav · 8 + its order among the krav's due dates
innbetaling, utbetaling = kravforfall · 4 + a small number
plassering  = kravforfall · 8 + a small number
"""

from enum import IntEnum

import polars as pl

PLACES = 2**16


class Origin(IntEnum):
    """What a krav (or a payment of its own) comes from."""

    TERM = 0
    INTEREST = 1
    INTEREST_CREDIT = 2
    EVENT = 3


def krav(part: pl.Expr, origin: Origin, place: pl.Expr | int) -> pl.Expr:
    """The number of a krav."""
    return part * 2**18 + origin * PLACES + place


def track_place(track: int, term: pl.Expr) -> pl.Expr:
    """The place of a krav that comes with a track's term; ``term`` is under 512."""
    return term + track * 512


def derived(kravforfall: pl.Expr, origin: Origin) -> pl.Expr:
    """The number of the krav that a due date gives rise to (interest, and its credit)."""
    part, place = kravforfall // 2**21, kravforfall % PLACES
    return krav(part, origin, place)


def event(part: pl.Expr, night: int) -> pl.Expr:
    """The number that a night's event counts from, as if it were a krav."""
    return krav(part, Origin.EVENT, night)


def text(letter: str, number: str) -> pl.Expr:
    """The identifier as delivered: the letter keeps the tables apart."""
    return pl.lit(letter) + pl.col(number).cast(pl.String)
