"""The asset checks: what the operator is told, and what stops a run before it publishes."""

from typing import Any

import dagster as dg

from pipelines.assets import deliveries, documents, posts
from pipelines.resources import NightResource
from schemas.receipts import Receipt
from transforms.home.report import sentence

TOLD = 50
"""So many findings are told one by one in a check; all of them are in the run's findings."""


def _warn(count: int, what: str, told: list[str] | None = None) -> dg.AssetCheckResult:
    """A warning when there are any; ``told``: what is said of each."""
    metadata: dict[str, Any] = {what: count}
    if told:
        metadata["findings"] = dg.MetadataValue.md("\n".join(told))
    return dg.AssetCheckResult(passed=count == 0, severity=dg.AssetCheckSeverity.WARN, metadata=metadata)


def _stop(receipt: Receipt, *codes: str) -> dg.AssetCheckResult:
    """Fails when the stage left a reason to stop among the codes. Only shows: ``publish`` refuses for any reason."""
    stops = [stop for stop in receipt.stops if stop.code in codes]
    metadata = {f"{n} {stop.code}": sentence(stop) for n, stop in enumerate(stops, 1)}
    return dg.AssetCheckResult(passed=not stops, metadata=metadata)


@dg.asset_check(asset=deliveries)
def every_delivery_accepted(night: NightResource) -> dg.AssetCheckResult:
    """Warns of deliveries that were refused or wait."""
    accepted = night.through("accept").accept
    told = [f"- {sentence(refusal)}" for refusal in accepted.refusals if refusal.level == 1]
    return _warn(accepted.counts.refused + accepted.counts.waiting, "deliveries", told[:TOLD])


@dg.asset_check(asset=deliveries, blocking=True)
def sources_usable(night: NightResource) -> dg.AssetCheckResult:
    """Every source of the last snapshot has a delivery to use, none is too old or of another time than the snapshot
    date, and accepted rows are all there.
    """
    codes = ("L3-SOURCE-OLD", "L3-SOURCE-GONE", "L3-NO-SOURCE", "L3-ACCEPTED-LOST", "L3-DATE-EXTRACTS")
    return _stop(night.through("accept").accept, *codes)


@dg.asset_check(asset=posts)
def no_row_quarantined(night: NightResource) -> dg.AssetCheckResult:
    """Warns of quarantined rows."""
    return _warn(night.through("check").check.counts.quarantined, "rows")


@dg.asset_check(asset=posts, blocking=True)
def held_back_share(night: NightResource) -> dg.AssetCheckResult:
    """No more parts are held back than the configured share."""
    return _stop(night.through("check").check, "L3-HELD-BACK")


@dg.asset_check(asset=posts, blocking=True)
def no_source_shrunk(night: NightResource) -> dg.AssetCheckResult:
    """No source says fewer rows of a table than the last snapshot used, by more than the configured share."""
    return _stop(night.through("check").check, "L3-SOURCE-SHRUNK")


@dg.asset_check(asset=documents, blocking=True)
def table_schemas(night: NightResource) -> dg.AssetCheckResult:
    """Every file of every table has the columns and types that its table has."""
    return _stop(night.through("build").build, "L3-SCHEMA")


@dg.asset_check(asset=documents, blocking=True)
def reconciliation(night: NightResource) -> dg.AssetCheckResult:
    """The control totals by two routes, to the øre (CONTRACT section 5)."""
    counts = night.do("reconcile")
    result = _stop(night.through("reconcile").reconcile, "L3-RECONCILE")
    return dg.AssetCheckResult(passed=result.passed, metadata={**counts.model_dump(), **result.metadata})
