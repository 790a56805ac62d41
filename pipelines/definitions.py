"""The Dagster code location: assets, checks, the job and its nightly schedule."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import dagster as dg

from pipelines import assets, checks
from pipelines.resources import PARTITIONS, NightResource

JOB = "night"
OSLO = "Europe/Oslo"

night_job = dg.define_asset_job(
    JOB,
    selection=dg.AssetSelection.groups(assets.GROUP),
    executor_def=dg.in_process_executor,
    description="The night of one snapshot date: deliveries in, published documents out.",
)


@dg.schedule(
    job=night_job,
    cron_schedule="30 3 * * *",  # exists once on every day: the clock changes between 02:00 and 03:00
    execution_timezone=OSLO,
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def nightly(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """Runs the night of the day that it is in Oslo."""
    day = str(context.scheduled_execution_time.astimezone(ZoneInfo(OSLO)).date())
    context.instance.add_dynamic_partitions(str(PARTITIONS.name), [day])
    yield dg.RunRequest(run_key=day, partition_key=day)


def build_definitions(night: NightResource | None = None) -> dg.Definitions:
    """The definitions, with another night resource than the environment's if one is given."""
    return dg.Definitions(
        assets=dg.load_assets_from_modules([assets]),
        asset_checks=dg.load_asset_checks_from_modules([checks]),
        jobs=[night_job],
        schedules=[nightly],
        resources={"night": night or NightResource()},
        executor=dg.in_process_executor,
    )


defs = build_definitions()
