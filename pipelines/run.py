"""Runs a night from the command line: the same job, against the same Dagster instance as the UI."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg

from pipelines.definitions import JOB, build_definitions
from pipelines.resources import PARTITIONS, NightResource
from pipelines.settings import dagster_home
from transforms.report import last_report


def run_night(
    home: Path, snapshot_date: str, config: dict[str, Any], echo: Callable[[str], None]
) -> dict[str, Any] | None:
    """Runs the job in this process. Returns the run's report, or None when it could not begin."""
    os.environ["DAGSTER_HOME"] = str(dagster_home(home))
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    NightResource.echo = staticmethod(echo)
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions(str(PARTITIONS.name), [snapshot_date])
        result = (
            build_definitions(NightResource(home=str(home), **config))
            .resolve_job_def(JOB)
            .execute_in_process(
                instance=instance,
                partition_key=snapshot_date,
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        )
        report = last_report(home)
        return report if report and report["run"] == result.run_id[:8] else None
