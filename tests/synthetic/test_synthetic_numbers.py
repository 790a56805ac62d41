"""Numbers with check digits, against published examples and a plain reading of the rules."""

import polars as pl
import pytest
from plain_books import iban_is_valid, kid_is_valid, mod11_is_right, number_is_valid

from synthetic.draw import Draw
from synthetic.numbers import (
    MAX_PARTS,
    account,
    account_text,
    iban,
    kid,
    national_numbers,
    organisation_numbers,
)

ACCOUNT = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)


@pytest.mark.parametrize("number", ["974761076", "310529680", "29822099635", "05840399895", "12829499914"])
def test_the_plain_check_accepts_published_numbers(number: str) -> None:
    assert number_is_valid(number)
    assert not number_is_valid(number[:-1] + str((int(number[-1]) + 1) % 10))


def test_the_plain_checks_accept_published_accounts_and_kids() -> None:
    assert mod11_is_right("86011117947", ACCOUNT)
    assert iban_is_valid("NO9386011117947")
    assert kid_is_valid("79927398713")
    assert not kid_is_valid("79927398712")


def far_and_near() -> pl.Series:
    """Indices from all over the space of numbers."""
    return pl.concat([pl.int_range(start, start + 4000, eager=True) for start in (0, 1_000_000, MAX_PARTS - 4000)])


def test_organisation_numbers_are_valid_synthetic_and_distinct() -> None:
    numbers = organisation_numbers(Draw(7), far_and_near()).to_list()
    assert len(set(numbers)) == len(numbers)
    assert all(len(number) == 9 and number[0] in "23" and number_is_valid(number) for number in numbers)


def test_national_numbers_are_valid_synthetic_and_distinct() -> None:
    numbers = national_numbers(Draw(7), far_and_near()).to_list()
    assert len(set(numbers)) == len(numbers)
    assert all(number_is_valid(number) for number in numbers)
    assert all(81 <= int(number[2:4]) <= 92 for number in numbers)
    d_numbers = sum(number[0] >= "4" for number in numbers)
    assert 0.04 < d_numbers / len(numbers) < 0.1


def test_another_seed_gives_other_numbers() -> None:
    index = pl.int_range(100, eager=True)
    assert national_numbers(Draw(1), index).to_list() != national_numbers(Draw(2), index).to_list()


def test_accounts_ibans_and_kids_are_valid() -> None:
    frame = pl.DataFrame({"n": pl.int_range(0, 1_000_000, 331, eager=True)})
    made = frame.select(
        account=account_text(account(pl.lit(9901), pl.col("n"))),
        iban=iban(account(pl.lit(9901), pl.col("n"))),
        kid=kid(pl.col("n") * 104_729, pl.col("n") % 2 == 0),
    )
    assert all(mod11_is_right(number, ACCOUNT) for number in made["account"])
    assert all(iban_is_valid(number) for number in made["iban"])
    assert all(kid_is_valid(number) for number in made["kid"])
    assert made["kid"].str.contains("-$").any()


def test_the_published_iban_comes_of_its_account() -> None:
    assert pl.select(iban(pl.lit(86011117947))).item() == "NO9386011117947"
