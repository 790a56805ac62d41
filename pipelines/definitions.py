"""The Dagster code location: sources, assets, checks, what is published, the job, and how it starts by itself."""

from pathlib import Path

import dagster as dg

from pipelines import assets, checks, settings, starts
from pipelines.alarm import watch
from pipelines.known import Known
from pipelines.known import known as look
from pipelines.nights import nights
from pipelines.published import published_specs
from pipelines.resources import RETRIES, NightResource
from pipelines.sources import source_specs
from schemas.operations import Operations, OperationsError

JOB = "night"

night_job = dg.define_asset_job(
    JOB,
    selection=dg.AssetSelection.groups(assets.GROUP),
    executor_def=dg.in_process_executor,
    op_retry_policy=RETRIES,
    description="The night of one snapshot date: deliveries in, published documents out.",
)


def build_definitions(
    night: NightResource | None = None,
    days: dg.PartitionsDefinition | None = None,
    known: Known | None = None,
    operations: Operations | None = None,
) -> dg.Definitions:
    """The definitions over the night's home: its partitions, its sources and what its operator has settled.

    What is not given is the environment's, and what the home and the inbox know.
    """
    night = night or NightResource()
    known = known or look(Path(night.inbox), Path(night.home))
    operations = operations or _settled(Path(night.home))
    days = days or nights(known)
    owners = [f"team:{operations.owner}"]
    sources = source_specs(known, operations)

    def of_the_home(spec: dg.AssetSpec) -> dg.AssetSpec:
        first = [source.key for source in sources] if spec.key == assets.deliveries.key else []
        return spec.replace_attributes(partitions_def=days, owners=owners, deps=[*spec.deps, *first])

    stages = dg.map_asset_specs(of_the_home, assets.STAGES)
    published = published_specs(assets.snapshot.key, assets.deliveries.key, days, owners)
    return dg.Definitions(
        assets=[*sources, *stages, *published],
        asset_checks=dg.load_asset_checks_from_modules([checks]),
        jobs=[night_job],
        schedules=[starts.make_schedule(night_job)],
        sensors=[starts.make_sensor(night_job), watch],
        resources={"night": night},
        executor=dg.in_process_executor,
    )


def _settled(home: Path) -> Operations:
    """What the operator has settled. Over a slip in it the UI comes up all the same; nights tell it, and stop."""
    try:
        return settings.operations(home)
    except OperationsError:
        return Operations()


@dg.definitions
def defs() -> dg.Definitions:
    """What the UI and the daemon load: of the home and the inbox that the environment names."""
    return build_definitions()
