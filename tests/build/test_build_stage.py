"""The stage ``build`` by itself: every part comes by its documents in the way that ``spread`` says."""

from datetime import timedelta

import polars as pl
import pytest

from schemas.receipts import AcceptReceipt, CheckReceipt, SpreadReceipt
from schemas.report import AcceptCounts, CheckCounts, SpreadCounts
from schemas.store import KINDS
from tests.build.building import DELIVERED, S, bucket, texts
from tests.plain.statement import innbetaling, krav, kravforfall, part
from transforms.build.stage import build
from transforms.home.report import StoppedError
from transforms.home.snapshot import PART_TABLE, read_index
from transforms.receipts import night_of

A, B, C, D = "300000118", "300000207", "300000304", "300000401"
LETTERS = {A: "A", B: "B", C: "C", D: "D"}
TONIGHT = S + timedelta(days=2)
BEFORE = (
    *(part(A), part(B), part(C)),
    *(row for whose in (A, B, C) for row in (krav(f"K{whose}", whose, 9), kravforfall(f"F{whose}", f"K{whose}", 9, S))),
)


@pytest.fixture
def run(small):
    """A run of two days after the snapshot that is published."""
    small.publish(*BEFORE)
    return small.settings(day=TONIGHT)


def built(run, *said, all_because="", lost=(), told=lambda _: None, **ways):
    """The stage over what ``spread`` left: the posts in one bucket, and the ways of the parts by their letters."""
    for name, frame in bucket(*said).items() if said else ():
        folder = run.posts / name / "bucket=0"
        folder.mkdir(parents=True)
        frame.clear().write_parquet(run.posts / f"{name}.parquet")
        frame.write_parquet(folder / "0.parquet")
    run.parts.parent.mkdir(parents=True, exist_ok=True)
    numbers = {letter: number for number, letter in LETTERS.items()}
    rows = [(numbers[letter], way, True) for letter, way in ways.items()]
    pl.DataFrame(rows, ["part", "way", "known"], orient="row").write_parquet(run.parts)
    accepted = AcceptReceipt(
        night=night_of(run), used={"mva": DELIVERED}, accepted=[], refusals=[], lost=list(lost), counts=AcceptCounts()
    )
    checked = CheckReceipt(said={}, rows={}, all_because=all_because, reports=[], counts=CheckCounts())
    spread = SpreadReceipt(expected={}, counts=SpreadCounts(buckets=1 if said else 0))
    return build(run, accepted, checked, spread, told)


def dates(run):
    """The date of every part's documents, by letter."""
    index = read_index(run.snapshot(run.name))
    return {LETTERS[part]: day for part, day in index.select("part", "snapshotdato").iter_rows()}


def test_a_first_snapshot_has_the_built_parts_and_knows_the_others(small):
    run = small.settings()
    left = built(run, part(A), innbetaling("I", A, 5), A="build", B="held back")
    assert dates(run) == {"A": S, "B": None}
    assert pl.read_parquet(run.snapshot(run.name) / PART_TABLE)["part"].to_list() == [A]
    assert (left.snapshot, left.stops) == (f"{S}-0001", [])
    counts = left.counts
    assert (counts.parts, counts.built_parts, counts.parts_without_documents, counts.documents) == (1, 1, 1, 4)
    assert counts.posts_in_documents == {"krav": 0, "innbetalinger": 1, "utbetalinger": 0}
    files = (run.snapshot(run.name) / "documents").glob("*.zst")
    assert counts.stored_bytes == sum(path.stat().st_size for path in files)


def test_each_part_by_its_way(run):
    """Built, redated, held back: the last has the date that it had."""
    said = part(A), krav("NEW", A, 5), kravforfall("F-NEW", "NEW", 5, S)
    left = built(run, *said, A="build", B="redate", C="held back")
    assert dates(run) == {"A": TONIGHT, "B": TONIGHT, "C": S}
    folder = run.snapshot(run.name)
    a, b, c = texts(folder, read_index(folder), "oversikt")
    assert b'"NEW"' in a and f'"K{A}"'.encode() not in a
    assert b'"forfalteKrav":9.00' in b  # due on S, overdue since
    assert b'"ikkeForfalteKrav":9.00' in c
    counts = left.counts
    assert (counts.built_parts, counts.redated_parts, counts.same_parts, counts.held_back_parts) == (1, 1, 0, 1)


def test_who_is_the_same_has_the_same_documents_of_tonight(run):
    left = built(run, A="same", B="same", C="same")
    folder, before = run.snapshot(run.name), run.previous()
    assert set(dates(run).values()) == {TONIGHT}
    for kind in KINDS:
        assert texts(folder, read_index(folder), kind) == texts(before, read_index(before), kind)
    for path in (before / "documents").glob("*.zst"):
        assert (folder / "documents" / path.name).samefile(path)
    assert (left.counts.same_parts, left.counts.built_parts, left.counts.json_bytes) == (3, 0, 0)


def test_when_all_is_made_anew_nothing_is_linked(run):
    built(run, part(A), all_because="asked for", A="build", B="held back", C="held back")
    names = {path.name for path in (run.previous() / "documents").glob("*.zst")}
    assert names.isdisjoint(path.name for path in (run.snapshot(run.name) / "documents").iterdir())
    assert dates(run) == {"A": TONIGHT, "B": S, "C": S}


def test_documents_that_are_lost_are_not_carried_over(run):
    segment = read_index(run.previous())["segment"][0]
    left = built(
        run,
        part(A),
        part(B),
        all_because="lost",
        lost=[f"documents/{segment}.zst"],
        A="build",
        B="build",
        C="held back",
    )
    assert dates(run) == {"A": TONIGHT, "B": TONIGHT, "C": None}
    assert (left.counts.held_back_parts, left.counts.parts_without_documents) == (0, 1)


def test_overviews_that_cannot_be_read_stop_the_night(run):
    (path,) = (run.previous() / "documents").glob("*-oversikt.zst")
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(StoppedError, match=r"L3-HOME-DAMAGED .*: run with --full"):
        built(run, A="redate", B="redate", C="redate")


def test_a_table_of_another_form_is_a_reason_to_stop(small, monkeypatch):
    monkeypatch.setattr("transforms.home.snapshot.tables_unlike_their_schema", lambda _: ["krav"])
    left = built(small.settings(), part(A), A="build")
    assert [(stop.code, stop.message) for stop in left.stops] == [("L3-SCHEMA", "krav")]


def test_how_far_it_is_is_told(run):
    told = []
    built(run, part(A), told=told.append, A="build", B="redate", C="redate")
    assert told == ["documents 1 of 2 segments", "documents 2 of 2 segments"]
