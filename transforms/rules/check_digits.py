"""KIDs, account numbers and IBANs whose check digits fail: counted and reported, never refused.

They are shown as delivered, for some sources mask them (CONTRACT section 2, level 2).
"""

from collections import Counter
from collections.abc import Collection

import numpy as np
import polars as pl

from schemas.tables import Table
from transforms.rules.digits import ZERO, Bytes, Flags, are_digits, judged, weighted

COLUMNS = {"kidnummer": "R-KID", "kontonummer": "R-KONTONUMMER", "iban": "R-IBAN"}
"""What a column's name ends with, and the report of its failing values."""

_A = np.uint8(ord("A"))
"""Less this a capital letter's byte is its place in the alphabet from 0, and any other byte is more than 25."""


FAILS = "_feiler"
"""Behind a column's name: whether its value fails."""


def checked(table: Table) -> dict[str, str]:
    """The columns of the table that have check digits, each with the report of its failing values."""
    return {column: code for column in table.names for end, code in COLUMNS.items() if column.endswith(end)}


def with_flags(rows: pl.DataFrame, table: Table, failing: Collection[str]) -> pl.DataFrame:
    """The rows with a flag (``FAILS``) for each column that has check digits. Only those in ``failing`` are looked at:
    of the others no value fails.
    """
    flags = {
        column: _fail(rows[column], code) if column in failing else pl.lit(value=False)
        for column, code in checked(table).items()
    }
    return rows.with_columns(**{column + FAILS: flag for column, flag in flags.items()})


def _fail(values: pl.Series, code: str) -> pl.Series:
    if code == "R-KID":
        return ~valid_kid(values.fill_null(_VALID_KID))
    some = values.drop_nulls().unique()
    return values.is_in(some.filter(~_VALID[code](some)).implode()).fill_null(value=False)


_VALID_KID = "00"
"""In place of none: it must not fail."""


def count_failing(rows: pl.DataFrame, table: Table) -> Counter[tuple[str, str]]:
    """How many values fail, by (report, column). ``rows`` hold the table's columns as text."""
    failing: Counter[tuple[str, str]] = Counter()
    for column, code in checked(table).items():
        if code == "R-KID":  # seldom the same twice
            failing[code, column] += int((~valid_kid(rows[column].drop_nulls())).sum())
        else:
            values = rows[column].drop_nulls().value_counts()
            failing[code, column] += int(values.filter(~_VALID[code](values[column]))["count"].sum())
    return +failing


def valid_kontonummer(text: pl.Series) -> pl.Series:
    """Eleven digits, mod 11, with dots and blanks between them or not: ``8601.11.17947`` (CONTRACT section 2)."""
    if (text.str.len_bytes() != 11).any():  # of eleven bytes, those with blanks fail with them as without
        text = text.str.replace_all(r"[.\s]", "")
    return judged(text, _is_kontonummer, (11,))


def _is_kontonummer(places: Bytes) -> Flags:
    digits = places - ZERO
    good = are_digits(digits)
    good &= weighted(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0
    return good


def valid_kid(text: pl.Series) -> pl.Series:
    """2-25 digits, mod 10 (Luhn) or mod 11; the mod 11 check digit 10 is written ``-``."""
    return judged(text, _is_kid, range(2, 26))


def _is_kid(places: Bytes) -> Flags:
    digits = places[::-1] - ZERO
    dashed = places[-1] == ord("-")
    digits[0, dashed] = 0
    mod11 = weighted(digits, [1, *(2 + place % 6 for place in range(len(digits) - 1))]) + 10 * dashed
    # Luhn: every other digit doubled, less 9 where that passes 9
    luhn = weighted(digits, [1 + place % 2 for place in range(len(digits))]) - 9 * (digits[1::2] > 4).sum(axis=0)
    good = are_digits(digits)
    good &= (mod11 % 11 == 0) | (luhn % 10 == 0) & ~dashed
    return good


def valid_iban(text: pl.Series) -> pl.Series:
    """ISO 13616: the country and check digits moved last, letters as 10-35, the number mod 97 is 1."""
    return judged(text.str.replace_all(" ", "", literal=True), _is_iban, range(12, 35))


def _is_iban(places: Bytes) -> Flags:
    digits, letters = places - ZERO, places - _A
    is_digit, is_letter = digits <= 9, letters < 26
    rest = np.zeros(places.shape[1], np.int32)
    for place in (*range(4, len(places)), *range(4)):
        value = np.where(is_digit[place], digits[place], letters[place] + 10)
        rest = (rest * np.where(is_digit[place], 10, 100) + value) % 97
    good = (is_digit | is_letter) & (rest == 1)
    good[:2] &= is_letter[:2]
    good[2:4] &= is_digit[2:4]
    flags: Flags = good.all(axis=0)
    return flags


_VALID = {"R-KONTONUMMER": valid_kontonummer, "R-IBAN": valid_iban}
