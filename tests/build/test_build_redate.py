"""Parts of whom only the date is another: what a build of that date would write, made of the documents before."""

from datetime import timedelta

import polars as pl
import pytest
import zstandard

from tests.build.building import HISTORY, OVERSIKT, S, bucket, built, snapshot_of, start, texts
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering
from transforms.build import redate as redating
from transforms.build.redate import redate, redate_jobs
from transforms.home.snapshot import HomeDamagedError, read_index, write_index

STATEMENT = (
    *(part("E", "ENK", "O"), part("O", "PERSON"), part("V")),
    *(krav("K1", "O", 36_500), kravforfall("F1", "K1", 36_500, "2026-11-18")),  # bears ten a day
    *(krav("K2", "E", 700), kravforfall("F2", "K2", 700, "2026-11-24")),  # not overdue on the 24th, but on the 25th
    *(krav("K3", "E", 50), kravforfall("F3", "K3", 50, "2026-01-01")),  # paid
    *(innbetaling("I", "E", 80), plassering("P", "INNBETALING", "F3", "I", 50)),
)
PARTS = pl.DataFrame({"part": ["E", "O", "V"]})
LATER = S + timedelta(days=2)


@pytest.fixture
def previous(tmp_path):
    return snapshot_of(tmp_path, bucket(*STATEMENT))


def redated(tmp_path, previous, parts=PARTS, day=LATER):
    making = start(tmp_path, "0002", day)
    return making.snapshot, [redate(job) for job in redate_jobs(making, previous, parts)]


def test_the_overviews_are_those_of_a_build(tmp_path, previous):
    anew = start(tmp_path, "0003", LATER)
    expected = built(anew, bucket(*STATEMENT)).oversikter
    folder, (made,) = redated(tmp_path, previous)
    overviews = texts(folder, made.oversikter, "oversikt")
    assert overviews == texts(anew.snapshot, expected, "oversikt")
    assert made.oversikter.drop(OVERSIKT).equals(expected.drop(OVERSIKT))
    assert b'"stipulerteRenter":70.00,' in overviews[1]  # seven days after its due date, where it was 50
    assert b'"forfalteKrav":37200.00,"ikkeForfalteKrav":0.00,"uplasserteInnbetalinger":-30.00' in overviews[0]
    assert made.raw_bytes == sum(map(len, overviews))


@pytest.mark.parametrize("table", ["krav", "kravforfall", "oversikt", "oversikt_per_kravgruppe"])
def test_the_rows_that_move_are_those_of_a_build(tmp_path, previous, table):
    anew = start(tmp_path, "0003", LATER)
    built(anew, bucket(*STATEMENT))
    folder, _ = redated(tmp_path, previous)
    (now,) = (folder / "tables" / table).glob("*.parquet")
    (expected,) = (anew.snapshot / "tables" / table).glob("*-oversikt.parquet")
    assert pl.read_parquet(now).drop("segment").equals(pl.read_parquet(expected).drop("segment"))


def test_of_a_segment_only_the_parts_asked_for(tmp_path, previous):
    folder, (made,) = redated(tmp_path, previous, PARTS.tail(1))
    assert made.oversikter["part"].to_list() == ["V"]
    (oversikter,) = (folder / "tables" / "oversikt").glob("*.parquet")
    assert pl.read_parquet(oversikter)["forespurt_part"].to_list() == ["V"]


def test_small_segments_are_put_together_up_to_a_jobs_worth(tmp_path, monkeypatch):
    """But of a segment all are in one job, for a household is."""
    buckets = [bucket(part(f"{name}1"), part(f"{name}2")) for name in "ABC"]
    previous = snapshot_of(tmp_path, *buckets)
    parts = read_index(previous).select("part")
    making = start(tmp_path, "0002", LATER)
    assert [job.part["part"].to_list() for job in redate_jobs(making, previous, parts)] == [parts["part"].to_list()]
    monkeypatch.setattr(redating, "PARTS_PER_JOB", 3)
    jobs = list(redate_jobs(making, previous, parts))
    assert [job.part["part"].to_list() for job in jobs] == [["A1", "A2", "B1", "B2"], ["C1", "C2"]]
    assert [job.number for job in jobs] == [0, 1]
    assert all(job.index["part"].equals(job.part["part"]) for job in jobs)


def test_nobody_is_redated(tmp_path, previous):
    assert redated(tmp_path, previous, PARTS.clear())[1] == []


def indexed(previous, **changed):
    """The previous snapshot's index with other values."""
    index = read_index(previous).with_columns(**changed)
    histories = index.drop("snapshotdato", "innehaver", OVERSIKT, "^oversikt_.*$")
    oversikter = index.select("part", "snapshotdato", OVERSIKT, "^oversikt_(offset|length|antall)$")
    write_index(previous, [oversikter], [histories], index.select("part", "innehaver"), index["part"])


def test_overviews_that_list_other_krav_than_the_index_says(tmp_path, previous):
    assert read_index(previous)[HISTORY].n_unique() == 1
    indexed(previous, krav_aapne=pl.col("krav_aapne") + 1)
    with pytest.raises(HomeDamagedError, match="list other krav than its index says"):
        redated(tmp_path, previous)


def rewritten(previous, table, rows):
    """A table of the overviews' segment of the previous snapshot with other rows."""
    (path,) = (previous / "tables" / table).glob("*-oversikt.parquet")
    rows(pl.read_parquet(path)).write_parquet(path)


@pytest.mark.parametrize("tables", [["krav"], ["kravforfall", "krav"]])
def test_tables_with_other_open_krav_than_the_overviews(tmp_path, previous, tables):
    """K2 is gone, and its due date stays or is gone too."""
    for table in tables:
        rewritten(previous, table, lambda rows: rows.filter(kravidentifikator="K1"))
    with pytest.raises(HomeDamagedError, match="other open krav in its tables"):
        redated(tmp_path, previous)


def test_a_due_date_of_another_krav_than_the_tables_have(tmp_path, previous):
    rewritten(previous, "kravforfall", lambda rows: rows.with_columns(kravidentifikator=pl.lit("K9")))
    with pytest.raises(HomeDamagedError, match="other open krav in its tables"):
        redated(tmp_path, previous)


def test_tables_with_other_interest_than_the_overviews(tmp_path, previous):
    rewritten(previous, "krav", lambda rows: rows.with_columns(pl.col("stipulerte_renter") + 1))
    with pytest.raises(HomeDamagedError, match="other interest than its tables"):
        redated(tmp_path, previous)


def test_overviews_that_cannot_be_read(tmp_path, previous):
    (path,) = (previous / "documents").glob("*-oversikt.zst")
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(HomeDamagedError, match="cannot be read"):
        redated(tmp_path, previous)


def test_overviews_that_are_other_documents(tmp_path, previous):
    (path,) = (previous / "documents").glob("*-oversikt.zst")
    path.write_bytes(zstandard.compress(b"{}"))
    indexed(previous, oversikt_offset=pl.lit(0), oversikt_length=pl.lit(path.stat().st_size))
    with pytest.raises(HomeDamagedError, match="cannot be read"):
        redated(tmp_path, previous)
