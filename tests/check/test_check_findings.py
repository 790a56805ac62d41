"""Quarantined rows as the operator sees them: where each lies, what is wrong, and where that comes from."""

import polars as pl
import pytest

from schemas.refusals import SENTENCES
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering
from tests.small import S, looking_at
from transforms.check.findings import masked, quarantined_findings, refused_rows
from transforms.check.held_back import hold_back
from transforms.check.posts import check_posts
from transforms.home.findings import SCHEMA

FILES = pl.DataFrame(
    [("mva", 1, table, 0, f"{table}.csv") for table in ("part", "krav", "kravforfall", "plassering", "innbetaling")],
    {"kilde": pl.String, "leveransenummer": pl.Int32, "tabell": pl.String, "fil": pl.Int32, "sti": pl.String},
    orient="row",
)
SAID = (part("A"), krav("K", "A", 100), kravforfall("F", "K", 100, S))


def found(*said, refused=()):
    with looking_at(*SAID, *said, refused=refused) as connection:
        check_posts(connection)
        hold_back(connection, None)
        return quarantined_findings(connection, FILES)


def test_of_good_rows_there_is_no_finding():
    assert found().schema == SCHEMA
    assert found().is_empty()


def test_a_row_is_told_with_its_place_and_how_many_parts_it_holds_back():
    (row,) = found(krav("K2", "A", 5)).to_dicts()
    assert {name: value for name, value in row.items() if value is not None} == {
        **{"nivaa": 2, "kode": "L2-CLAIM-NO-DUE-DATE", "melding": SENTENCES["L2-CLAIM-NO-DUE-DATE"]},
        **{"kilde": "mva", "leveransenummer": 1, "fil": "krav.csv", "rad": 2, "tabell": "krav", "noekkel": "K2"},
        "parter_holdt_tilbake": 1,
    }


def test_a_row_has_a_finding_for_each_reason():
    row = {"tabell": "innbetaling", "noekkel": "I", "koder": ["L2-VALUE-DATE", "L2-VALUE-NULL"]}
    told = found(refused=[row])
    assert told.select("kode", "rad", "parter_holdt_tilbake").rows() == [
        *(("L2-VALUE-DATE", 9, None), ("L2-VALUE-NULL", 9, None)),
    ]


def test_a_parts_key_is_its_number_and_is_not_told():
    (row,) = found(part("E", "ENK", "nobody")).to_dicts()
    assert (row["tabell"], row["noekkel"], row["fil"], row["rad"]) == ("part", None, "part.csv", 2)


def test_analysts_have_refused_rows_whole_with_their_amounts():
    """Also where a finding masks the key; of a row refused by values, what its delivery's file has."""
    row = {"tabell": "innbetaling", "noekkel": "81000105012", "koder": ["L2-VALUE-DATE"], "part": "A", "beloep": 700}
    with looking_at(*SAID, part("E", "ENK", "nobody"), krav("K2", "E", 5), refused=[row]) as connection:
        check_posts(connection)
        hold_back(connection, None)
        told = quarantined_findings(connection, FILES)
        whole = refused_rows(connection).sort("tabell")
    assert "81000105012" not in told["noekkel"].to_list()
    assert whole.select("tabell", "noekkel", "koder", "part", "beloep", "fil", "rad").rows() == [
        ("innbetaling", "81000105012", ["L2-VALUE-DATE"], "A", 700, "innbetaling.csv", 9),
        ("krav", "K2", ["L2-PART-UNKNOWN"], "E", 500, "krav.csv", 2),
        ("part", "E", ["L2-PART-OWNER"], "E", None, "part.csv", 2),
    ]
    numbers = dict(whole.select("tabell", "avvist").rows())
    assert dict(whole.select("tabell", "rot").rows()) == {"innbetaling": None, "krav": numbers["part"], "part": None}


def test_what_is_refused_because_of_another_row_comes_from_the_first():
    """An ENK without its owner, its krav, the due date of that, a placement there."""
    of_enk = part("E", "ENK", "nobody"), krav("K2", "E", 5), kravforfall("F2", "K2", 5, S), innbetaling("I", "A", 5)
    told = found(*of_enk, plassering("P", "INNBETALING", "F2", "I", 5))
    roots = told.select("tabell", "rot_kode", "rot_tabell", "rot_noekkel", "rot_fil", "rot_rad").sort("tabell").rows()
    root = ("L2-PART-OWNER", "part", None, "part.csv", 2)
    nothing = (None,) * 5
    assert roots == [("krav", *root), ("kravforfall", *root), ("part", *nothing), ("plassering", *root)]


def test_a_krav_comes_from_its_due_date_that_was_refused_and_its_other_one_from_there():
    row = {"tabell": "kravforfall", "noekkel": "F2", "koder": ["L2-VALUE-DATE"], "kravidentifikator": "K2"}
    told = found(krav("K2", "A", 9), kravforfall("F3", "K2", 5, S), refused=[row])
    assert told.select("noekkel", "kode", "rot_noekkel").sort("noekkel").rows() == [
        *(("F2", "L2-VALUE-DATE", None), ("F3", "L2-CLAIM-OF-REFUSED", "F2"), ("K2", "L2-CLAIM-SUM", "F2")),
    ]


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("K-2026-1", "K-2026-1"),
        ("123456", "123456"),
        ("12345678", "12345678"),  # a date or a number of its own; nine digits are a part's
        ("123456785", "123456###"),
        ("a01810001050b123456785", "a018100###b123456###"),
        ("x" * 70, "x" * 64),
    ],
)
def test_identifiers_do_not_show_a_long_number(key, told):
    assert pl.DataFrame({"key": [key]}).select(masked("key")).item() == told
