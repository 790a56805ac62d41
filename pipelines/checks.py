"""The asset checks: what the operator is told, and what stops a run before it publishes.

Each says what it looked at and its limit, also when all is well. A check that stops fails its step with the reason and
what to do. (Dagster would stop the run for the failed check too, and tell of a check that failed.)
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import dagster as dg
import polars as pl

from pipelines import pages
from pipelines.assets import deliveries, documents, posts
from pipelines.resources import NightFailedError, NightResource, telling_no_data
from schemas.published import PUBLISHED
from schemas.receipts import Receipt
from schemas.refusals import Refusal
from schemas.report import ReconcileCounts
from transforms.check.said import said_before
from transforms.home.findings import findings
from transforms.home.report import sentence
from transforms.home.snapshot import FINDINGS

Results = Iterator[dg.AssetCheckResult]
Check = Callable[[dg.AssetCheckExecutionContext, NightResource], Results]


def _check(asset: dg.AssetsDefinition, *, blocking: bool = False) -> Callable[[Check], dg.AssetChecksDefinition]:
    """The function as an asset check of its name. What it raises tells nothing of the data."""

    def of_function(function: Check) -> dg.AssetChecksDefinition:
        def checked(context: dg.AssetCheckExecutionContext, night: NightResource) -> Any:
            with telling_no_data("asset check", night.report):
                yield from function(context, night)

        decorate = dg.asset_check(asset=asset, name=function.__name__, description=function.__doc__, blocking=blocking)
        return decorate(checked)

    return of_function


def _warn(count: int, what: str, found: pl.DataFrame) -> dg.AssetCheckResult:
    """A warning when there are any. ``found``: the findings to tell."""
    return dg.AssetCheckResult(
        passed=count == 0,
        severity=dg.AssetCheckSeverity.WARN,
        description=pages.in_short(pages.by_code(found)),
        metadata={what: count, "findings": dg.MetadataValue.md(pages.of_findings(found))},
    )


def _stop(receipt: Receipt, codes: tuple[str, ...], said: str, reports: Iterable[Refusal] = (), **more: Any) -> Results:
    """Fails when the stage left a reason to stop among the codes. Only shows: ``publish`` refuses for any reason.

    ``said``: what was looked at, in a sentence. ``reports``: of them the result warns of those that are warnings.
    Raises ``NightFailedError`` when it fails, once the result is told.
    """
    stops = [stop for stop in receipt.stops if stop.code in codes]
    warned = [report for report in reports if report.code in pages.WARNS]
    metadata: dict[str, Any] = {f"{n} {one.code}": sentence(one) for n, one in enumerate([*stops, *warned], 1)}
    if metadata:
        metadata["what to do"] = dg.MetadataValue.md(pages.cures(dict.fromkeys(one.code for one in [*stops, *warned])))
    yield dg.AssetCheckResult(
        passed=not stops and not warned,
        severity=dg.AssetCheckSeverity.ERROR if stops or not warned else dg.AssetCheckSeverity.WARN,
        description=pages.of_stops(stops) if stops else "; ".join([said, *map(sentence, warned)]),
        metadata=metadata | more,
    )
    if stops:
        raise NightFailedError(pages.of_stops(stops), stops)


@_check(deliveries)
def every_delivery_accepted(_: dg.AssetCheckExecutionContext, night: NightResource) -> Results:
    """Warns of deliveries that were refused or wait."""
    accepted = night.through("accept").accept
    found = findings(refusal for refusal in accepted.refusals if refusal.level == 1)
    yield _warn(accepted.counts.refused + accepted.counts.waiting, "deliveries", found)


@_check(deliveries, blocking=True)
def sources_usable(_: dg.AssetCheckExecutionContext, night: NightResource) -> Results:
    """Every source of the last snapshot has a delivery to use, none is too old or of another time than the snapshot
    date, and accepted rows are all there.
    """
    codes = ("L3-SOURCE-OLD", "L3-SOURCE-GONE", "L3-NO-SOURCE", "L3-ACCEPTED-LOST", "L3-DATE-EXTRACTS")
    accepted, run = night.through("accept").accept, night.settings
    limits = pages.age_limits(accepted.used, night.operations, run.max_age_days)
    ages = {kilde: (run.snapshot_date - chain[-1].day).days for kilde, chain in accepted.used.items()}
    told = ", ".join(f"{kilde} {days} of {limits[kilde]}" for kilde, days in ages.items())
    sources = pages.of_sources(accepted.used, run.snapshot_date, limits)
    yield from _stop(
        accepted,
        codes,
        f"age of the last extracts and the limit, days: {told}",
        accepted.refusals,
        sources=dg.MetadataValue.md(sources),
        oldest_days=max(ages.values(), default=0),
    )


@_check(posts)
def no_row_quarantined(_: dg.AssetCheckExecutionContext, night: NightResource) -> Results:
    """Warns of quarantined rows."""
    checked = night.through("check").check
    yield _warn(checked.counts.quarantined, "rows", findings(checked.reports, night.settings.checked / FINDINGS))


@_check(posts, blocking=True)
def held_back_share(_: dg.AssetCheckExecutionContext, night: NightResource) -> Results:
    """No more parts are held back than the configured share."""
    checked, limit = night.through("check").check, night.settings.max_held_back
    share, parts = checked.counts.held_back_share, checked.counts.posts.get("part", 0)
    yield from _stop(
        checked,
        ("L3-HELD-BACK",),
        f"{share:.3%} of {parts} parts are held back, the limit is {limit:.3%}",
        checked.reports,
        share=share,
        limit=limit,
        warned_from=night.operations.warn_held_back,
        parts_held_back=checked.counts.held_back,
        rows_that_lead_to_none=checked.counts.leads_nowhere,
        accepted_parts=parts,
    )


@_check(posts, blocking=True)
def no_source_shrunk(_: dg.AssetCheckExecutionContext, night: NightResource) -> Results:
    """No source says fewer rows of a table than the last snapshot used, by more than the configured share."""
    checked, run = night.through("check").check, night.settings
    rows = pages.of_rows(checked.said, said_before(run), run.max_loss)
    said = f"no table of a source has lost more than {run.max_loss:.2%} of its rows"
    yield from _stop(checked, ("L3-SOURCE-SHRUNK",), said, rows=dg.MetadataValue.md(rows), limit=run.max_loss)


@_check(documents, blocking=True)
def table_schemas(_: dg.AssetCheckExecutionContext, night: NightResource) -> Results:
    """Every file of every table has the columns and types that its table has."""
    yield from _stop(night.through("build").build, ("L3-SCHEMA",), f"the files of {', '.join(PUBLISHED)}")


@_check(documents, blocking=True)
def reconciliation(context: dg.AssetCheckExecutionContext, night: NightResource) -> Results:
    """The control totals by two routes, to the øre (CONTRACT section 5)."""
    counts = cast(ReconcileCounts, night.do("reconcile", context.log).counts)
    receipt = night.through("reconcile").reconcile
    compared = receipt.reconciliation
    said = f"{counts.totals} totals, {counts.differences} differ; {counts.contradictions} documents contradict"
    totals = dg.MetadataValue.md(pages.of_totals(compared.posts, compared.documents))
    yield from _stop(receipt, ("L3-RECONCILE",), said, totals_by_route=totals, **counts.model_dump())
