"""The checks on single values (CONTRACT 2.2.1): raw rows part into typed ones and refused ones.

Typed columns: text as String, dates as Date, flags as Boolean, amounts as Int64 in øre.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from schemas.tables import AMOUNTS, PART, REMOVED, Column, Kind, Table
from transforms.rules.digits import ZERO, Bytes, Flags, are_digits, by_length, judged, number, weighted, where
from transforms.rules.money import oere_from_decimal, oere_from_text


@dataclass(frozen=True)
class Checked:
    """One batch after the checks.

    ``typed``: the good rows, typed, with ``slettet``. ``refused``: the raw rows that were refused
    with ``koder``, the list of the reasons, and ``beloep``, the amount in øre if it is well-formed. Both have
    ``rad``, the row's number in its file from 1, and ``slettet`` as true or false.
    ``oere``: the sum of the well-formed amounts of all rows, for ``kontrollsum``.
    """

    typed: pl.DataFrame
    refused: pl.DataFrame
    oere: int


def check_values(raw: pl.DataFrame, table: Table, first_row: int) -> Checked:
    """Types the raw rows of ``table`` and refuses those with a value that is not valid."""
    raw = raw.with_row_index("rad", first_row)
    if REMOVED.name not in raw.columns:
        raw = raw.with_columns(pl.lit(None, pl.Boolean).alias(REMOVED.name))
    columns = (*table.columns, REMOVED)
    typed = pl.DataFrame([*(_typed(column, raw[column.name]) for column in columns), raw["rad"]])
    broken = list(_broken(table, raw, typed))
    typed = typed.with_columns(pl.col(REMOVED.name).fill_null(False))
    amount = typed[table.amount] if table.amount else pl.lit(None, pl.Int64)
    raw = raw.with_columns(typed[REMOVED.name], beloep=amount)
    oere = _sum(typed[table.amount]) if table.amount else 0
    if not broken:
        return Checked(typed, _no_reasons(raw.clear()), oere)
    codes = pl.DataFrame(
        [rule.replace_strict({True: code}, default=None).alias(str(place)) for place, (code, rule) in enumerate(broken)]
    ).select(koder=pl.concat_list(pl.all()).list.drop_nulls().list.unique(maintain_order=True))
    refused = codes["koder"].list.len() > 0
    return Checked(typed.filter(~refused), raw.with_columns(codes).filter(refused), oere)


def _no_reasons(raw: pl.DataFrame) -> pl.DataFrame:
    return raw.with_columns(pl.lit(None, pl.List(pl.String)).alias("koder"))


def _sum(oere: pl.Series) -> int:
    return int(oere.cast(pl.Int128).sum())


def _typed(column: Column, value: pl.Series) -> pl.Series:
    if column.kind in AMOUNTS:
        return oere_from_text(value) if value.dtype == pl.String else oere_from_decimal(value)
    if column.kind == Kind.DATE:
        return _dates(value) if value.dtype == pl.String else _within_years(value)
    if column.kind == Kind.FLAG and value.dtype == pl.String:
        true = value == "true"
        return where(true | (value == "false"), true)
    return value


_MONTHS = np.arange(np.datetime64("0001-01"), np.datetime64("10000-02")).astype("M8[D]").astype(np.int32)
"""The first days, since 1970, of all months of the years 1 to 9999, and of the one after."""


def _dates(text: pl.Series) -> pl.Series:
    """The dates ``YYYY-MM-DD`` of the years 1 to 9999; null where there is no such day (CONTRACT section 1)."""
    days, good = np.zeros(len(text), np.int32), np.zeros(len(text), np.bool_)
    for rows, places in by_length(text, [10]):
        digits = places[[0, 1, 2, 3, 5, 6, 8, 9]] - ZERO
        well_formed = are_digits(digits) & (places[4] == ord("-")) & (places[7] == ord("-"))
        year, month, day = number(digits[:4]), number(digits[4:6]), number(digits[6:])
        well_formed &= (year >= 1) & (month >= 1) & (month <= 12)
        place = np.where(well_formed, 12 * (year - 1) + month - 1, 0)
        days[rows] = _MONTHS[place] + day - 1
        good[rows] = well_formed & (day >= 1) & (day <= _MONTHS[place + 1] - _MONTHS[place])
    return where(pl.Series(good), pl.Series(text.name, days)).cast(pl.Date)


def _within_years(value: pl.Series) -> pl.Series:
    """The dates, null when they are none of the years 1 to 9999 (Parquet's reach some five million years)."""
    return where(value.to_physical().is_between(int(_MONTHS[0]), int(_MONTHS[-1]) - 1).fill_null(True), value)


def _broken(table: Table, raw: pl.DataFrame, typed: pl.DataFrame) -> Iterator[tuple[str, pl.Series]]:
    """Every rule that some row breaks, as (code, which rows).

    A removal needs a key and nothing else: not even a well-formed one, for removing an unknown key
    does nothing.
    """
    removed = typed[REMOVED.name].fill_null(False)
    for column in (*table.columns, REMOVED):
        given, value = raw[column.name], typed[column.name]
        for code, broken in _column_rules(column, given, value):
            rows = broken.fill_null(False)
            if code != "L2-VALUE-NULL" or column.name != table.key:
                rows = rows & ~removed
            if rows.any():
                yield code, rows
    if table is PART:
        yield from _part_rules(typed, ~removed)


def _column_rules(column: Column, given: pl.Series, value: pl.Series) -> Iterator[tuple[str, pl.Series]]:
    if not column.nullable and given.null_count():
        yield "L2-VALUE-NULL", given.is_null()
    if column.kind == Kind.KEY:
        if (value.str.len_bytes() > 64).any():  # bytes are at least as many as characters, and faster to count
            yield "L2-VALUE-LENGTH", value.str.len_chars() > 64
    elif column.kind == Kind.NUMBER:
        yield "L2-VALUE-NUMBER", ~valid_number(value)
    elif column.kind == Kind.CODE:
        yield "L2-VALUE-CODE", ~value.is_in(column.codes)
    elif column.kind == Kind.FLAG:
        yield "L2-VALUE-FLAG", given.is_not_null() & value.is_null()
    elif column.kind == Kind.DATE:
        yield "L2-VALUE-DATE", given.is_not_null() & value.is_null()
    elif column.kind in AMOUNTS:
        yield "L2-VALUE-AMOUNT", given.is_not_null() & value.is_null()
        if column.kind == Kind.POSITIVE_AMOUNT:
            yield "L2-VALUE-POSITIVE", value <= 0


_LENGTHS = {"VIRKSOMHET": 9, "ENK": 9, "PERSON": 11}


def _part_rules(typed: pl.DataFrame, judged: pl.Series) -> Iterator[tuple[str, pl.Series]]:
    """The length of the number against ``parttype``; ``innehaver`` only and always for an ENK."""
    rules = typed.select(
        length=pl.col("part").str.len_bytes()
        != pl.col("parttype").replace_strict(_LENGTHS, default=None, return_dtype=pl.UInt32),
        owner=pl.col("parttype").is_in(PART["parttype"].codes)
        & ((pl.col("parttype") == "ENK") != pl.col("innehaver").is_not_null()),
        owner_length=pl.col("innehaver").str.len_bytes() != 11,
    ).fill_null(False)
    for code, rule in (
        ("L2-VALUE-NUMBER", rules["length"]),
        ("L2-VALUE-INNEHAVER", rules["owner"]),
        ("L2-VALUE-NUMBER", rules["owner_length"]),
    ):
        rows = rule & judged
        if rows.any():
            yield code, rows


_ORGANISATION = (3, 2, 7, 6, 5, 4, 3, 2, 1)
_NATIONAL_1 = (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)
_NATIONAL_2 = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)


def valid_number(numbers: pl.Series) -> pl.Series:
    """Whether each is an organisation number or a national number by its mod-11 check digits, and not all zeros.

    The date in a national number is not checked (D-numbers and synthetic numbers shift it).
    """
    return judged(numbers, _is_number, (9, 11))


def _is_number(places: Bytes) -> Flags:
    digits = places - ZERO
    good = are_digits(digits) & digits.any(axis=0)
    if len(digits) == 9:
        good &= weighted(digits, _ORGANISATION) % 11 == 0
    else:
        good &= (weighted(digits[:10], _NATIONAL_1) % 11 == 0) & (weighted(digits, _NATIONAL_2) % 11 == 0)
    return good
