"""What stored documents add up to, by hand, and what does not reconcile, in words (CONTRACT section 5)."""

import polars as pl
import pytest

from tests.build.building import S, bucket, snapshot_of
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, utbetaling
from transforms.home.snapshot import read_index
from transforms.reconcile.totals import ReadBack, differences, from_documents, together

COMPANY, ENK, OWNER = "300000207", "300000304", "01810001050"

STATEMENT = (
    *(part(COMPANY), part(ENK, "ENK", OWNER), part(OWNER, "PERSON")),
    *(krav("K", COMPANY, "36500"), kravforfall("F1", "K", 36_000, "2026-11-13"), kravforfall("F2", "K", 500, S)),
    *(krav("C", COMPANY, -800), kravforfall("G", "C", -800, S), utbetaling("U", COMPANY, 300)),
    *(innbetaling("I", COMPANY, 1000), innbetaling("J", OWNER, "0.50")),
    *(krav("O", OWNER, 70), kravforfall("H", "O", 70, S)),
    plassering("P1", "INNBETALING", "F2", "I", 400),
    plassering("P2", "MOTKRAV", "F2", "G", 100),
    plassering("P3", "UTBETALING", "G", "U", 300),
)
"""COMPANY owes 36 000 since ten days, has 400 to its credit and 600 unplaced; what the ENK shows is its owner's."""


def read(folder, index=None):
    return from_documents(folder, read_index(folder) if index is None else index, S)


def with_kept_histories(folder):
    """The index, as it is given when the histories are those of the night before."""
    index = read_index(folder)
    lengths = [name for name in index.columns if name.endswith("_length") and not name.startswith("oversikt")]
    return index.with_columns(pl.lit(None, pl.Int64).alias(name) for name in lengths)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return snapshot_of(tmp_path_factory.mktemp("home"), bucket(*STATEMENT))


def test_documents_add_up_to_their_posts_each_counted_once(folder):
    found = read(folder)
    assert found.contradictions == 0
    assert {name: value for name, value in found.totals.items() if value} == {
        "antall_parter": 3,
        **{"antall_krav": 3, "sum_krav": 3_577_000, "antall_kravforfall": 4, "sum_kravforfall": 3_577_000},
        **{"sum_gjenstaaende_kravforfall": 3_567_000, "sum_gjenstaaende_krav": 3_567_000},
        "sum_gjenstaaende_oversikt": 3_567_000,
        **{"antall_innbetaling_paa_krav": 1, "sum_innbetaling_paa_krav": -40_000, "sum_innbetalt_paa_krav": -100_000},
        "antall_innbetalt_paa_krav": 1,
        **{"antall_motkrav_paa_debet": 1, "sum_motkrav_paa_debet": -10_000},
        **{"antall_motkrav_paa_kredit": 1, "sum_motkrav_paa_kredit": 10_000},
        **{"antall_innbetaling": 2, "sum_innbetaling": -100_050, "sum_uplassert": -60_050},
        "sum_uplassert_oversikt": -60_050,
        **{"antall_krav_paa_innbetaling": 1, "sum_krav_paa_innbetaling": 40_000},
        **{"antall_utbetaling": 1, "sum_utbetaling": 30_000},
        **{"antall_grunnlag_opprinnelig": 1, "sum_grunnlag_opprinnelig": -80_000},
        **{"antall_grunnlag_gjenstaaende": 1, "sum_grunnlag_gjenstaaende": -40_000},
    }


def test_of_kept_histories_only_the_overviews_are_read(folder):
    found = read(folder, with_kept_histories(folder))
    assert found.contradictions == 0
    assert (found.totals["antall_krav"], "antall_innbetaling" in found.totals) == (3, False)


def test_several_segments_together(tmp_path, folder):
    apart = snapshot_of(tmp_path, bucket(*STATEMENT), bucket(part("300000118")))
    assert read(apart).totals == read(folder).totals | {"antall_parter": 4}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("krav_aapne", 0),
        ("krav_antall", 1),
        ("part", pl.lit("300000118")),  # documents that are another's
    ],
)
def test_an_index_that_says_otherwise_than_the_documents(folder, column, value):
    index = read_index(folder).with_columns(pl.when(part=COMPANY).then(value).otherwise(column).alias(column))
    assert read(folder, index).contradictions > 0


@pytest.mark.parametrize("owner", [{COMPANY: OWNER, ENK: OWNER}, {}])
@pytest.mark.parametrize("index", [read_index, with_kept_histories])
def test_an_enk_shows_its_owners_posts_and_nobody_else_does(tmp_path, owner, index):
    """As if by the table of parts another were an ENK too, or nobody; overviews alone are enough to tell."""
    folder = snapshot_of(tmp_path, bucket(*STATEMENT))
    path = folder / "tables" / "part" / "part.parquet"
    owned = pl.col("part").replace_strict(owner, default=None, return_dtype=pl.String)
    pl.read_parquet(path).with_columns(innehaver=owned).write_parquet(path)
    assert read(folder, index(folder)).contradictions > 0


ROWS = {"said": 10, "accepted": 8, "quarantined": 2}


def test_what_reconciles_says_nothing():
    read_back = ReadBack({"sum_krav": 5, "antall_krav": 1}, 0)
    posts = {"sum_krav": 5, "antall_krav": 1, "sum_utbetalt_paa_kredit": 3, "antall_utbetalt_paa_kredit": 1}
    assert list(differences(posts, read_back, ROWS)) == []


@pytest.mark.parametrize(
    ("posts", "documents", "contradictions", "rows", "told"),
    [
        ({"sum_krav": 5}, {"sum_krav": 4}, 0, {}, "sum_krav is 5 by the posts, 4 by the documents"),
        ({"sum_krav": 5}, {}, 0, {}, "sum_krav is 5 by the posts, 0 by the documents"),
        ({}, {"antall_krav": 1}, 0, {}, "antall_krav is 0 by the posts, 1 by the documents"),
        ({}, {}, 2, {}, "2 documents contradict themselves, or other documents of the same posts"),
        ({}, {}, 0, {"said": 11}, "8 accepted and 2 quarantined rows are not the 11 that the sources say"),
    ],
)
def test_every_difference_is_told(posts, documents, contradictions, rows, told):
    assert list(differences(posts, ReadBack(documents, contradictions), ROWS | rows)) == [told]


def test_what_segments_add_up_to():
    both = together([ReadBack({"a": 1, "b": 2}, 1), ReadBack({"b": 3}, 2)])
    assert both == ReadBack({"a": 1, "b": 5}, 3)
    assert together([]) == ReadBack({}, 0)
