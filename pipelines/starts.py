"""How a night starts by itself: at a fixed hour, or when the sources have delivered. Both are off until switched on.

A night that was started by either, or was published, is not started again: the run's key is its date.
"""

from datetime import date, datetime, time
from typing import Any

import dagster as dg

from pipelines.known import Known, known
from pipelines.settings import default_home, default_inbox, operations
from schemas.operations import Operations
from schemas.snapshot import OSLO

LATE_TAG = "kravoversikt/late"
"""On a run: the required sources that it did not wait for any longer."""
LOOKS_EVERY = 60
"""Seconds between two looks at the inbox."""


def make_schedule(job: Any) -> dg.ScheduleDefinition:
    """At 03:30 in Oslo, whatever has been delivered."""

    @dg.schedule(
        job=job,
        cron_schedule="30 3 * * *",  # exists once on every day: the clock changes between 02:00 and 03:00
        execution_timezone=str(OSLO),
        default_status=dg.DefaultScheduleStatus.STOPPED,
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        """Runs the night of the day that it is in Oslo, at 03:30. The alternative to the sensor ``delivered``."""
        day = str(context.scheduled_execution_time.astimezone(OSLO).date())
        return dg.RunRequest(run_key=day, partition_key=day)

    return nightly


def make_sensor(job: Any) -> dg.SensorDefinition:
    """When every required source has delivered, or at the deadline."""

    @dg.sensor(job=job, minimum_interval_seconds=LOOKS_EVERY, default_status=dg.DefaultSensorStatus.STOPPED)
    def delivered(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Runs tonight's night when every required source has delivered, and at ``begin_by`` with those that have."""
        inbox, home = default_inbox(), default_home()
        decided = decide(known(inbox, home), operations(home), datetime.now(OSLO))
        if isinstance(decided, dg.RunRequest) and LATE_TAG in decided.tags:
            context.log.warning(f"the night begins without {decided.tags[LATE_TAG]}")
        return decided

    return delivered


def decide(known: Known, operations: Operations, now: datetime) -> dg.RunRequest | dg.SkipReason:
    """Whether the night of the day that it is ``now``, in Oslo, is to begin; why not if it is not."""
    day = now.date()
    if known.published and known.published.snapshotdato >= day:
        return dg.SkipReason(f"what is published is of {known.published.snapshotdato}")
    if known.gone_back_from and known.gone_back_from >= day:
        return dg.SkipReason(f"the night of {day} was rolled back from: run it by hand, when what was wrong is mended")
    required = [kilde for kilde in sorted({*known.sources, *operations.sources}) if operations.of(kilde).required]
    if not required:
        return dg.SkipReason("no source that a night waits for has ever delivered, or is named in operations.toml")
    missing = [kilde for kilde in required if not has_delivered(known, kilde, day)]
    awaited = {kilde: until for kilde in missing if (until := _until(operations, kilde)) > now.time()}
    if awaited:
        told = ", ".join(f"{kilde} until {until:%H:%M}" for kilde, until in awaited.items())
        return dg.SkipReason(f"the night of {day} waits for {told}")
    tags = {LATE_TAG: ", ".join(missing)} if missing else {}
    return dg.RunRequest(run_key=str(day), partition_key=str(day), tags=tags)


def _until(operations: Operations, kilde: str) -> time:
    """The time of day until which the night waits for a source: its own if that is before the night's deadline."""
    return min(operations.of(kilde).expected_by or operations.begin_by, operations.begin_by)


def has_delivered(known: Known, kilde: str, day: date) -> bool:
    """Whether the inbox has a delivery of the source for the night of the day: numbered after the last one in force,
    and extracted on the day before it, or later. One whose manifest cannot be read is none.
    """
    last = known.last_used().get(kilde)
    newer = [nummer for nummer in known.inbox.get(kilde, []) if last is None or nummer > last.leveransenummer]
    moments = (known.extracted(kilde, nummer) for nummer in reversed(newer))
    return any(moment and (day - moment.date()).days <= 1 for moment in moments)
