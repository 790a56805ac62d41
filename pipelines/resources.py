"""The night as a Dagster resource: one per run, holding the home's lock from first stage to last."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import dagster as dg
import polars as pl
from dagster._core.errors import DagsterUserCodeProcessError
from dagster_shared.error import SerializableErrorInfo
from pydantic import PrivateAttr

from pipelines.alarm import tell_of_night
from pipelines.nights import PARTITION
from pipelines.pages import cures, of_stops, warnings
from pipelines.retention import HOME_TAG, forget_old_runs, home_mark
from pipelines.settings import default_home, default_inbox, operations
from schemas.operations import Operations, OperationsError
from schemas.receipts import Receipt
from schemas.refusals import Refusal
from schemas.report import RunReport
from transforms.home import ballast
from transforms.home.lock import HomeInUseError, locked
from transforms.home.report import (
    Report,
    StoppedError,
    last_run,
    passes_by_itself,
    put_on_record,
    read_report,
    told,
    what_to_do,
)
from transforms.home.snapshot import FINDINGS
from transforms.night import Night
from transforms.receipts import Left
from transforms.rules.reference import KRAVTYPER, RATES
from transforms.run import Settings

SNAPSHOT = "snapshot"
"""The asset that publishes."""
RUN_TAG = "kravoversikt/run"
OUTCOME_TAG, WARNINGS_TAG, STOPPED_TAG = "kravoversikt/outcome", "kravoversikt/warnings", "kravoversikt/stopped-by"
"""What a list of runs tells of each: published or not, how many codes to look at, the codes that stopped it."""
NEVER_AGAIN = {"dagster/max_retries": "0"}
"""The tag of a run that Dagster's daemon does not execute again when it fails, whatever ``dagster.yaml`` says."""
SECONDS_BETWEEN = 10
"""Of a stage's progress, so often one line comes into Dagster's log: each costs it an event."""


NOT_BEGUN = "not begun: "
"""What is told of a run begins so when it took no stage in hand."""


def home_tags(home: Path, run_id: str) -> dict[str, str]:
    """The tags that say of a Dagster run which home it is over, for one Dagster instance may keep the runs of several;
    and that they are its own, for a run that is executed again inherits its parent's.
    """
    return {HOME_TAG: home_mark(home), RUN_TAG: run_id}


class NightFailedError(DagsterUserCodeProcessError, dg.Failure):
    """A stage failed: the kind of the error and where it was met, without what it said, which may quote the data; or
    why the night stops, and what to do.

    As Dagster's own failure it is what the run shows first, of the step and of the run. As the error of another process
    it is shown by its words alone: where in Dagster it was raised helps nobody. Nothing is tried again: a stop, or a
    fault of ours, would be met again.
    """

    def __init__(self, why: str, stops: list[Refusal] | None = None) -> None:
        codes = dict.fromkeys(stop.code for stop in stops or [])
        cure = cures(codes) if codes else what_to_do(why)
        what = {"what to do": dg.MetadataValue.md(cure)} if cure else None
        words = SerializableErrorInfo(f"{why}\n", [], type(self).__name__)
        super().__init__(  # type: ignore[no-untyped-call]
            description=why, metadata=what, allow_retries=False, user_code_process_error_infos=[words]
        )


class MayPassError(dg.Failure):
    """A stage failed of what passes by itself, such as a file system that doesn't answer: it is tried again."""

    def __init__(self, why: str) -> None:
        super().__init__(description=why)


RETRIES = dg.RetryPolicy(max_retries=2, delay=15, backoff=dg.Backoff.EXPONENTIAL)
"""Of a stage, within the run: after 15 s and after 30 s more, which a mount or a storage that fails over needs."""


