"""The stage ``accept``: what is new in the inbox is taken in, and what is in force is chosen (level 1)."""

import shutil
from collections.abc import Callable
from datetime import datetime

from schemas.receipts import AcceptReceipt
from schemas.refusals import Refusal
from schemas.report import AcceptCounts
from schemas.snapshot import OSLO, SnapshotManifest
from schemas.tables import TABLES
from transforms import stops
from transforms.accept.sources import choose
from transforms.home import retained, snapshot
from transforms.home.report import StoppedError, by_code
from transforms.receipts import night_of
from transforms.run import Settings


def accept(run: Settings, progress: Callable[[str], None]) -> AcceptReceipt:
    """Takes in and chooses the deliveries, and removes what earlier nights have left. Raises ``StoppedError``."""
    shutil.rmtree(run.nights, ignore_errors=True)
    _stop_for(stops.unreadable_inbox(run.inbox))
    before, damaged, changed = _before(run)
    if not run.allow_date:
        published = before.snapshotdato if before else None
        _stop_for(stops.unasked_date(run.snapshot_date, published, datetime.now(OSLO).date()))
    sources = choose(run.inbox, run.deliveries, retained.accepted_in(run.path), progress, run.workers)
    gone = {delivery.kilde for delivery in (before.used if before else [])} - sources.used.keys()
    reasons = stops.unusable_sources(sources.used, gone, sources.lost, run.snapshot_date, run.oldest_of)
    if not run.allow_date:
        reasons += stops.date_before_extracts(sources.used, run.snapshot_date)
    refusals = [*sources.refusals, *changed]
    return AcceptReceipt(
        night=night_of(run),
        used=sources.used,
        accepted=sources.accepted,
        refusals=refusals,
        lost=[name for name in damaged if name.startswith("documents/")],
        stops=reasons,
        counts=AcceptCounts(
            accepted=len(sources.new),
            used=len(sources.in_force),
            refused=sources.refused,
            refused_by_code=by_code(sources.refusals, 1),
            reported_by_code=by_code(refusals, 0),
            waiting=sources.waiting,
            rows={name: sum(one.rows(name) for one in sources.new) for name in TABLES},
        ),
    )


def _before(run: Settings) -> tuple[SnapshotManifest | None, list[str], list[Refusal]]:
    """The manifest of the published snapshot, which of its files are gone or damaged, and what is reported of it.

    Removes unpublished ones.
    """
    previous = run.previous()
    manifest = snapshot.read_manifest(previous) if previous else None
    retained.clean(run.path, run.keep)
    if previous is None or manifest is None:
        return None, [], []
    damaged = snapshot.damaged_files(previous, manifest)
    _stop_for(stops.damaged_home(damaged))
    changed = snapshot.analytics_changed(previous, manifest)
    return manifest, damaged, [Refusal(0, "R-ANALYTICS-CHANGED", previous.name)] if changed else []


def _stop_for(reasons: list[Refusal]) -> None:
    if reasons:
        raise StoppedError(reasons)
