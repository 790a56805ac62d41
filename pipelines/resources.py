"""The night as a Dagster resource: one per run, holding the home's lock from first stage to last."""

import contextlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import dagster as dg
import polars as pl
from pydantic import PrivateAttr

from pipelines.settings import default_home, default_inbox
from transforms.lock import HomeInUseError, locked
from transforms.measure import measured
from transforms.night import Night, Settings
from transforms.reference import KRAVTYPER, RATES
from transforms.report import Report, told

PARTITIONS = dg.DynamicPartitionsDefinition(name="snapshotdato")
"""One partition per snapshot date that was run: any date can be, and only those that were show."""


class NightFailedError(Exception):
    """A stage failed: the kind of the error and where it was met, without what it said, which may quote the data."""


@contextlib.contextmanager
def telling_no_data(stage: str, report: Report) -> Iterator[None]:
    """Keeps a failure within for the run's report, and raises ``NightFailedError`` in its place.

    Dagster stores an error's text, and that of the errors it was raised from, with the run; so it gets none
    whose text is not ours. An interrupt goes on as it is.
    """
    try:
        yield
    except BaseException as error:
        report.failure = f"{stage}: {told(error)}"
        if isinstance(error, Exception | pl.exceptions.PanicException):
            raise NightFailedError(report.failure) from None
        raise


class NightResource(dg.ConfigurableResource):
    """The run's settings, and the ``Night`` that its assets share."""

    inbox: str = str(default_inbox())
    home: str = str(default_home())
    rates: str = str(RATES)
    kravtyper: str = str(KRAVTYPER)
    max_held_back: float = Settings.max_held_back
    max_age_days: int = Settings.max_age_days
    max_loss: float = Settings.max_loss
    keep: int = Settings.keep
    workers: int = Settings.workers
    memory: str = Settings.memory
    full: bool = Settings.full
    allow_date: bool = Settings.allow_date

    echo: ClassVar[Any] = staticmethod(lambda line: None)
    """Where progress goes; the command line sets it to print."""

    _night: Night = PrivateAttr()

    @contextlib.contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["NightResource"]:
        """Holds the lock and, whatever happens, writes the run's report."""
        if context.run is None:
            raise RuntimeError("a night runs as a Dagster run")
        run, tags = context.run.run_id[:8], context.run.tags
        settings = Settings(
            inbox=Path(self.inbox),
            home=Path(self.home),
            snapshot_date=date.fromisoformat(tags["dagster/partition"]),
            run=run,
            rates=Path(self.rates),
            kravtyper=Path(self.kravtyper),
            max_held_back=self.max_held_back,
            max_age_days=self.max_age_days,
            max_loss=self.max_loss,
            keep=self.keep,
            workers=self.workers,
            memory=self.memory,
            full=self.full,
            allow_date=self.allow_date,
        )
        with self._lock(settings):
            self._end_dead_runs(context)
            self._night = Night(settings, progress=type(self).echo)
            try:
                yield self
            finally:
                with telling_no_data("finish", self._night.report):
                    self._night.finish()

    def _end_dead_runs(self, context: dg.InitResourceContext) -> None:
        """Runs of this home that are still said to go on, though we hold its lock, died: they are failed."""
        instance = context.instance
        if instance is None or Path(instance.root_directory).resolve() != (Path(self.home) / "dagster").resolve():
            return
        status = dg.DagsterRunStatus
        going_on = [status.NOT_STARTED, status.STARTING, status.STARTED]
        for run in instance.get_runs(filters=dg.RunsFilter(statuses=going_on)):
            if context.run is None or run.run_id != context.run.run_id:
                instance.report_run_failed(run, "the process of this run is gone: it died, or was killed")

    @staticmethod
    @contextlib.contextmanager
    def _lock(settings: Settings) -> Iterator[None]:
        """The home's lock. Dagster keeps a resource's errors to its events, so who holds it is told here."""
        try:
            with locked(settings.home, settings.run):
                yield
        except HomeInUseError as error:
            NightResource.echo(f"not begun: {error}")
            raise

    @property
    def night(self) -> Night:
        """The run's night."""
        return self._night

    def stage(self, name: str) -> dict[str, Any]:
        """Runs a stage of the night; returns what it counted, its seconds and its peak memory."""
        type(self).echo(f"{name} …")
        with measured() as cost, telling_no_data(name, self._night.report):
            counted: dict[str, Any] = getattr(self._night, name)()
        counted |= {"seconds": round(cost.seconds, 2), "peak_memory_mb": cost.peak_mb}
        self._night.note(name, counted)
        return counted
