"""Every refusal of a night as one table."""

import polars as pl

from schemas.refusals import SENTENCES, Refusal
from transforms.home.findings import SCHEMA, findings

DELIVERY = Refusal(1, "L1-SHA256", "krav-1.csv", "mva", 2, fil="krav-1.csv")
ROW = Refusal(2, "L2-CLAIM-SUM", "5 of 6", "mva", 2, fil="krav-1.csv", rad=7, tabell="krav", key="K")


def test_nothing_was_refused():
    assert findings([]).schema == SCHEMA
    assert findings([]).is_empty()


def test_a_refusal_is_a_row_in_words():
    one, other = findings([DELIVERY, ROW]).to_dicts()
    assert {name: value for name, value in one.items() if value is not None} == {
        **{"nivaa": 1, "kode": "L1-SHA256", "melding": f"{SENTENCES['L1-SHA256']}: krav-1.csv"},
        **{"kilde": "mva", "leveransenummer": 2, "fil": "krav-1.csv"},
    }
    assert (other["nivaa"], other["rad"], other["tabell"], other["noekkel"]) == (2, 7, "krav", "K")


def test_the_rows_that_check_has_left_come_after(tmp_path):
    """Whatever the name of their file, which may hold what stands for many files."""
    left = tmp_path / "findings[1]*.parquet"
    findings([ROW]).write_parquet(left)
    both = findings([DELIVERY], left)
    assert both["kode"].to_list() == ["L1-SHA256", "L2-CLAIM-SUM"]
    assert both.equals(pl.concat([findings([DELIVERY]), findings([ROW])]))
