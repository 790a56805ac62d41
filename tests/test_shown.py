"""Texts and masks as the documents show them (CONTRACT section 3), of rows made by hand."""

import polars as pl
import pytest

from transforms.rules.shown import masked, with_texts


@pytest.mark.parametrize(
    ("account", "shown"),
    [
        *(("15030012345", "******12345"), ("123456", "*23456"), ("12345", "12345"), ("1", "1"), ("", ""), (None, None)),
        ("Kø:15030Å12345", "*********12345"),
    ],
)
def test_of_a_payers_account_the_last_five_digits_show(account, shown):
    accounts = pl.DataFrame({"konto": [account]}, {"konto": pl.String})
    assert accounts.select(masked("konto")).item() == shown


def test_what_a_krav_leaves_out_is_its_kravtypes():
    krav = pl.DataFrame(
        [
            *(("own", "Restskatt", "Min tekst", "Min gruppe"), ("of the type", "Restskatt", None, None)),
            *(("of a type without group", "Gebyr", None, None), ("unknown", "Ukjent", None, None)),
        ],
        dict.fromkeys(("kravidentifikator", "kravtype", "kravbeskrivelse", "kravgruppe"), pl.String),
        orient="row",
    )
    kravtyper = pl.DataFrame(
        [("Restskatt", "Restskatt for person", "Skatt", False), ("Gebyr", None, None, True)],
        {"kravtype": pl.String, "tekst": pl.String, "kravgruppe": pl.String, "renteberegnes": pl.Boolean},
        orient="row",
    )
    shown = with_texts(krav, kravtyper)
    assert shown.columns == [*krav.columns, "renteberegnes"]
    assert shown.select("kravidentifikator", "kravbeskrivelse", "kravgruppe", "renteberegnes").rows() == [
        ("own", "Min tekst", "Min gruppe", False),
        ("of the type", "Restskatt for person", "Skatt", False),
        ("of a type without group", "Gebyr", "Andre krav", True),
        ("unknown", "Ukjent", "Andre krav", True),
    ]
