"""One asset per stage. Each calls its stage and shows what it counted; ``checks`` decide what stops a run."""

import dagster as dg

from pipelines.resources import PARTITIONS, NightResource
from schemas.report import Counts

GROUP = "night"


def _shown(counts: Counts) -> dg.MaterializeResult[None]:
    values = counts.model_dump()
    return dg.MaterializeResult(
        metadata={
            name: dg.MetadataValue.json(value) if isinstance(value, dict) else value for name, value in values.items()
        }
    )


@dg.asset(partitions_def=PARTITIONS, group_name=GROUP, kinds={"parquet"})
def deliveries(night: NightResource) -> dg.MaterializeResult[None]:
    """What is new in the inbox taken in as typed Parquet; which deliveries are in force."""
    return _shown(night.do("accept"))


@dg.asset(partitions_def=PARTITIONS, group_name=GROUP, kinds={"duckdb"}, deps=[deliveries])
def posts(night: NightResource) -> dg.MaterializeResult[None]:
    """All sources together: good posts, quarantined rows, the parts that they hold back."""
    return _shown(night.do("check"))


@dg.asset(partitions_def=PARTITIONS, group_name=GROUP, kinds={"duckdb"}, deps=[posts])
def buckets(night: NightResource) -> dg.MaterializeResult[None]:
    """The parts whose documents can differ, their posts spread over buckets of households."""
    return _shown(night.do("spread"))


@dg.asset(partitions_def=PARTITIONS, group_name=GROUP, kinds={"polars"}, deps=[buckets])
def documents(night: NightResource) -> dg.MaterializeResult[None]:
    """Balances, overviews and documents, as bytes: built for the parts that need it, carried over for the others."""
    return _shown(night.do("build"))


@dg.asset(partitions_def=PARTITIONS, group_name=GROUP, kinds={"duckdb"}, deps=[documents])
def snapshot(night: NightResource) -> dg.MaterializeResult[None]:
    """The snapshot with its manifest, published by one switch."""
    return _shown(night.do("publish"))
