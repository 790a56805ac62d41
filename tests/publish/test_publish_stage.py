"""The stage ``publish`` by itself: a snapshot is whole before anybody is led to it, and what stops a night stops it."""

from datetime import datetime, timedelta

import duckdb
import polars as pl
import pytest

from schemas.receipts import (
    AcceptReceipt,
    BuildReceipt,
    CheckReceipt,
    ReconcileReceipt,
    SpreadReceipt,
)
from schemas.refusals import Refusal
from schemas.report import AcceptCounts, BuildCounts, CheckCounts, ReconcileCounts, SpreadCounts
from schemas.snapshot import Reconciliation
from tests.build.building import bucket, snapshot_of
from tests.manifests import accepted
from tests.plain.statement import part
from transforms.home.findings import findings
from transforms.home.report import StoppedError
from transforms.home.snapshot import (
    FINDINGS,
    HELD_BACK,
    LED_TO,
    MANIFEST,
    QUARANTINED,
    REFUSED_ROWS,
    SAME,
    checksums,
    read_json,
    read_manifest,
)
from transforms.publish.stage import publish
from transforms.receipts import Left, night_of
from transforms.stops import stop

A, HELD = "300000118", "300000207"
COPIED = (QUARANTINED, SAME)
TEXTS = ("tabell", "noekkel", "kilde", "fil", "part", "kravidentifikator", "kravforfallsidentifikator", "motpost")
REFUSED = dict.fromkeys(TEXTS, pl.String) | {"koder": pl.List(pl.String), "slettet": pl.Boolean}
REFUSED |= dict.fromkeys(("avvist", "leveransenummer", "rad", "beloep", "rot"), pl.Int64)
LED = {"part": pl.String, "gjennom": pl.String, "avvist": pl.Int64}
OLD, NEW = accepted("mva", 1, "2026-11-20T12:00:00Z", type="full"), accepted("mva", 2, "2026-11-23T12:00:00Z")
OTHER = accepted("skatt", 7, "2026-11-22T12:00:00Z", type="full")
TOTALS = Reconciliation(posts={"sum_krav": 5}, documents={"sum_krav": 5}, contradictions=0, rows={"said": 1})


@pytest.fixture
def run(small):
    """A run whose snapshot is built, and what ``check`` has left."""
    run = small.settings()
    snapshot_of(run.path, bucket(part(A)), run=run.run)
    run.checked.mkdir(parents=True)
    for name in COPIED:
        pl.DataFrame({"of": [name]}).write_parquet(run.checked / name)
    pl.DataFrame({"part": [HELD]}).write_parquet(run.checked / HELD_BACK)
    pl.DataFrame([], REFUSED).write_parquet(run.checked / REFUSED_ROWS)
    pl.DataFrame([], LED).write_parquet(run.checked / LED_TO)
    findings([Refusal(2, "L2-CLAIM-SUM", "", tabell="krav")]).write_parquet(run.checked / FINDINGS)
    (run.deliveries / NEW.folder).mkdir(parents=True)
    (run.deliveries / OTHER.folder).mkdir(parents=True)
    return run


def left_for(run, **stops):
    """What every stage before has left; ``stops``: the code of a reason, by stage."""
    left = Left(
        accept=AcceptReceipt(
            night=night_of(run),
            used={"mva": [OLD, NEW], "skatt": [OTHER]},
            accepted=[OLD],
            refusals=[Refusal(1, "L1-SHA256", "krav-1.csv", "mva", 3)],
            lost=[],
            counts=AcceptCounts(accepted=2),
        ),
        check=CheckReceipt(
            said={"mva": {"krav": 1}},
            rows={"said": 1},
            all_because="",
            reports=[Refusal(0, "R-RATES-OLD", "the last one")],
            counts=CheckCounts(held_back=1),
        ),
        spread=SpreadReceipt(expected={"sum_krav": 5}, counts=SpreadCounts(buckets=1)),
        build=BuildReceipt(snapshot=run.name, counts=BuildCounts(parts=1)),
        reconcile=ReconcileReceipt(reconciliation=TOTALS, counts=ReconcileCounts(totals=1)),
    )
    for stage, code in stops.items():
        left[stage] = left[stage].model_copy(update={"stops": [stop(code, "")]})
    return left


