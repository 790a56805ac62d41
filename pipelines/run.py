"""Runs a night from the command line: the same job, against the same Dagster instance as the UI."""

import contextlib
import fcntl
import logging
import os
import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster_shared.error import SerializableErrorInfo

from pipelines.alarm import tell_of_night
from pipelines.definitions import JOB, build_definitions
from pipelines.event_log import held_open
from pipelines.known import Known
from pipelines.nights import PARTITION, nights_with
from pipelines.resources import NEVER_AGAIN, NOT_BEGUN, MayPassError, NightFailedError, NightResource, home_tags
from pipelines.settings import LOCATION, dagster_home
from schemas.operations import Operations
from schemas.report import RunReport
from transforms.home import ballast
from transforms.home.lock import is_held
from transforms.home.report import add_failure, last_run, put_on_record, read_report, systems_words, told


def run_night(home: Path, snapshot_date: str, config: dict[str, Any], echo: Callable[[str], None]) -> RunReport | None:
    """Runs the job in this process. Returns the run's report, or None when it could not begin: ``echo`` told why.

    Raises ``OSError`` when the home or Dagster's folder cannot be written, and ``HomePathError``.
    """
    run_id = str(uuid4())
    try:
        ballast.lay(home)  # before Dagster opens its records there
        folder = dagster_home(home)
    except OSError as error:
        why = f"its beginning: the home or Dagster's folder cannot be written: {told(error)}"
        _tell(home, run_id, snapshot_date, why, echo)
        raise
    os.environ["DAGSTER_HOME"] = str(folder)
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    NightResource.echo = staticmethod(echo)
    try:
        # Dagster writes there what it cannot store: whole statements, instead of a sentence
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
            failure = _execute(NightResource(home=str(home), **config), snapshot_date, run_id, folder)
    except Exception as error:  # Dagster's own, for it keeps a stage's: the night may be published all the same
        failure = f"Dagster's record of the run, {folder}: {told(error)}"
        echo(f"failed in {failure}")
    if failure:
        _tell(home, run_id, snapshot_date, failure, echo)
    ours = last_run(home, run_id[:8])  # not the last of all: another may have begun, where the lock was lost
    return read_report(ours) if ours else None


def _tell(home: Path, run_id: str, snapshot_date: str, failure: str, echo: Callable[[str], None]) -> None:
    """Puts the failure on record, and tells of it: in the run's report, or, of a run that could not begin, in one of
    its own. One that cannot be put on record, for there may be no room, is told of all the same.

    While another run goes on over the home, one that could not begin for that has not failed.
    """
    run, why_not = run_id[:8], ""
    try:
        add_failure(home, run, failure)
        if last_run(home, run) is None and not is_held(home):
            day = date.fromisoformat(snapshot_date)
            put_on_record(home, RunReport(run=run, snapshotdato=day, outcome="failed", failure=failure))
    except OSError:
        why_not = failure
    tell_of_night(home, run_id, why_not, echo)  # the night did not, if it was kept from beginning; none is told twice


def _execute(night: NightResource, snapshot_date: str, run_id: str, folder: Path) -> str:
    """Runs the job. Returns what Dagster says of its end if it failed: a stage's failure, or one between stages."""
    days, nothing = nights_with(date.fromisoformat(snapshot_date)), Known(Path(night.inbox))
    job = build_definitions(night, days, nothing, Operations()).resolve_job_def(JOB)
    tags = {} if night.wait_minutes else home_tags(Path(night.home), run_id)  # one that waits is not dead
    with _instance(folder) as instance, held_open(instance, folder, run_id):
        run = instance.create_run_for_job(
            job,
            run_id=run_id,
            tags={**job.run_tags, **NEVER_AGAIN, **tags, PARTITION: snapshot_date},
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            remote_job_origin=ORIGIN,
        )
        result = execute_run(InMemoryJob(job), run, instance)
    ends = [event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE"]
    errors = [event.job_failure_data.error for event in ends]
    return "; ".join(_why(error) for error in errors if error)


def _why(error: SerializableErrorInfo) -> str:
    """What may be told of an error that Dagster keeps: all that it says, if it is our own."""
    cause = error
    while cause.cause:
        cause = cause.cause
    if cause.cls_name in (NightFailedError.__name__, MayPassError.__name__):
        words = re.sub(rf"^\S*{cause.cls_name}: ", "", cause.message.strip())
        return words.replace(NOT_BEGUN, "its beginning: ")
    return f"Dagster: {error.cls_name}{systems_words(error.message)}"


ORIGIN = RemoteJobOrigin(
    RemoteRepositoryOrigin(
        ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name="pipelines.definitions"), LOCATION),
        "__repository__",
    ),
    JOB,
)
"""Whose the runs are: the UI's timeline and the job's history leave out those of no code location. Dagster's public
``execute_in_process`` makes runs of none, so this is what it does with one (docs/decisions/0027).
"""

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
