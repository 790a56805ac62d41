"""How long Dagster keeps a night's run and its events, for which ``dagster.yaml`` has no setting."""

import contextlib
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

HOME_TAG = "kravoversikt/home"
RETAINED = timedelta(days=400)
"""A year and a month: the partitions of a whole year stay to be compared."""
AT_A_TIME = 20
"""So many runs are removed after a night: it waits for that."""


def home_mark(home: Path) -> str:
    """What stands for a home in the tag of its runs: one Dagster instance may keep the runs of several."""
    return hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:16]


def forget_old_runs(instance: dg.DagsterInstance, home: Path) -> None:
    """Removes the home's runs that are older than ``RETAINED``, with their events and what they printed.

    It is housekeeping: where it fails, the next night tries again.
    """
    before = datetime.now(UTC) - RETAINED
    with contextlib.suppress(Exception):
        old = dg.RunsFilter(tags={HOME_TAG: home_mark(home)}, created_before=before)
        for run in instance.get_runs(filters=old, limit=AT_A_TIME):
            if run.is_finished:
                instance.delete_run(run.run_id)
                instance.compute_log_manager.delete_logs(prefix=[run.run_id])
