"""One bucket: its index rows, its table rows in the segment that a new date may or may not move, its documents."""

import json

import polars as pl
import pytest

from schemas.snapshot import TableReceipt
from schemas.store import KINDS, open_krav
from tests.build.building import DELIVERED, HISTORY, OVERSIKT, S, bucket, built, start, texts
from tests.manifests import accepted
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, utbetaling
from transforms.build.bucket import Delivered, placement_ends, storable, with_delivered, with_places
from transforms.build.far_ends import placements

STATEMENT = (
    *(part("A"), krav("SETTLED", "A", 60, kravgruppe="Betalt"), kravforfall("F1", "SETTLED", 60, "2026-01-15")),
    *(innbetaling("I", "A", 100), plassering("P", "INNBETALING", "F1", "I", 60)),
    *(krav("OPEN", "A", 36_501), kravforfall("F2", "OPEN", 36_500, "2026-11-18")),
    *(kravforfall("F3", "OPEN", 1, "2026-11-18"), plassering("Q", "INNBETALING", "F3", "I", 1)),
    part("WITHOUT"),
)
"""A has paid one krav, has one open since five days, of which one due date is settled, and 39 unplaced."""


@pytest.fixture
def made(tmp_path):
    making = start(tmp_path)
    return making.snapshot, built(making, bucket(*STATEMENT), 7)


def rows(snapshot, table, column):
    """The rows of the table in the bucket's segment of the column."""
    (path,) = (
        path
        for path in (snapshot / "tables" / table).glob("*.parquet")
        if path.stem.endswith("-oversikt") == (column == OVERSIKT)
    )
    return pl.read_parquet(path)


def test_the_index_rows_of_overviews_and_histories(made):
    snapshot, of = made
    assert of.part["part"].to_list() == of.oversikter["part"].to_list() == of.histories["part"].to_list()
    assert of.part["part"].to_list() == ["A", "WITHOUT"]
    assert of.oversikter["snapshotdato"].to_list() == [S, S]
    assert of.oversikter[OVERSIKT].to_list() == [f"{snapshot.name}-0007-oversikt"] * 2
    assert of.histories[HISTORY].to_list() == [f"{snapshot.name}-0007"] * 2
    antall = of.histories.select("krav_antall", "krav_aapne", "innbetalinger_antall", "utbetalinger_antall")
    assert antall.rows() == [(2, 1, 1, 0), (0, 0, 0, 0)]
    assert of.packed_bytes == sum(path.stat().st_size for path in (snapshot / "documents").glob("*.zst"))


def test_the_documents(made):
    snapshot, of = made
    oversikt, empty = map(json.loads, texts(snapshot, of.oversikter, "oversikt"))
    assert [one["kravidentifikator"] for one in oversikt["aapentKravMedGjenstaaendeBeloep"]] == ["OPEN"]
    assert oversikt["totalOversikt"] == {
        "stipulerteRenter": 50.0,  # ten percent of 36 500 in five days
        "forfalteKrav": 36_500.0,
        "ikkeForfalteKrav": 0.0,
        "uplasserteInnbetalinger": -39.0,
        "saldo": 36_511.0,
    }
    assert [group["kravgruppe"] for group in oversikt["oversiktPerKravgruppe"]] == ["Andre krav"]
    assert empty["forespurtPart"] == "WITHOUT" and not empty["aapentKravMedGjenstaaendeBeloep"]
    (history,) = texts(snapshot, of.histories, "krav")
    assert b'"SETTLED"' in history and b'"OPEN"' not in history  # whose text stands in the overview


def test_the_bytes_of_all_documents(made):
    """An open krav counts twice, for a history shows it too, though its text stands in the overview only."""
    snapshot, of = made
    overviews = texts(snapshot, of.oversikter, "oversikt")
    histories = [text for kind in KINDS if kind != "oversikt" for text in texts(snapshot, of.histories, kind)]
    (open_one,) = open_krav(overviews[0])
    assert of.raw_bytes == sum(map(len, [*overviews, *histories, open_one]))


def test_what_a_new_date_may_move_lies_with_the_overviews(made):
    """That is open krav, and due dates of which something remains."""
    snapshot, _ = made
    assert rows(snapshot, "krav", HISTORY)["kravidentifikator"].to_list() == ["SETTLED"]
    assert rows(snapshot, "krav", OVERSIKT)["kravidentifikator"].to_list() == ["OPEN"]
    assert rows(snapshot, "kravforfall", HISTORY)["kravforfallsidentifikator"].to_list() == ["F3", "F1"]
    assert rows(snapshot, "kravforfall", OVERSIKT)["kravforfallsidentifikator"].to_list() == ["F2"]
    assert "forfalt" not in rows(snapshot, "kravforfall", OVERSIKT).columns
    assert rows(snapshot, "oversikt", OVERSIKT).select("forespurt_part", "saldo").rows() == [
        *(("A", 3_651_100), ("WITHOUT", 0)),
    ]
    assert rows(snapshot, "innbetaling", HISTORY)["uplassert_beloep"].to_list() == [3_900]