@contextlib.contextmanager
def telling_no_data(stage: str, report: Report) -> Iterator[None]:
    """Keeps a failure within for the run's report, and raises ``NightFailedError`` in its place.

    Dagster stores an error's text, and that of the errors it was raised from, with the run; so it gets none
    whose text is not ours. An interrupt goes on as it is.
    """
    try:
        yield
    except (NightFailedError, MayPassError):  # told already
        raise
    except BaseException as error:
        report.failure = f"{stage}: {told(error)}"
        if isinstance(error, StoppedError):
            raise NightFailedError(of_stops(error.reasons), error.reasons) from None
        if isinstance(error, Exception | pl.exceptions.PanicException):
            kind = MayPassError if passes_by_itself(error) else NightFailedError
            raise kind(report.failure) from None
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
    _operations: Operations = PrivateAttr()
    _log: logging.Logger = PrivateAttr()
    _logged: float = PrivateAttr(default=0)
    _why_not: str = PrivateAttr("")
    """Why the night could not begin, if so."""

    @contextlib.contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["NightResource"]:
        """Holds the lock and, whatever happens, writes the run's report."""
        if context.run is None or context.instance is None:
            raise RuntimeError("a night runs as a Dagster run")
        run_id = context.run.run_id
        record = context.instance.get_run_by_id(run_id)
        if record and record.is_finished:  # Dagster makes the resources once more to read what came of a run
            yield self
            return
        settled = self._operations = self._settled(context)
        settings = Settings(
            inbox=Path(self.inbox),
            home=Path(self.home),
            snapshot_date=_day(context.run),
            run=run_id[:8],
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
        with contextlib.ExitStack() as held:  # told last, when another run may begin
            held.callback(lambda: tell_of_night(settings.home, run_id, self._why_not, self._say(context)))
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
                _tell_outcome(context, settings)
                forget_old_runs(context.instance, settings.home)

    def _settled(self, context: dg.InitResourceContext) -> Operations:
        """What the operator has settled for the home. Raises ``NightFailedError``: the file may have a slip in it."""
        home = Path(self.home)
        try:
            return operations(home)
        except OperationsError as error:
            _put_on_record(context.run, home, str(error))
            tell_of_night(home, context.run_id or "", "", self._say(context))
            raise NightFailedError(f"{NOT_BEGUN}{error}") from None

    def _begin(self, context: dg.InitResourceContext, held: contextlib.ExitStack, settings: Settings) -> Night:
        """Takes the home's lock and begins the report. Dagster keeps a resource's errors, so why not is told here."""

        try:
            ballast.lay(settings.home)
            waiting = self._say(context)
            is_held = held.enter_context(locked(settings.home, settings.run, 60 * self.wait_minutes, waiting))
            night = Night(settings, progress=self._progress, lock_is_held=is_held)
            night.report.partial = context.run is not None and not _publishes(context.run)
            night.report.dagster_run = context.run.run_id if context.run else None
            night.report.begin(settings.home)
        except (HomeInUseError, OSError) as error:
            why = str(error)
            if isinstance(error, OSError):
                why = f"the home cannot be written: {error.strerror}: {error.filename}"
                _put_on_record(context.run, settings.home, why)
            NightResource.echo(f"{NOT_BEGUN}{why}")
            self._why_not = why
            raise NightFailedError(f"{NOT_BEGUN}{why}") from None
        return night

    @staticmethod
    def _say(context: dg.InitResourceContext) -> Callable[[str], None]:
        """Says a line on the command line and in the run's log."""

        def say(line: str) -> None:
            NightResource.echo(line)
            if context.log:
                with contextlib.suppress(Exception):  # the log may be what is gone
                    context.log.info(line)

        return say

    def through(self, stage: str) -> Left:
        """What the night's stages through this one have left; else the check that asks fails, and says why."""
        with telling_no_data("asset check", self._night.report):
            return self._night.through(stage)

    @property
    def settings(self) -> Settings:
        """What the run is run with."""
        return self._night.settings

    @property
    def operations(self) -> Operations:
        """What the operator has settled for the home, as the run began."""
        return self._operations

    @property
    def report(self) -> Report:
        """What the run is going to tell."""
        return self._night.report

    def do(self, stage: str, log: logging.Logger) -> Receipt:
        """Does a stage of the night; returns what it left. ``log``: the step's, told of its beginning and its end."""
        type(self).echo(f"{stage} …")
        log.info(f"{stage}: begins")
        self._log, self._logged = log, time.monotonic()
        with telling_no_data(stage, self._night.report):
            receipt = self._night.do(stage)
        if (self._night.report.failure or "").startswith(f"{stage}:"):
            self._night.report.failure = None  # of an attempt before
        log.info(f"{stage}: done in {receipt.counts.seconds:.2f} s, at most {receipt.counts.peak_memory_mb} MB")
        return receipt

    def _progress(self, line: str) -> None:
        """A line of a stage's progress, for the command line, and when the last one is some time ago for Dagster."""
        type(self).echo(line)
        if time.monotonic() - self._logged >= SECONDS_BETWEEN:
            self._log.info(line)
            self._logged = time.monotonic()


def _day(run: dg.DagsterRun) -> date:
    """The run's snapshot date. Raises ``NightFailedError``: a partition of any name can be added in the UI."""
    try:
        told = run.tags.get(PARTITION, "")
        day = date.fromisoformat(told)
        if told != str(day):  # Python takes other forms of a date too
            raise ValueError
    except ValueError:
        raise NightFailedError("a night is of one day: its partition must be a date, YYYY-MM-DD") from None
    return day


def _put_on_record(run: dg.DagsterRun | None, home: Path, failure: str) -> None:
    """Leaves a report of the run that could not begin, where there is room for one."""
    if run:
        left = RunReport(run=run.run_id[:8], dagster_run=run.run_id, snapshotdato=_day(run), outcome="failed")
        with contextlib.suppress(OSError):
            put_on_record(home, left.model_copy(update={"failure": f"its beginning: {failure}"}))


def _publishes(run: dg.DagsterRun) -> bool:
    """Whether the run was asked to publish: of all, or of some assets and steps."""
    steps = run.step_keys_to_execute
    if steps:
        return SNAPSHOT in steps
    return run.asset_selection is None or dg.AssetKey(SNAPSHOT) in run.asset_selection


def _tell_outcome(context: dg.InitResourceContext, settings: Settings) -> None:
    """Puts what came of the run on it as tags, and as the last line of its log: with warnings, or stopped by what."""
    folder = None
    with contextlib.suppress(OSError):  # nothing may fail that has been published
        folder = last_run(settings.home, settings.run)
    if context.instance is None or context.run is None or folder is None:
        return
    report = read_report(folder)
    codes = {code: report.findings[code] for code in warnings(report.findings)}
    stopped = dict.fromkeys(stop.partition(" ")[0] for stop in report.stops)
    tags = {OUTCOME_TAG: report.outcome}
    tags |= {WARNINGS_TAG: str(len(codes))} if codes else {}
    tags |= {STOPPED_TAG: ", ".join(stopped)} if stopped else {}
    context.instance.add_run_tags(context.run.run_id, tags)
    words = f"night of {settings.snapshot_date}: {report.outcome}"
    words += f", with warnings: {', '.join(f'{code} × {count}' for code, count in codes.items())}" if codes else ""
    if context.log:
        level = logging.ERROR if report.outcome != "published" else logging.WARNING if codes else logging.INFO
        context.log.log(level, "; ".join([words, *report.told, *(f"stopped by {stop}" for stop in report.stops)]))


JUST_ENDED = 60.0
"""Seconds in which a run that has left its report, and the lock, may still be telling of it: a receiver may be slow."""


def _has_just_ended(home: Path, run: dg.DagsterRun) -> bool:
    """Whether the run has left its findings just now: Dagster hears of its end from itself."""
    with contextlib.suppress(OSError):
        folder = last_run(home, run.run_id[:8])
        return folder is not None and time.time() - (folder / FINDINGS).stat().st_mtime < JUST_ENDED
    return False


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
        if run.run_id == ours.run_id or _has_just_ended(home, run):
            continue
        if run.tags.get(RUN_TAG, run.run_id) == run.run_id:
            instance.add_run_tags(run.run_id, NEVER_AGAIN)  # ours has come in its place
            instance.report_run_failed(run, "the process of this run is gone: it died, or was killed")
