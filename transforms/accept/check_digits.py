"""KIDs, account numbers and IBANs whose check digits fail: counted and reported, never refused.

They are shown as delivered, for some sources mask them (CONTRACT section 2, level 2).
"""

from collections import Counter

import polars as pl

from schemas.tables import Table

COLUMNS = {"kidnummer": "R-KID", "kontonummer": "R-KONTONUMMER", "iban": "R-IBAN"}
"""What a column's name ends with, and the report of its failing values."""

KID_DIGITS = 25
_GROUP = 12
_IBAN_DIGITS = 72
"""34 characters, letters as two digits, in groups of twelve."""


def count_failing(rows: pl.DataFrame, table: Table) -> Counter[tuple[str, str]]:
    """How many values fail, by (report, column). ``rows`` hold the table's columns as text."""
    failing: Counter[tuple[str, str]] = Counter()
    for column in table.names:
        code = next((code for end, code in COLUMNS.items() if column.endswith(end)), None)
        if code:
            values = rows[column].drop_nulls().value_counts()
            failing[code, column] += int(values.filter(~_VALID[code](values[column]))["count"].sum())
    return +failing


def _weighted(digits: pl.DataFrame, weights: list[int]) -> pl.Series:
    """Σ digit × weight over the columns of ``digits``, from the right."""
    return digits.select(total=pl.sum_horizontal(pl.col(f"d{place}") * weight for place, weight in enumerate(weights)))[
        "total"
    ]


def _digits(text: pl.Series, count: int) -> pl.DataFrame:
    """The last ``count`` digits of texts of digits, one column each, ``d0`` the last; null where there is no number.

    Taken from integers of at most twelve digits, which is many times faster than from the text.
    """
    padded = text.str.zfill(-(-count // _GROUP) * _GROUP)
    groups = pl.DataFrame(
        [
            padded.str.slice(-_GROUP * (group + 1), _GROUP).cast(pl.Int64, strict=False).alias(f"g{group}")
            for group in range(-(-count // _GROUP))
        ]
    )
    return groups.select(
        (pl.col(f"g{place // _GROUP}") // 10 ** (place % _GROUP) % 10).alias(f"d{place}") for place in range(count)
    )


def valid_kontonummer(text: pl.Series) -> pl.Series:
    """Eleven digits, mod 11, with dots and blanks between them or not: ``8601.11.17947`` (CONTRACT section 2)."""
    text = text.str.replace_all(r"[.\s]", "")
    well_formed = text.str.contains("^[0-9]{11}$")
    remainder = _weighted(_digits(text.zip_with(well_formed, _none(text)), 11), [1, 2, 3, 4, 5, 6, 7, 2, 3, 4, 5]) % 11
    return well_formed & (remainder == 0)


def valid_kid(text: pl.Series) -> pl.Series:
    """2-25 digits, mod 10 (Luhn) or mod 11; the mod 11 check digit 10 is written ``-``."""
    well_formed = text.str.contains(rf"^[0-9]{{1,{KID_DIGITS - 1}}}[0-9-]$")
    dashed = text.str.ends_with("-")
    numbers = text.str.replace("-", "0", literal=True).zip_with(well_formed, _none(text))
    width = int(numbers.to_frame("kid").select(pl.col("kid").str.len_bytes().max().fill_null(0)).item())
    width = max(width, 2)  # zeros to the left would change nothing
    digits = _digits(numbers, width)
    mod11 = _weighted(digits, [1, *((place % 6) + 2 for place in range(width - 1))]) + 10 * dashed.cast(pl.Int64)
    # Luhn: every other digit doubled, less 9 where that passes 9
    luhn = _weighted(digits, [1 + place % 2 for place in range(width)])
    passed = digits.select(n=pl.sum_horizontal(pl.col(f"d{place}") > 4 for place in range(1, width, 2)))["n"]
    by_luhn = ((luhn - 9 * passed.cast(pl.Int64)) % 10 == 0) & ~dashed
    return well_formed & (by_luhn | (mod11 % 11 == 0))


def valid_iban(text: pl.Series) -> pl.Series:
    """ISO 13616: the country and check digits moved last, letters as 10-35, the number mod 97 is 1."""
    compact = text.str.replace_all(" ", "", literal=True)
    well_formed = compact.str.contains("^[A-Z]{2}[0-9]{2}[A-Z0-9]{8,30}$")
    turned = (compact.str.slice(4) + compact.str.slice(0, 4)).zip_with(well_formed, _none(text))
    letters = {chr(ord("A") + place): str(10 + place) for place in range(26)}
    digits = turned.str.replace_many(list(letters), list(letters.values())).str.zfill(_IBAN_DIGITS)
    rest = pl.zeros(len(text), dtype=pl.Int64, eager=True)
    for start in range(0, _IBAN_DIGITS, _GROUP):
        rest = (rest * 10**_GROUP + digits.str.slice(start, _GROUP).cast(pl.Int64)) % 97
    return well_formed & (rest == 1).fill_null(False)


def _none(text: pl.Series) -> pl.Series:
    return pl.repeat(None, len(text), dtype=pl.String, eager=True)


_VALID = {"R-KID": valid_kid, "R-KONTONUMMER": valid_kontonummer, "R-IBAN": valid_iban}
