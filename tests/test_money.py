"""Kroner become øre and øre kroner, exactly, and what is no amount becomes nothing (CONTRACT section 1)."""

from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from transforms.rules.money import (
    MOST_OERE,
    compared,
    kroner,
    kroner_as_text,
    oere_from_decimal,
    oere_from_text,
    summed,
)

MOST = "9999999999999999.99"


@pytest.mark.parametrize(
    ("text", "oere"),
    [
        *(("0", 0), ("-0.00", 0), ("1", 100), ("1.5", 150), ("-1.05", -105), ("007", 700), ("61244.00", 6_124_400)),
        *((MOST, MOST_OERE), (f"-{MOST}", -MOST_OERE), ("0" * 15 + "1", 100)),
    ],
)
def test_an_amount_as_text(text, oere):
    assert oere_from_text(pl.Series([text])).to_list() == [oere]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            ".",
            "1.",
            ".5",
            "+1",
            "--1",
            "1.005",
            "1,5",
            "1 000",
            " 1",
            "1 ",
            "1e3",
            "NaN",
            "inf",
            "0x1",
            "١",
            "1\n",
        ),
        "1" * 17,
        "0" * 17,
        None,
    ],
)
def test_what_is_no_amount(text):
    assert oere_from_text(pl.Series([text], dtype=pl.String)).to_list() == [None]


@pytest.mark.parametrize("precision", [18, 20, 38])
def test_an_amount_as_a_decimal_of_any_precision(precision):
    most = Decimal(MOST if precision >= 18 else 0)
    said = pl.Series([most, -most, Decimal("-0.05"), None], dtype=pl.Decimal(precision, 2))
    assert oere_from_decimal(said).to_list() == [MOST_OERE, -MOST_OERE, -5, None]


def test_a_decimal_of_17_digits_is_no_amount():
    said = pl.Series([Decimal("10000000000000000.00"), Decimal("-10000000000000000.00")], dtype=pl.Decimal(38, 2))
    assert oere_from_decimal(said).to_list() == [None, None]


OERE = [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (-105, "-1.05"), (100, "1.00"), (10**30 + 1, "1" + "0" * 28 + ".01")]


def test_oere_as_kroner():
    assert [kroner(oere) for oere, _ in OERE] == [text for _, text in OERE]
    series = pl.Series([oere for oere, _ in OERE], dtype=pl.Int128)
    assert kroner_as_text(series).to_list() == [text for _, text in OERE]
    assert kroner_as_text(series[2:4]).to_list() == ["-0.05", "-1.05"]  # a slice, which does not begin its buffer


def test_sums_are_exact_beyond_64_bits():
    most = [MOST_OERE, -MOST_OERE, -1, 0, 1, 2**32, -(2**32) - 1]
    oere = [amount for amount in most for _ in range(30)]
    places = np.array([0 if amount > 0 else 2 for amount in oere])
    (found,) = summed(3, [(places, pl.Series(oere)), (np.array([1, 1]), pl.Series([5, -7]))])
    assert found.dtype == pl.Int128
    assert found.to_list() == [sum(n for n in oere if n > 0), -2, sum(n for n in oere if n <= 0)]


def test_sums_are_compared_with_amounts_some_places_at_a_time(monkeypatch):
    monkeypatch.setattr("transforms.rules.money.SUMS_AT_A_TIME", 2)
    sums = [*summed(5, [(np.array([0, 4, 4, 2]), pl.Series([7, 1, 1, -3]))])]
    assert [some.to_list() for some in sums] == [[7, 0], [-3, 0], [2]]
    same = compared(sums, pl.Series([7, 1, -3, 0, -2]), pl.Series.eq)
    assert same.to_list() == [True, False, True, True, False]
    assert compared(summed(0, []), pl.Series(dtype=pl.Int64), pl.Series.eq).to_list() == []