def published(run, left=None, hold_lock=lambda: None):
    return publish(run, left_for(run) if left is None else left, hold_lock)


def test_readers_are_led_to_the_snapshot(run):
    left = published(run)
    assert run.previous() == run.snapshot(run.name)
    assert (run.path / "analytics.duckdb").readlink().as_posix() == "current/analytics.duckdb"
    with duckdb.connect(str(run.path / "analytics.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT part FROM part").fetchall() == [(A,)]
    assert left.counts.snapshot == run.name
    files = read_manifest(run.previous()).files
    assert (left.counts.files, left.counts.bytes) == (len(files), sum(file.bytes for file in files.values()))


def test_what_the_night_has_found_is_with_the_snapshot(run):
    published(run)
    folder = run.previous()
    assert pl.read_parquet(folder / FINDINGS)["kode"].to_list() == ["L1-SHA256", "R-RATES-OLD", "L2-CLAIM-SUM"]
    assert [pl.read_parquet(folder / name)["of"].item() for name in COPIED] == list(COPIED)
    assert pl.read_parquet(folder / HELD_BACK).rows() == [(HELD, run.snapshot_date)]
    assert read_json(folder / "reconciliation.json") == TOTALS.model_dump()


def test_the_manifest_says_what_the_snapshot_is_made_of(run):
    published(run)
    folder = run.previous()
    manifest = read_manifest(folder)
    assert (manifest.snapshot, manifest.run, manifest.snapshotdato) == (run.name, run.run, run.snapshot_date)
    assert (manifest.used, manifest.said) == ([OLD, NEW, OTHER], {"mva": {"krav": 1}})
    assert manifest.accepted == [OLD, NEW, OTHER]  # each once
    assert manifest.extracted_at == datetime.fromisoformat("2026-11-22T12:00:00Z")  # the oldest of the last
    assert manifest.made_with == night_of(run).made_with | {"code": manifest.made_with["code"]}
    assert list(manifest.stages.done()) == ["accept", "check", "spread", "build", "reconcile"]
    assert manifest.files == checksums(folder)
    assert manifest.reconciliation == TOTALS


@pytest.mark.parametrize(
    ("stage", "code"),
    [
        ("accept", "L3-SOURCE-OLD"),
        ("check", "L3-HELD-BACK"),
        ("build", "L3-SCHEMA"),
        ("reconcile", "L3-RECONCILE"),
    ],
)
def test_a_reason_to_stop_of_any_stage_stops_it(run, stage, code):
    with pytest.raises(StoppedError) as stopped:
        published(run, left_for(run, **{stage: code}))
    assert [reason.code for reason in stopped.value.reasons] == [code]
    assert run.previous() is None
    assert not (run.snapshot(run.name) / MANIFEST).exists()


def test_all_reasons_are_told(run):
    with pytest.raises(StoppedError) as stopped:
        published(run, left_for(run, check="L3-HELD-BACK", reconcile="L3-RECONCILE"))
    assert [reason.code for reason in stopped.value.reasons] == ["L3-HELD-BACK", "L3-RECONCILE"]


def test_nobody_is_led_to_a_snapshot_when_the_lock_is_lost(run):
    def lost():
        assert (run.snapshot(run.name) / MANIFEST).exists()  # at the last moment
        raise StoppedError([stop("L3-LOCK-LOST", "")])

    with pytest.raises(StoppedError):
        published(run, hold_lock=lost)
    assert not (run.path / "current").exists()


@pytest.mark.parametrize("what", ["link_analytics", "retained.clean"])
def test_what_is_left_to_tidy_does_not_undo_what_is_published(run, monkeypatch, what):
    def denied(*_):
        raise PermissionError

    monkeypatch.setattr(f"transforms.publish.stage.{what}", denied)
    published(run)
    assert run.previous() == run.snapshot(run.name)


def test_only_the_newest_snapshots_are_retained(small, run):
    before = small.publish(part(A), day=run.snapshot_date - timedelta(days=1))
    left = left_for(run)
    night = left.accept.night.model_copy(update={"previous": before.name})
    left["accept"] = left.accept.model_copy(update={"night": night})
    published(small.settings(keep=1), left)
    assert [folder.name for folder in (run.path / "snapshots").glob("*/")] == [run.name]
