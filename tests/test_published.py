"""The schemas of the published tables, and what follows from the schemas of the delivered ones."""

import polars as pl
import pytest

from schemas.published import PUBLISHED
from schemas.store import SEGMENTS
from schemas.tables import REFERENCES, REFERRED_TO_BY, TABLES, UNIQUE, WITH_PART
from transforms.home.refused import REFUSED_SCHEMA
from transforms.home.snapshot import tables_unlike_their_schema


@pytest.fixture
def folder(tmp_path):
    """A snapshot whose tables have a file each, without rows, as their schemas say."""
    for name, table in PUBLISHED.items():
        (tmp_path / "tables" / name).mkdir(parents=True)
        table.stored.to_frame().write_parquet(tmp_path / "tables" / name / "one.parquet")
    return tmp_path


def test_files_that_are_as_their_schemas_say(folder):
    assert tables_unlike_their_schema(folder) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda rows: rows.with_columns(pl.col("plassert_beloep").cast(pl.Decimal(38, 0))),
        lambda rows: rows.with_columns(more=1),
        lambda rows: rows.drop("post"),
        lambda rows: rows.rename({"post": "posten"}),
        lambda rows: rows.select("post", pl.exclude("post")),
    ],
    ids=["type", "more", "fewer", "name", "order"],
)
def test_a_file_that_is_not_as_its_schema_says(folder, spoil):
    for name in ("one", "another"):
        rows = spoil(PUBLISHED["plassering"].stored.to_frame())
        rows.write_parquet(folder / "tables" / "plassering" / f"{name}.parquet")
    assert tables_unlike_their_schema(folder) == ["plassering"]


def test_every_table_in_segments_has_a_schema():
    assert {"part", *(name for segments in SEGMENTS for name in segments.tables)} == set(PUBLISHED)


def test_every_delivered_column_is_published_or_left_out_on_purpose():
    left_out = {
        name: set(table.names) - {column.name for column in PUBLISHED[name].columns} for name, table in TABLES.items()
    }
    assert {name: columns for name, columns in left_out.items() if columns} == {
        "innbetaling": {"fra_iban"},  # personal
        "plassering": {"kravforfallsidentifikator"},  # which end that is tells ``ende``
    }


def test_every_column_is_told_once_in_one_sentence():
    for table in PUBLISHED.values():
        assert len({column.name for column in table.columns}) == len(table.columns)
        for column in table.columns:
            assert column.told
            assert "|" not in column.told
            assert "." not in column.told


# what rows refer to


def test_what_leads_to_parts_is_what_the_contract_says():
    """Section 2, Held back: the row's own part, and that of the krav, due date, payment or payout that it refers to."""
    assert REFERENCES == ("part", "kravidentifikator", "kravforfallsidentifikator", "motpost")
    assert {name: columns for name, columns in REFERRED_TO_BY.items() if columns} == {
        "krav": ("kravidentifikator",),
        "kravforfall": ("kravforfallsidentifikator", "motpost"),
        "innbetaling": ("motpost",),
        "utbetaling": ("motpost",),
    }
    assert WITH_PART == ("krav", "innbetaling", "utbetaling")
    assert TABLES["part"].references == ("innehaver",)


def test_refused_rows_of_accepted_deliveries_keep_their_columns():
    """They lie in homes: in another order, a home is of another form."""
    before, after = ["tabell", "noekkel", "fil", "rad", "koder"], ["slettet", "beloep"]
    assert REFUSED_SCHEMA.names() == [
        *before,
        "part",
        "kravidentifikator",
        "kravforfallsidentifikator",
        "motpost",
        *after,
    ]


def test_columns_that_seldom_repeat():
    assert {
        *("kravidentifikator", "kravforfallsidentifikator", "innbetalingsidentifikator", "utbetalingsidentifikator"),
        *("plasseringsidentifikator", "motpost"),
    } == UNIQUE
