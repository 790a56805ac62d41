"""The night as a Dagster resource: one per run, holding the home's lock from first stage to last."""

import contextlib
import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import dagster as dg
import polars as pl
from pydantic import PrivateAttr

from pipelines.settings import default_home, default_inbox, operations
from schemas.operations import Operations, OperationsError
from schemas.report import Counts
from transforms.home.lock import HomeInUseError, locked
from transforms.home.report import Report, told
from transforms.night import Night
from transforms.receipts import Left
from transforms.rules.reference import KRAVTYPER, RATES
from transforms.run import Settings

PARTITIONS = dg.DynamicPartitionsDefinition(name="snapshotdato")
"""One partition per snapshot date that was run: any date can be, and only those that were show."""


SNAPSHOT = "snapshot"
"""The asset that publishes."""
HOME_TAG = "kravoversikt/home"


RUN_TAG = "kravoversikt/run"


NOT_BEGUN = "not begun: "
"""What is told of a run begins so when it took no stage in hand."""


def home_tags(home: Path, run_id: str) -> dict[str, str]:
    """The tags that say of a Dagster run which home it is over, for one Dagster instance may keep the runs of several;
    and that they are its own, for a run that is executed again inherits its parent's.
    """
    return {HOME_TAG: hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:16], RUN_TAG: run_id}


class NightFailedError(dg.Failure):
    """A stage failed: the kind of the error and where it was met, without what it said, which may quote the data.

    As Dagster's own failure it is what the run shows first, of the step and of the run, and nothing is retried.
    """

    def __init__(self, why: str) -> None:
        super().__init__(description=why, allow_retries=False)


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


class NightResource(dg.ConfigurableResource["NightResource"]):
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
    wait_minutes: float = 12 * 60
    """So long a run waits while another goes on over the home: of two nights, one is after the other."""

    echo: ClassVar[Any] = staticmethod(lambda line: None)
    """Where progress goes; the command line sets it to print."""

    _night: Night = PrivateAttr()

    @contextlib.contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["NightResource"]:
        """Holds the lock and, whatever happens, writes the run's report."""
        if context.run is None or context.instance is None:
            raise RuntimeError("a night runs as a Dagster run")
        settled = _settled(Path(self.home))
        settings = Settings(
            inbox=Path(self.inbox),
            home=Path(self.home),
            snapshot_date=_day(context.run),
            run=context.run.run_id[:8],
            rates=Path(self.rates),
            kravtyper=Path(self.kravtyper),
            max_held_back=self.max_held_back,
            warn_held_back=settled.warn_held_back,
            max_age_days=self.max_age_days,
            source_max_age=settled.source_max_age,
            max_loss=self.max_loss,
            keep=self.keep,
            workers=self.workers,
            memory=self.memory,
            full=self.full,
            allow_date=self.allow_date,
        )
        with contextlib.ExitStack() as held:
            self._night = self._begin(context, held, settings)
            report = self._night.report
            try:
                _end_dead_runs(context.instance, context.run, settings.home)
                yield self
            except BaseException as error:
                report.failure = report.failure or f"Dagster: {told(error)}"
                raise
            finally:
                with telling_no_data("finish", report):
                    self._night.finish()

    def _begin(self, context: dg.InitResourceContext, held: contextlib.ExitStack, settings: Settings) -> Night:
        """Takes the home's lock and begins the report. Dagster keeps a resource's errors, so why not is told here."""

        def waiting(whom: str) -> None:
            NightResource.echo(whom)
            if context.log:
                context.log.info(whom)

        try:
            is_held = held.enter_context(locked(settings.home, settings.run, 60 * self.wait_minutes, waiting))
            night = Night(settings, progress=NightResource.echo, lock_is_held=is_held)
            night.report.partial = context.run is not None and not _publishes(context.run)
            night.report.begin(settings.home)
        except (HomeInUseError, OSError) as error:
            why = str(error)
            if isinstance(error, OSError):
                why = f"the home cannot be written: {error.strerror}: {error.filename}"
            NightResource.echo(f"{NOT_BEGUN}{why}")
            raise NightFailedError(f"{NOT_BEGUN}{why}") from None
        return night

    def through(self, stage: str) -> Left:
        """What the night's stages through this one have left; else the check that asks fails, and says why."""
        with telling_no_data("asset check", self._night.report):
            return self._night.through(stage)

    def do(self, stage: str) -> Counts:
        """Does a stage of the night; returns what it counted."""
        type(self).echo(f"{stage} …")
        with telling_no_data(stage, self._night.report):
            return self._night.do(stage).counts


def _settled(home: Path) -> Operations:
    """What the operator has settled for the home. Raises ``NightFailedError``: the file may have a slip in it."""
    try:
        return operations(home)
    except OperationsError as error:
        raise NightFailedError(f"{NOT_BEGUN}{error}") from None


def _day(run: dg.DagsterRun) -> date:
    """The run's snapshot date. Raises ``NightFailedError``: a partition of any name can be added in the UI."""
    try:
        told = run.tags.get("dagster/partition", "")
        day = date.fromisoformat(told)
        if told != str(day):  # Python takes other forms of a date too
            raise ValueError
    except ValueError:
        raise NightFailedError("a night is of one day: its partition must be a date, YYYY-MM-DD") from None
    return day


def _publishes(run: dg.DagsterRun) -> bool:
    """Whether the run was asked to publish: of all, or of some assets and steps."""
    steps = run.step_keys_to_execute
    if steps:
        return SNAPSHOT in steps
    return run.asset_selection is None or dg.AssetKey(SNAPSHOT) in run.asset_selection


def _end_dead_runs(instance: dg.DagsterInstance, ours: dg.DagsterRun, home: Path) -> None:
    """Runs of this home that are still said to go on, though we hold its lock, died: they are failed.

    A run has the home's tags from when it held the lock; of the command line's, which may have them from the start,
    one that is later than ours may still look whether it can.
    """
    tags, status = home_tags(home, ours.run_id), dg.DagsterRunStatus
    instance.add_run_tags(ours.run_id, tags)
    record = instance.get_run_record_by_id(ours.run_id)
    earlier = dg.RunsFilter(
        statuses=[status.NOT_STARTED, status.STARTING, status.STARTED],
        tags={HOME_TAG: tags[HOME_TAG]},
        created_before=record.create_timestamp if record else None,
    )
    for run in instance.get_runs(filters=earlier):
        if run.run_id != ours.run_id and run.tags.get(RUN_TAG, run.run_id) == run.run_id:
            instance.report_run_failed(run, "the process of this run is gone: it died, or was killed")
