"""The first check of section 2, level 2: each cell by itself, and ``part``'s columns against each other."""

import re
from datetime import date
from decimal import Decimal

from tests.plain import numbers
from tests.plain.balances import Row
from tests.plain.columns import TABLES, Column, Kind
from tests.plain.deliveries import RawRow

AMOUNT = r"-?[0-9]{1,16}(\.[0-9]{1,2})?"
DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
LONGEST_KEY = 64
DIGITS = {"VIRKSOMHET": 9, "ENK": 9, "PERSON": 11}
FLAGS = {"true": True, "false": False}


class BadValueError(ValueError):
    """A cell that is refused; the message is the reason."""


def typed_row(row: RawRow) -> Row:
    """The row's values by column; BadValueError when one is refused."""
    if row.removes:
        return _typed_removal(row)
    if row.cells.get("slettet") not in (None, "false"):
        raise BadValueError("slettet: not true or false")
    columns = TABLES[row.table].columns
    values = {column.name: _checked(column, row.cells.get(column.name)) for column in columns}
    if row.table == "part":
        _check_part(values)
    return values


def _typed_removal(row: RawRow) -> Row:
    """Of a removal nothing but the key counts."""
    if row.key is None:
        raise BadValueError("key: null")
    return {TABLES[row.table].key: row.key}


def _checked(column: Column, text: str | None) -> str | bool | Decimal | date | None:
    if text is None:
        if not column.nullable:
            raise BadValueError(f"{column.name}: null")
        return None
    try:
        return typed(column, text)
    except BadValueError as error:
        raise BadValueError(f"{column.name}: {error}") from error


def typed(column: Column, text: str) -> str | bool | Decimal | date:
    """One cell in its column's type."""
    if column.kind is Kind.DATE:
        return _day(text)
    if column.kind in (Kind.AMOUNT, Kind.POSITIVE_AMOUNT):
        return _amount(text, positive=column.kind is Kind.POSITIVE_AMOUNT)
    if column.kind is Kind.FLAG:
        if text not in FLAGS:
            raise BadValueError("not true or false")
        return FLAGS[text]
    if column.kind is Kind.KEY and len(text) > LONGEST_KEY:
        raise BadValueError("longer than 64 characters")
    if column.kind is Kind.CODE and text not in column.codes:
        raise BadValueError("unknown code")
    if column.kind is Kind.NUMBER and not numbers.is_part_number(text):
        raise BadValueError("not a valid number")
    return text


def _day(text: str) -> date:
    if not re.fullmatch(DATE, text):
        raise BadValueError("not a date")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadValueError("not a date") from error


def _amount(text: str, positive: bool) -> Decimal:
    if not re.fullmatch(AMOUNT, text):
        raise BadValueError("not an amount")
    amount = Decimal(text)
    if positive and amount <= 0:
        raise BadValueError("not above 0")
    return amount


def _check_part(values: Row) -> None:
    if len(values["part"]) != DIGITS[values["parttype"]]:
        raise BadValueError("part: not of the length that parttype says")
    if (values["parttype"] == "ENK") != (values["innehaver"] is not None):
        raise BadValueError("innehaver: only and always for ENK")
    if values["innehaver"] is not None and not numbers.is_national_number(values["innehaver"]):
        raise BadValueError("innehaver: not a person's number")
