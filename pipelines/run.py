"""Runs a night from the command line: the same job, against the same Dagster instance as the UI."""

import contextlib
import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg

from pipelines.definitions import JOB, build_definitions
from pipelines.event_log import held_open
from pipelines.resources import PARTITIONS, NightResource, home_tags
from pipelines.settings import dagster_home
from schemas.report import RunReport
from transforms.home.report import add_failure, last_run, read_report, systems_words, told


def run_night(home: Path, snapshot_date: str, config: dict[str, Any], echo: Callable[[str], None]) -> RunReport | None:
    """Runs the job in this process. Returns the run's report, or None when it could not begin: ``echo`` told why.

    Raises ``OSError`` when Dagster's folder cannot be made, and ``HomePathError``.
    """
    folder = dagster_home(home)
    os.environ["DAGSTER_HOME"] = str(folder)
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    NightResource.echo = staticmethod(echo)
    run_id = str(uuid4())
    try:
        # Dagster writes there what it cannot store: whole statements, instead of a sentence
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
            failure = _execute(NightResource(home=str(home), **config), snapshot_date, run_id, folder)
    except Exception as error:  # Dagster's own, for it keeps a stage's: the night may be published all the same
        failure = f"Dagster's record of the run, {folder}: {told(error)}"
        echo(f"failed in {failure}")
    if failure:
        with contextlib.suppress(OSError):  # there may be no room for it
            add_failure(home, run_id[:8], failure)
    ours = last_run(home, run_id[:8])  # not the last of all: another may have begun, where the lock was lost
    return read_report(ours) if ours else None


def _execute(night: NightResource, snapshot_date: str, run_id: str, folder: Path) -> str:
    """Runs the job. Returns what Dagster says of its end if it failed: a stage's failure, or one between stages."""
    with _instance(folder) as instance, held_open(instance, folder, run_id):
        instance.add_dynamic_partitions(str(PARTITIONS.name), [snapshot_date])
        result = (
            build_definitions(night)
            .resolve_job_def(JOB)
            .execute_in_process(
                instance=instance,
                partition_key=snapshot_date,
                raise_on_error=False,
                run_id=run_id,
                tags=None if night.wait_minutes else home_tags(Path(night.home), run_id),  # one that waits is not dead
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        )
    ends = [event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE"]
    errors = [event.job_failure_data.error for event in ends]
    return "; ".join(f"Dagster: {error.cls_name}{systems_words(error.message)}" for error in errors if error)


NO_CAPTURE = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}
"""Nothing is captured of what this process prints: it would be empty, for progress goes to the operator's own screen;
and to capture that, Dagster starts four processes.
"""


@contextlib.contextmanager
def _instance(folder: Path) -> Iterator[dg.DagsterInstance]:
    """The instance of the folder. One process at a time opens it: two that make its tables at once fail.

    ``local_temp`` of a folder that is no temporary one is ``DagsterInstance.get`` with something to override.
    """
    with (folder / ".opening").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        instance = dg.DagsterInstance.local_temp(str(folder), overrides=NO_CAPTURE)
    with instance:
        yield instance
