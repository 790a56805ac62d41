"""Numbers with check digits: organisation, national and D-numbers, accounts, IBANs and KIDs.

Organisation and national numbers are made distinct, not found distinct: a part's index is spread
over all stems by a permutation, and the last free digit is the first one with valid check digits.
They are synthetic in Tenor's way: first digit 2 or 3, and 80 added to the month.
"""

from collections.abc import Sequence
from datetime import date

import polars as pl

from synthetic.draw import Draw

_ORG_STEMS = 2_000_000  # the seven first digits from 2000000
_ORG_SLOTS = 5  # pairs of eighth digits: at most one digit of ten has no valid check digit

_FIRST_BIRTH = date(1935, 1, 1)
_BIRTH_DAYS = (date(2008, 1, 1) - _FIRST_BIRTH).days
_INDIVID_STEMS = 50
_INDIVID_SLOTS = 3  # triples of ninth digits: at most two digits of ten have no valid check digits

MAX_PARTS = _BIRTH_DAYS * _INDIVID_STEMS * _INDIVID_SLOTS
"""More parts than this and national numbers would repeat."""

_STRIDE = 6_700_417  # prime, and dividing none of the moduli below: i * stride + shift is a permutation


def digit(number: pl.Expr, position: int) -> pl.Expr:
    """The digit at a position, 0 being the last."""
    power: int = 10**position
    return number // power % 10


def weighted(number: pl.Expr, weights: Sequence[int]) -> pl.Expr:
    """The sum of digits times weights, the last weight belonging to the last digit."""
    terms = [digit(number, position) * weight for position, weight in enumerate(reversed(weights))]
    return pl.sum_horizontal(terms)


def mod11(number: pl.Expr, weights: Sequence[int]) -> pl.Expr:
    """The check digit 0 to 9, or 10 where there is none."""
    return (11 - weighted(number, weights) % 11) % 11


def _permuted(draw: Draw, purpose: str, modulus: int) -> pl.Expr:
    return (pl.col("i") * _STRIDE + draw.number(purpose) % modulus) % modulus


def _digits(number: pl.Expr, width: int) -> pl.Expr:
    return number.cast(pl.String).str.zfill(width)


def organisation_numbers(draw: Draw, parts: pl.Series) -> pl.Series:
    """The organisation numbers of the parts with these indices: valid, and no other part's."""
    slot = pl.col("place") // _ORG_STEMS * 2
    stem = (2_000_000 + pl.col("place") % _ORG_STEMS) * 10 + slot
    flip = draw.below("i", "eighth digit", 2)
    weights = (3, 2, 7, 6, 5, 4, 3, 2)
    frame = (
        pl.LazyFrame({"i": parts})
        .with_columns(place=_permuted(draw, "organisation number", _ORG_STEMS * _ORG_SLOTS))
        .with_columns(one=stem + flip, two=stem + 1 - flip)
        .with_columns(check=mod11(pl.col("one"), weights), other=mod11(pl.col("two"), weights))
    )
    first, second = pl.col("one") * 10 + pl.col("check"), pl.col("two") * 10 + pl.col("other")
    number = pl.when(pl.col("check") < 10).then(first).otherwise(second)
    return frame.select(number.cast(pl.String)).collect().to_series()


def _nine_digits(draw: Draw) -> pl.Expr:
    """Date and individual number, with the first of the ninth digits to try."""
    birth = ((pl.col("place") % _BIRTH_DAYS).cast(pl.Int32) + (_FIRST_BIRTH - date(1970, 1, 1)).days).cast(pl.Date)
    rest = pl.col("place") // _BIRTH_DAYS
    # Individual numbers from 500 belong to the years from 2000, those under 500 to the years before.
    stem = rest % _INDIVID_STEMS + pl.when(birth.dt.year() >= 2000).then(50).otherwise(0)
    day = birth.dt.day().cast(pl.Int64) + pl.when(draw.chance("i", "D-number", 6.7)).then(40).otherwise(0)
    month = birth.dt.month().cast(pl.Int64) + 80
    year = birth.dt.year().cast(pl.Int64) % 100
    return (((day * 100 + month) * 100 + year) * 100 + stem) * 10 + rest // _INDIVID_STEMS * 3


def national_numbers(draw: Draw, parts: pl.Series) -> pl.Series:
    """The national numbers of the parts with these indices, one in fifteen a D-number: valid and distinct."""
    frame = pl.LazyFrame({"i": parts}).with_columns(place=_permuted(draw, "national number", MAX_PARTS))
    frame = frame.with_columns(nine=_nine_digits(draw))
    for candidate in range(3):
        first, second, ten = pl.col("first"), pl.col("second"), pl.col("ten")
        frame = (
            frame.with_columns(digits=pl.col("nine") + candidate)
            .with_columns(first=mod11(pl.col("digits"), (3, 7, 6, 1, 8, 9, 4, 5, 2)))
            .with_columns(ten=pl.col("digits") * 10 + first)
            .with_columns(second=mod11(ten, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)))
            .with_columns(pl.when((first < 10) & (second < 10)).then(ten * 10 + second).alias(f"number{candidate}"))
        )
    return frame.select(_digits(pl.coalesce("^number.$"), 11)).collect().to_series()


def account(register: pl.Expr, serial: pl.Expr) -> pl.Expr:
    """An account number (an integer): four digits of the bank, six made from ``serial``, check digit."""
    weights = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
    number = register * 10**6 + serial // 2 % 500_000 * 2
    check, other = mod11(number, weights), mod11(number + 1, weights)
    return pl.when(check < 10).then(number * 10 + check).otherwise(number * 10 + 10 + other)


def account_text(account: pl.Expr) -> pl.Expr:
    """Eleven digits."""
    return _digits(account, 11)


def iban(account: pl.Expr) -> pl.Expr:
    """The Norwegian IBAN: NO counts as 2324, and its check digits as 00, at the end."""
    check = 98 - (account * 10**6 + 232400) % 97
    return pl.lit("NO") + _digits(check, 2) + _digits(account, 11)


def kid(number: pl.Expr, with_mod11: pl.Expr) -> pl.Expr:
    """A KID of thirteen characters; ``number`` has at most twelve digits."""
    doubled = [digit(number, position) * 2 for position in range(0, 12, 2)]
    plain = [digit(number, position) for position in range(1, 12, 2)]
    luhn = pl.sum_horizontal(*(d - 9 * (d > 9).cast(pl.Int64) for d in doubled), *plain)
    mod10 = ((10 - luhn % 10) % 10).cast(pl.String)
    check = mod11(number, (7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2))
    eleven = pl.when(check == 10).then(pl.lit("-")).otherwise(check.cast(pl.String))
    return _digits(number, 12) + pl.when(with_mod11).then(eleven).otherwise(mod10)