def test_a_credit_of_which_something_remains_lies_there_too(tmp_path):
    making = start(tmp_path)
    built(making, bucket(part("A"), krav("C", "A", -5), kravforfall("G", "C", -5, S)))
    assert rows(making.snapshot, "kravforfall", OVERSIKT)["kravforfallsidentifikator"].to_list() == ["G"]


@pytest.mark.parametrize("missing", ["part", "krav"])
def test_what_a_post_names_must_be_in_its_bucket(missing):
    """Nothing else may be shown in its place."""
    tables = bucket(*STATEMENT)
    with pytest.raises(ValueError, match="not in the bucket"):
        with_places(tables | {missing: tables[missing].clear()})


def test_due_dates_lie_by_part_krav_date_and_identifier():
    said = (
        *(part("A"), part("B"), krav("K1", "B", 1), krav("K3", "A", 1), krav("K2", "A", 3)),
        *(kravforfall("F1", "K1", 1, "2026-01-01"), kravforfall("F2", "K3", 1, "2026-01-01")),
        *(kravforfall("F3", "K2", 1, S), kravforfall("F5", "K2", 1, "2026-01-15")),
        kravforfall("F4", "K2", 1, "2026-01-15"),
    )
    dues = with_places(bucket(*said))["kravforfall"]
    assert dues["kravforfallsidentifikator"].to_list() == ["F4", "F5", "F3", "F2", "F1"]


def test_a_bucket_without_posts(tmp_path):
    making = start(tmp_path)
    of = built(making, bucket(part("A")))
    assert of.oversikter.height == of.histories.height == 1
    assert of.histories.select(f"{kind}_length" for kind in KINDS if kind != "oversikt").row(0) == (0, 0, 0)
    assert rows(making.snapshot, "krav", HISTORY).is_empty()


def ends_of(*said):
    tables = with_places(bucket(*said))
    return placement_ends(tables | with_delivered(tables, Delivered(DELIVERED)) | placements(tables))


def test_every_placement_is_told_from_each_of_its_ends():
    said = (
        *(part("A"), part("B"), krav("K", "A", 9), kravforfall("F", "K", 9, S)),
        *(krav("C", "B", -9), kravforfall("G", "C", -9, S), innbetaling("I", "B", 1), utbetaling("U", "B", 2)),
        plassering("PI", "INNBETALING", "F", "I", 1),
        plassering("PM", "MOTKRAV", "F", "G", 1),
        plassering("PU", "UTBETALING", "G", "U", 2),
    )
    ends = ends_of(*said).select("plasseringsidentifikator", "part", "ende", "post", "motpost")
    assert ends.rows() == [
        ("PI", "A", "kravforfall", "F", "I"),
        ("PM", "A", "kravforfall", "F", "G"),
        ("PI", "B", "motpost", "I", "F"),
        ("PM", "B", "motpost", "G", "F"),
        ("PU", "B", "kravforfall", "G", "U"),
        ("PU", "B", "motpost", "U", "G"),
    ]


def test_rows_say_which_delivery_they_are_from():
    """The rows of the first delivery come first, those refused when it was accepted apart."""
    receipt = {"rader": 3, "refused": 1, "removed": 1, "oere": 0, "failing": {}}
    used = [
        accepted("mva", 1, type="full", receipt={"krav": TableReceipt(**receipt)}),
        accepted("mva", 3, receipt={"innbetaling": TableReceipt(**receipt), "krav": TableReceipt(**receipt)}),
        accepted("skatt", 2, type="full", receipt={"krav": TableReceipt(**receipt)}),
    ]
    by = Delivered(used).by("krav", pl.Series([0, 5, 2, 1, 4, 3], dtype=pl.UInt32))
    assert by["kilde"].to_list() == ["mva", "skatt", "mva", "mva", "skatt", "mva"]
    assert by["leveransenummer"].to_list() == [1, 2, 3, 1, 2, 3]
    assert Delivered(used).by("innbetaling", pl.Series([0], dtype=pl.UInt32))["leveransenummer"].to_list() == [3]


def test_of_a_placement_within_one_part_the_due_dates_end_is_told_first():
    """However many there are: few are in order by themselves."""
    paid = [plassering(f"P{n}", "INNBETALING", "F", "I", 1) for n in range(40)]
    said = part("A"), krav("K", "A", 40), kravforfall("F", "K", 40, S), innbetaling("I", "A", 40)
    assert ends_of(*said, *paid)["ende"].to_list() == ["kravforfall", "motpost"] * 40


def test_large_sums_are_stored_as_decimals(tmp_path):
    """Parquet has no integers of 128 bits."""
    stored = storable(pl.DataFrame({"saldo": [-(10**30), 7]}, schema={"saldo": pl.Int128}), "a-segment")
    stored.write_parquet(tmp_path / "rows.parquet")
    read = pl.read_parquet(tmp_path / "rows.parquet")
    assert read.schema == {"saldo": pl.Decimal(38, 0), "segment": pl.String}
    assert read["saldo"].cast(pl.Int128).to_list() == [-(10**30), 7]
