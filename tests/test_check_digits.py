"""Check digits against numbers that are published as examples."""

import polars as pl
import pytest

from schemas.tables import INNBETALING, KRAVFORFALL
from transforms.rules.check_digits import count_failing, valid_iban, valid_kid, valid_kontonummer, with_flags


def valid(rule, text: str) -> bool:
    return rule(pl.Series([text]))[0]


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (valid_kontonummer, "76940524802", "76940524803"),
        (valid_kontonummer, "86011117947", "8601111794"),
        (valid_kontonummer, "8601.11.17947", "8601.11.17948"),
        (valid_kontonummer, "8601 11 17947", "8601-11-17947"),
        (valid_iban, "NO42 7694 0524 802", "NO43 7694 0524 802"),
        (valid_iban, "NO9386011117947", "NO9386011117974"),
        (valid_iban, "GB29NWBK60161331926819", "GB29NWBK6016133192681"),
        (valid_iban, "MT84MALT011000012345MTLCAST001S", "MT84MALT011000012345MTLCAST001T"),
        (valid_iban, "NO1300000000", "NO130000000"),  # 12 characters and 11
        (valid_kid, "2345676", "2345675"),  # Luhn
        (valid_kid, "0000000000000000002345676", "00000000000000000002345676"),  # 25 digits and 26
        (valid_kid, "12345678903", "12345678904"),  # mod 11
        (valid_kid, "7900011880501220017", "7900011880501220019"),
        (valid_kid, "18", "******17"),
    ],
)
def test_good_and_bad(rule, good, bad):
    assert valid(rule, good)
    assert not valid(rule, bad)


def test_mod_11_with_a_dash_for_ten():
    # 3 * 2 + 1 * 3 = 9 and 11 - 9 = 2; 6 * 2 = 12, so the check digit of 6 would be 10: a dash.
    assert valid(valid_kid, "132")
    assert valid(valid_kid, "6-")
    assert not valid(valid_kid, "7-")


def test_failing_values_are_counted_by_column():
    columns = {name: [None, None, None] for name in INNBETALING.names}
    rows = pl.DataFrame(
        {**columns, "fra_kontonummer": ["******24802", "76940524802", "******24802"], "til_iban": ["NO1", None, None]},
        schema_overrides=dict.fromkeys(INNBETALING.names, pl.String),
    )
    failing = count_failing(rows, INNBETALING)
    assert failing == {("R-KONTONUMMER", "fra_kontonummer"): 2, ("R-IBAN", "til_iban"): 1}


def test_each_row_is_flagged_whose_values_fail():
    columns = {name: [None] * 4 for name in INNBETALING.names}
    kids, accounts = ["2345675", None, "2345676", ""], ["76940524802", "******24802", None, "76940524803"]
    rows = pl.DataFrame(
        {**columns, "fra_kidnummer": kids, "fra_kontonummer": accounts},
        schema_overrides=dict.fromkeys(INNBETALING.names, pl.String),
    )
    flagged = with_flags(rows, INNBETALING, INNBETALING.names)
    assert flagged["fra_kidnummer_feiler"].to_list() == [True, False, False, True]
    assert flagged["fra_kontonummer_feiler"].to_list() == [False, True, False, True]
    assert [name.removesuffix("_feiler") for name in flagged.columns if name.endswith("_feiler")] == [
        *("fra_kidnummer", "fra_kontonummer", "fra_iban", "til_kontonummer", "til_iban"),
    ]
    assert flagged["fra_iban_feiler"].to_list() == [False] * 4


def test_columns_in_which_none_fails_are_not_looked_at():
    rows = pl.DataFrame({"kidnummer": ["2345675"], "kontonummer": ["1"]})
    flagged = with_flags(rows, KRAVFORFALL, {"kontonummer"})
    assert flagged.select("kidnummer_feiler", "kontonummer_feiler", "iban_feiler").row(0) == (False, True, False)
