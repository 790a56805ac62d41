"""The stage ``reconcile``: the control totals by two routes, to the øre (CONTRACT section 5)."""

import polars as pl

from schemas.receipts import BuildReceipt, CheckReceipt, ReconcileReceipt, SpreadReceipt
from schemas.report import ReconcileCounts
from schemas.snapshot import Reconciliation
from transforms.home.snapshot import read_index
from transforms.reconcile.totals import ReadBack, differences, from_documents, together
from transforms.reconcile.unchanged import listed_otherwise, totals_of_histories, without_histories
from transforms.run import Settings
from transforms.stops import stop


def reconcile(run: Settings, checked: CheckReceipt, spread: SpreadReceipt, built: BuildReceipt) -> ReconcileReceipt:
    """Holds what the built documents add up to, as they are stored, to what ``spread`` expects of the posts."""
    read = _read_back(run, built.snapshot)
    differ = list(differences(spread.expected, read, checked.rows))
    return ReconcileReceipt(
        reconciliation=Reconciliation(
            posts=spread.expected, documents=read.totals, contradictions=read.contradictions, rows=checked.rows
        ),
        stops=[stop("L3-RECONCILE", text) for text in differ],
        counts=ReconcileCounts(
            totals=len(spread.expected), differences=len(differ), contradictions=read.contradictions
        ),
    )


def _read_back(run: Settings, name: str) -> ReadBack:
    """Of what was made tonight, what is new is added up; what stayed is held to where it is from."""
    folder, previous = run.snapshot(name), run.previous()
    parts = pl.read_parquet(run.parts)
    made = read_index(folder).join(parts.filter(pl.col("way").is_in(["build", "redate"])), on="part", how="semi")
    if made.is_empty():
        return ReadBack({}, 0)
    redated = parts.filter(way="redate").select("part")
    read = from_documents(folder, without_histories(made, redated), run.snapshot_date, run.workers)
    if previous is None or redated.is_empty():
        return read
    rows = made.join(redated, on="part", how="semi")
    otherwise = listed_otherwise(folder, previous, rows, run.workers)
    return together([read, ReadBack(totals_of_histories(previous, redated), otherwise)])
