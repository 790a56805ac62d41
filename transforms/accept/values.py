"""The checks on single values (CONTRACT 2.2.1): raw rows part into typed ones and refused ones.

Typed columns: text as String, dates as Date, flags as Boolean, amounts as Int64 in øre.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import polars as pl

from schemas.tables import AMOUNTS, PART, REMOVED, Column, Kind, Table
from transforms.rules.money import oere_from_decimal, oere_from_text


@dataclass(frozen=True)
class Checked:
    """One batch after the checks.

    ``typed``: the good rows, typed, with ``slettet``. ``refused``: the raw rows that were refused
    with ``koder``, the list of the reasons. Both have ``rad``, the row's number in its file from 1, and ``slettet``
    as true or false.
    ``oere``: the sum of the well-formed amounts of all rows, for ``kontrollsum``.
    """

    typed: pl.DataFrame
    refused: pl.DataFrame
    oere: int


def check_values(raw: pl.DataFrame, table: Table, first_row: int) -> Checked:
    """Types the raw rows of ``table`` and refuses those with a value that is not valid."""
    raw = raw.with_row_index("rad", first_row)
    if REMOVED.name not in raw.columns:
        raw = raw.with_columns(pl.lit(None, pl.String).alias(REMOVED.name))
    columns = (*table.columns, REMOVED)
    typed = raw.select(*(_typed(column, raw.schema[column.name]).alias(column.name) for column in columns), "rad")
    broken = list(_broken(table, raw, typed))
    typed = typed.with_columns(pl.col(REMOVED.name).fill_null(False))
    raw = raw.with_columns(typed[REMOVED.name])
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


def _typed(column: Column, dtype: pl.DataType) -> pl.Expr:
    value = pl.col(column.name)
    if column.kind in AMOUNTS:
        return oere_from_text(value) if dtype == pl.String else oere_from_decimal(value)
    if column.kind == Kind.DATE:
        return _date(value, dtype)
    if dtype != pl.String:
        return value
    if column.kind == Kind.FLAG:
        return value.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)
    return value


_FIRST_DAY = (date.min - date(1970, 1, 1)).days
_LAST_DAY = (date.max - date(1970, 1, 1)).days


def _date(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """The date, null when it is none of the years 1 to 9999 (Parquet's reach some five million years)."""
    if dtype == pl.String:
        iso = value.str.contains("^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
        value = pl.when(iso).then(value).str.to_date("%Y-%m-%d", strict=False)
    return pl.when(value.to_physical().is_between(_FIRST_DAY, _LAST_DAY)).then(value)


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
        length = value.str.len_chars()
        yield "L2-VALUE-LENGTH", length > 64
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
    text = pl.col("number")
    return (
        numbers.rename("number")
        .to_frame()
        .select(
            pl.when(text.str.contains("^[0-9]{9}$"))
            .then(_mod11(text, _ORGANISATION))
            .when(text.str.contains("^[0-9]{11}$"))
            .then(_mod11(text, _NATIONAL_1) & _mod11(text, _NATIONAL_2))
            .when(text.is_not_null())
            .then(pl.lit(False))
            .alias("valid")
        )["valid"]
    )


def _mod11(text: pl.Expr, weights: tuple[int, ...]) -> pl.Expr:
    number = text.cast(pl.Int64, strict=False)
    digits = pl.when(text.str.len_bytes() == 9).then(9).otherwise(11)
    total = pl.lit(0, pl.Int64)
    for position, weight in enumerate(weights):
        power = pl.lit(10, pl.Int64).pow(digits - 1 - position)
        total = total + (number // power) % 10 * weight
    return (total % 11 == 0) & (number > 0)
