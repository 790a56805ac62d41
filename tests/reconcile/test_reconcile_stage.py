"""The stage ``reconcile`` by itself: what the posts add up to is held to what the documents do, to the øre."""

import polars as pl
import pytest

from schemas.receipts import BuildReceipt, CheckReceipt, SpreadReceipt
from schemas.report import BuildCounts, CheckCounts, SpreadCounts
from schemas.snapshot import Reconciliation
from tests.build.building import bucket, snapshot_of
from tests.plain.statement import innbetaling, krav, kravforfall, part
from transforms.home.snapshot import read_index
from transforms.reconcile.stage import reconcile
from transforms.reconcile.totals import from_documents

A, B = "300000118", "300000207"
STATEMENT = (part(A), krav("K", A, 5), kravforfall("F", "K", 5, "2026-01-15"), part(B), innbetaling("I", B, 7))
ROWS = {"said": 5, "accepted": 5, "quarantined": 0}


@pytest.fixture
def built(small):
    """A run whose documents are built, and by which way its parts come by theirs."""
    run = small.settings()
    snapshot_of(run.path, bucket(*STATEMENT), run=run.run)
    say(run, A="build", B="build")
    return run


def say(run, **ways):
    """What ``spread`` has left."""
    run.parts.parent.mkdir(parents=True, exist_ok=True)
    rows = [({"A": A, "B": B}[letter], way, True) for letter, way in ways.items()]
    pl.DataFrame(rows, ["part", "way", "known"], orient="row").write_parquet(run.parts)


def totals(run, *parts):
    folder = run.snapshot(run.name)
    index = read_index(folder).filter(pl.col("part").is_in(parts))
    return from_documents(folder, index, run.snapshot_date, 1).totals


def reconciled(run, expected, rows=ROWS):
    checked = CheckReceipt(said={}, rows=rows, all_because="", reports=[], counts=CheckCounts())
    spread = SpreadReceipt(expected=expected, counts=SpreadCounts())
    return reconcile(run, checked, spread, BuildReceipt(snapshot=run.name, counts=BuildCounts()))


def test_both_routes_agree(built):
    expected = totals(built, A, B)
    left = reconciled(built, expected)
    assert left.stops == []
    assert left.reconciliation == Reconciliation(posts=expected, documents=expected, contradictions=0, rows=ROWS)
    assert (left.counts.totals, left.counts.differences, left.counts.contradictions) == (len(expected), 0, 0)


def test_a_single_oere_is_a_reason_to_stop_and_so_is_a_row_too_few(built):
    expected = totals(built, A, B)
    wrong = expected | {"sum_krav": expected["sum_krav"] + 1}
    left = reconciled(built, wrong, ROWS | {"accepted": 4})
    assert [(stop.code, stop.message) for stop in left.stops] == [
        ("L3-RECONCILE", "sum_krav is 501 by the posts, 500 by the documents"),
        ("L3-RECONCILE", "4 accepted and 0 quarantined rows are not the 5 that the sources say"),
    ]
    assert left.counts.differences == 2
    assert (left.reconciliation.posts["sum_krav"], left.reconciliation.documents["sum_krav"]) == (501, 500)


def test_documents_that_are_not_as_the_index_says_are_a_reason_to_stop(built):
    expected, folder = totals(built, A, B), built.snapshot(built.name)
    index = read_index(folder).with_columns(innbetalinger_antall=pl.col("innbetalinger_antall") + 1)
    path = folder / "documents" / "index.arrow"
    index.write_ipc(path.with_suffix(".new"), compat_level=pl.CompatLevel.oldest())
    path.with_suffix(".new").replace(path)  # what was read is mapped from the old one
    left = reconciled(built, expected)
    assert left.counts.contradictions > 0
    assert {stop.code for stop in left.stops} == {"L3-RECONCILE"}


@pytest.mark.parametrize("way", ["same", "held back"])
def test_documents_that_are_carried_over_are_not_read(built, way):
    say(built, A="build", B=way)
    assert reconciled(built, totals(built, A)).stops == []
    say(built, A=way, B=way)
    left = reconciled(built, {})
    assert (left.stops, left.reconciliation.documents) == ([], {})


def test_of_redated_parts_the_histories_are_those_of_the_previous_snapshot(small, built):
    """B's payment stands in its history: by the table of the snapshot before it is of 7 kroner."""
    say(built, A="build", B="redate")
    small.publish(*STATEMENT)
    left = reconciled(built, totals(built, A, B))
    assert (left.stops, left.reconciliation.documents["sum_innbetaling"]) == ([], -700)


def test_redated_parts_of_whom_the_previous_snapshot_has_other_posts(small, built):
    """And whose overviews so list something else."""
    say(built, A="build", B="redate")
    small.publish(*STATEMENT[:-1], innbetaling("I", B, 8))
    left = reconciled(built, totals(built, A, B))
    assert left.reconciliation.documents["sum_innbetaling"] == -800
    assert left.reconciliation.contradictions == 1
    assert {stop.code for stop in left.stops} == {"L3-RECONCILE"}
