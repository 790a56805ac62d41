"""What is read of digits by their bytes is what a row-by-row reading of the contract says, whatever the text."""

import random
import re
import string
from datetime import date, timedelta

import polars as pl
import pytest

from schemas.tables import TABLES
from tests.plain.columns import TABLES as PLAIN
from tests.plain.numbers import is_part_number, national_number, organisation_number
from tests.plain.values import BadValueError, typed
from transforms.accept.values import check_values, valid_number
from transforms.rules.check_digits import valid_iban, valid_kid, valid_kontonummer
from transforms.rules.digits import by_length
from transforms.rules.money import oere_from_text

STRANGE = ["", *"0189+-_.,:/ \t\n\r\0AZaz@[eE*", "\u00a0", "\u2003", "٣", "３", "𝟗", "ø", "−", "İ", "\u0301"]
"""What stands in a text instead of one of its characters, or between two."""

GOOD_KIDS = ["2345676", "12345678903", "7900011880501220017", "18", "132", "6-", "0" * 18 + "2345676", "0" * 24 + "0"]
GOOD_IBANS = ["NO9386011117947", "GB29NWBK60161331926819", "MT84MALT011000012345MTLCAST001S", "NO42 7694 0524 802"]
GOOD_ACCOUNTS = ["76940524802", "8601.11.17947", "8601 11 17947", "86011117947"]


def spoilt(texts):
    """The texts, and each with every strange character at every place, instead of what stands there and before it."""
    for text in texts:
        yield text
        for place in range(len(text) + 1):
            for sign in STRANGE:
                yield text[:place] + sign + text[place:]
                yield text[:place] + sign + text[place + 1 :]


def of_digits(seed, signs, lengths, count=3_000):
    chance = random.Random(seed)
    return ["".join(chance.choices(signs, k=chance.choice(lengths))) for _ in range(count)]


def is_kontonummer(text):
    digits = re.sub(r"[.\s]", "", text)
    weights = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
    return bool(re.fullmatch("[0-9]{11}", digits)) and sum(map(int.__mul__, map(int, digits), weights)) % 11 == 0


def is_kid(text):
    if not re.fullmatch("[0-9]{1,24}[0-9-]", text):
        return False
    body, last = [int(digit) for digit in reversed(text[:-1])], text[-1]
    remainder = -sum(digit * (2 + place % 6) for place, digit in enumerate(body)) % 11
    luhn = -sum(sum(divmod(digit * (2 - place % 2), 10)) for place, digit in enumerate(body)) % 10
    return last == ("-" if remainder == 10 else str(remainder)) or last == str(luhn)


def is_iban(text):
    compact = text.replace(" ", "")
    if not re.fullmatch("[A-Z]{2}[0-9]{2}[A-Z0-9]{8,30}", compact):
        return False
    return int("".join(str(int(sign, 36)) for sign in compact[4:] + compact[:4])) % 97 == 1


NUMBERS = [organisation_number(7), national_number(7), "0" * 9, "0" * 11]
MANY_KIDS = [*of_digits(1, "0123456789", range(1, 27)), *of_digits(2, "0123456789-", [2, 3, 24, 25])]
MANY_IBANS = [
    *(f"NO{check:02d}{rest}" for check in range(100) for rest in ("86011117947", "A" * 30, "9Z" * 15)),
    *(f"NO{check:02d}{rest}" for check in range(100) for rest in ("8601111794[", "1" * 31, "1" * 7)),  # never right
    *(f"{first}{second}A18601117947" for first in string.ascii_uppercase for second in string.ascii_uppercase),
    *(f"1O{check:02d}86011117947" for check in range(100)),
]


@pytest.mark.parametrize(
    ("rule", "plain", "good", "others"),
    [
        (valid_number, is_part_number, NUMBERS, of_digits(3, "0123456789", [8, 9, 10, 11, 12])),
        (valid_kontonummer, is_kontonummer, GOOD_ACCOUNTS, of_digits(4, "0123456789", [10, 11, 12])),
        (valid_kid, is_kid, GOOD_KIDS, MANY_KIDS),
        (valid_iban, is_iban, GOOD_IBANS, MANY_IBANS),
    ],
    ids=["number", "kontonummer", "kid", "iban"],
)
def test_check_digits_of_whatever_stands_there(rule, plain, good, others):
    texts = [*spoilt(good), *others]
    expected = [plain(text) for text in texts]
    assert any(expected)
    assert not all(expected)
    assert wrong(texts, rule(pl.Series(texts)), expected) == {}


def plainly(column, text):
    """What the plain reference reads; nothing where it refuses."""
    try:
        return typed(column, text)
    except BadValueError:
        return None


def test_amounts_of_whatever_stands_there():
    good = ["0", "-0", "1.5", "-1.05", "9999999999999999.99", "-9999999999999999.99", "12345678901234567", "007.00"]
    texts = [*spoilt(good), *of_digits(5, "0123456789.-", range(1, 23)), *of_digits(6, "0123456789", range(14, 23))]
    kroner = [plainly(PLAIN["krav"]["opprinnelig_beloep"], text) for text in texts]
    expected = [amount if amount is None else int(amount.scaleb(2)) for amount in kroner]
    assert wrong(texts, oere_from_text(pl.Series(texts)), expected) == {}


def test_dates_of_whatever_stands_there():
    years = (0, 1, 4, 100, 400, 1900, 1969, 1970, 2000, 2023, 2024, 9999)
    days = [f"{y:04d}-{m:02d}-{d:02d}" for y in years for m in range(14) for d in (0, 1, 28, 29, 30, 31, 32, 99)]
    every = [str(date(1999, 1, 1) + timedelta(day)) for day in range(800)]
    texts = [*spoilt(["2024-02-29", "0001-01-01", "9999-12-31", "1969-12-31"]), *days, *every]
    expected = [plainly(PLAIN["krav"]["opprettelsesdato"], text) for text in texts]
    assert wrong(texts, typed_dates(texts), expected) == {}


def typed_dates(texts):
    """As ``check_values`` reads them, from rows of removals: no cell refuses those."""
    table = TABLES["krav"]
    others = {name: ["x"] * len(texts) for name in table.names}
    rows = {**others, "opprettelsesdato": texts, "slettet": ["true"] * len(texts)}
    return check_values(pl.DataFrame(rows), table, 1).typed["opprettelsesdato"]


def wrong(texts, found, expected):
    found = found.to_list()
    assert len(found) == len(texts)
    return {text: got for text, got, due in zip(texts, found, expected, strict=True) if got != due}


@pytest.mark.parametrize("rule", [valid_number, valid_kid, valid_kontonummer, valid_iban, oere_from_text])
def test_nothing_stays_nothing(rule):
    assert rule(pl.Series([], dtype=pl.String)).to_list() == []
    assert rule(pl.Series([None, None], dtype=pl.String)).to_list() == [None, None]
    masked = pl.select(pl.when(pl.Series([False, True])).then(pl.Series(["18", "x"]))).to_series()
    assert rule(masked)[0] is None  # though its bytes are still there


def test_texts_by_length_from_the_middle_of_a_column_in_pieces():
    pieces = pl.concat([pl.Series(["12", None, "é"]), pl.Series(["345", "6", "7" * 20])], rechunk=False)
    found = {
        bytes(column): int(row)
        for rows, places in by_length(pieces[1:], range(1, 21))
        for row, column in zip(rows, places.T, strict=True)
    }
    assert found == {"é".encode(): 1, b"345": 2, b"6": 3, b"7" * 20: 4}
