"""One asset per stage. Each calls its stage and shows what it counted; ``checks`` decide what stops a run."""

from typing import Any, cast

import dagster as dg
import duckdb
import polars as pl

from pipelines.columns import SCHEMA, delivered_columns
from pipelines.pictures import of_the_night
from pipelines.published import materialized
from pipelines.resources import NightResource
from pipelines.sources import observed
from schemas.receipts import AcceptReceipt, Receipt
from schemas.report import BuildCounts
from transforms.home.report import told

GROUP = "night"
RUNBOOK = {"runbook": dg.MetadataValue.path("docs/refusals.md")}


def _shown(receipt: Receipt, first: dict[str, Any] | None = None) -> dg.MaterializeResult[None]:
    values = receipt.counts.model_dump()
    counted = {
        name: dg.MetadataValue.json(value) if isinstance(value, dict) else value for name, value in values.items()
    }
    return dg.MaterializeResult(metadata=(first or {}) | counted)


@dg.asset(group_name=GROUP, kinds={"parquet"}, metadata=RUNBOOK | {SCHEMA: delivered_columns()})
def deliveries(context: dg.AssetExecutionContext, night: NightResource) -> dg.MaterializeResult[None]:
    """What is new in the inbox taken in as typed Parquet; which deliveries are in force."""
    receipt = cast(AcceptReceipt, night.do("accept", context.log))
    run = night.settings
    for source in observed(receipt, run.snapshot_date, night.operations, run.max_age_days):
        context.log_event(source)
    return _shown(receipt)


@dg.asset(group_name=GROUP, kinds={"duckdb"}, deps=[deliveries], metadata=RUNBOOK)
def posts(context: dg.AssetExecutionContext, night: NightResource) -> dg.MaterializeResult[None]:
    """All sources together: good posts, quarantined rows, the parts that they hold back."""
    return _shown(night.do("check", context.log))


@dg.asset(group_name=GROUP, kinds={"duckdb"}, deps=[posts], metadata=RUNBOOK)
def buckets(context: dg.AssetExecutionContext, night: NightResource) -> dg.MaterializeResult[None]:
    """The parts whose documents can differ, their posts spread over buckets of households."""
    return _shown(night.do("spread", context.log))


@dg.asset(group_name=GROUP, kinds={"polars"}, deps=[buckets], metadata=RUNBOOK)
def documents(context: dg.AssetExecutionContext, night: NightResource) -> dg.MaterializeResult[None]:
    """Balances, overviews and documents, as bytes: built for the parts that need it, carried over for the others."""
    return _shown(night.do("build", context.log))


@dg.asset(
    group_name=GROUP,
    kinds={"duckdb"},
    deps=[documents],
    metadata=RUNBOOK,
)
def snapshot(context: dg.AssetExecutionContext, night: NightResource) -> dg.MaterializeResult[None]:
    """The snapshot with its manifest, published by one switch; the picture of its night."""
    receipt = night.do("publish", context.log)
    run, receipts = night.settings, night.report.receipts
    for brought in materialized(cast(BuildCounts, receipts["build"].counts), run.path, context.partition_key):
        context.log_event(brought)
    try:
        return _shown(receipt, of_the_night(run, night.report, receipts))
    except (OSError, duckdb.Error, pl.exceptions.PolarsError) as error:  # it is published all the same
        context.log.warning(f"the picture of the night could not be made: {told(error)}")
        return _shown(receipt)


STAGES = [deliveries, posts, buckets, documents, snapshot]
"""In their order."""
