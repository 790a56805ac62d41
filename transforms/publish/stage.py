"""The stage ``publish``: the snapshot is completed, and readers are switched to it."""

import contextlib
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from schemas.receipts import PublishReceipt
from schemas.report import PublishCounts
from schemas.store import STORE_VERSION
from transforms.home import snapshot
from transforms.home.findings import findings
from transforms.home.report import StoppedError
from transforms.publish.analytics import link_analytics, write_analytics
from transforms.receipts import Left
from transforms.run import Settings


def publish(run: Settings, left: Left, hold_lock: Callable[[], None]) -> PublishReceipt:
    """Completes the snapshot and switches to it. Raises ``StoppedError`` when a stage had a reason to stop.

    ``left``: what every stage before has left. ``hold_lock`` raises when another run may have begun.
    """
    if reasons := [reason for receipt in left.values() for reason in receipt.stops]:
        raise StoppedError(reasons)
    accepted, checked, built, reconciled = left.accept, left.check, left.build, left.reconcile
    folder, previous = run.snapshot(built.snapshot), run.previous()
    found = findings([*accepted.refusals, *checked.reports], run.checked / snapshot.FINDINGS)
    found.write_parquet(folder / snapshot.FINDINGS)
    snapshot.write_json(folder / "reconciliation.json", reconciled.reconciliation.model_dump())
    for name in (snapshot.HELD_BACK, snapshot.QUARANTINED, snapshot.SAME):
        shutil.copyfile(run.checked / name, folder / name)
    write_analytics(folder)
    for delivery in accepted.new:
        snapshot.make_durable(run.deliveries / delivery.folder)
    known = {(one.kilde, one.leveransenummer): one for one in [*accepted.accepted, *accepted.in_force]}
    manifest: dict[str, Any] = {
        "skjemaversjon": STORE_VERSION,
        "made_with": accepted.night.made_with,
        "snapshot": built.snapshot,
        "snapshotdato": str(run.snapshot_date),
        "run": run.run,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "extracted_at": min(chain[-1].extracted_at for chain in accepted.used.values()).isoformat(),
        "previous": accepted.night.previous,
        "used": [delivery.as_json() for delivery in accepted.in_force],
        "said": checked.said,
        "accepted": [known[key].as_json() for key in sorted(known)],
        "stages": {name: receipt.counts.model_dump() for name, receipt in left.items()},
        "reconciliation": reconciled.reconciliation.model_dump(),
        "files": snapshot.checksums(folder, previous),
    }
    snapshot.write_json(folder / snapshot.MANIFEST, manifest)
    hold_lock()
    snapshot.switch(run.path, folder)
    with contextlib.suppress(OSError):  # published: what is left to tidy, the next run tidies too
        link_analytics(run.path)
        snapshot.clean(run.path, run.keep)
    sizes = [file["bytes"] for file in manifest["files"].values()]
    return PublishReceipt(counts=PublishCounts(snapshot=built.snapshot, files=len(sizes), bytes=sum(sizes)))
