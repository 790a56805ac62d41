"""The stage ``publish``: the snapshot is completed, and readers are switched to it."""

import contextlib
import shutil
from collections.abc import Callable
from datetime import UTC, datetime

import polars as pl

from schemas.receipts import PublishReceipt
from schemas.report import PublishCounts, Stages
from schemas.snapshot import SnapshotManifest
from schemas.store import STORE_VERSION
from transforms.home import history, retained, snapshot
from transforms.home.findings import findings
from transforms.home.report import StoppedError
from transforms.publish.analytics import link_analytics, write_analytics
from transforms.publish.held_back import since
from transforms.publish.views import Of
from transforms.receipts import Left
from transforms.rules import reference
from transforms.run import Settings


def publish(run: Settings, left: Left, hold_lock: Callable[[], None]) -> PublishReceipt:
    """Completes the snapshot and switches to it. Raises ``StoppedError`` when a stage had a reason to stop.

    ``left``: what every stage before has left. ``hold_lock`` raises when another run may have begun.
    """
    if reasons := [reason for receipt in left.values() for reason in receipt.stops]:
        raise StoppedError(reasons)
    accepted, checked, built, reconciled = left.accept, left.check, left.build, left.reconcile
    folder = run.snapshot(built.snapshot)
    found = findings([*accepted.refusals, *checked.reports], run.checked / snapshot.FINDINGS)
    found.write_parquet(folder / snapshot.FINDINGS)
    snapshot.write_json(folder / "reconciliation.json", reconciled.reconciliation.model_dump())
    for name in (snapshot.QUARANTINED, snapshot.SAME, snapshot.LED_TO, snapshot.REFUSED_ROWS):
        shutil.copyfile(run.checked / name, folder / name)
    held_back = since(pl.read_parquet(run.checked / snapshot.HELD_BACK), run.previous(), run.snapshot_date)
    held_back.write_parquet(folder / snapshot.HELD_BACK)
    manifest = _manifest(run, left)
    nights = {str(day): path.name for day, path in retained.by_date(run.path).items()}
    of = Of(run.path, run.deliveries, folder, accepted.in_force, nights, manifest.previous)
    write_analytics(of, manifest, reference.read_rates(run.rates), reference.read_kravtyper(run.kravtyper))
    for delivery in accepted.new:
        snapshot.make_durable(run.deliveries / delivery.folder)
    manifest = manifest.model_copy(update={"files": snapshot.checksums(folder, run.previous())})
    snapshot.write_json(folder / snapshot.MANIFEST, manifest.model_dump(mode="json"))
    hold_lock()
    snapshot.switch(run.path, folder)
    with contextlib.suppress(OSError):  # published: what is left to tidy, the next run tidies too
        link_analytics(run.path)
        history.gather(run.path)
        retained.clean(run.path, run.keep)
    stored = sum(file.bytes for file in manifest.files.values())
    return PublishReceipt(counts=PublishCounts(snapshot=built.snapshot, files=len(manifest.files), bytes=stored))


def _manifest(run: Settings, left: Left) -> SnapshotManifest:
    """All of it but the files, of which some are still to be written."""
    accepted, name = left.accept, left.build.snapshot
    known = {(one.kilde, one.leveransenummer): one for one in [*accepted.accepted, *accepted.in_force]}
    return SnapshotManifest(
        skjemaversjon=STORE_VERSION,
        made_with=accepted.night.made_with,
        snapshot=name,
        snapshotdato=run.snapshot_date,
        run=run.run,
        made_at=datetime.now(UTC),
        extracted_at=min(chain[-1].extracted_at for chain in accepted.used.values()),
        previous=accepted.night.previous,
        used=accepted.in_force,
        said=left.check.said,
        accepted=[known[key] for key in sorted(known)],
        stages=Stages.model_validate({stage: receipt.counts for stage, receipt in left.items()}),
        reconciliation=left.reconcile.reconciliation,
        files={},
    )
