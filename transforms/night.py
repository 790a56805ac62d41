"""One night: the stages in order, over one home. What Dagster wires together, and all it needs to know.

A stage is a function of the run's settings and of what earlier stages left, files and ``receipts``: it can be done in a
process of its own, again, or after another has failed. Readers see nothing before ``publish``.
"""

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NoReturn

import pyarrow

from schemas.receipts import BuildReceipt, Receipt
from schemas.refusals import Refusal
from transforms import receipts, stops
from transforms.accept.stage import accept
from transforms.build.stage import build
from transforms.check.stage import check
from transforms.home import ballast
from transforms.home.report import Report, StoppedError, is_no_room
from transforms.home.retained import remove_unpublished
from transforms.home.snapshot import FINDINGS, HomeDamagedError
from transforms.measure import measured
from transforms.publish.stage import publish
from transforms.receipts import Left, MissingError
from transforms.reconcile.stage import reconcile
from transforms.run import Settings
from transforms.spread.stage import spread


@dataclass
class Night:
    """Conducts the stages of a night for one run, while its lock is held; no stage reads what its ``report`` tells."""

    settings: Settings
    progress: Callable[[str], None] = lambda _: None
    lock_is_held: Callable[[], bool] = lambda: True
    report: Report = field(init=False)

    def __post_init__(self) -> None:
        self.settings = replace(self.settings, night=receipts.begun(self.settings))
        self.report = Report(self.settings.run, self.settings.snapshot_date)

    def do(self, stage: str) -> Receipt:
        """Does a stage over what those before it left. Raises ``StoppedError``, and whatever it fails with."""
        self.hold_lock()
        before = receipts.before(stage)
        left = self.through(before[-1]) if before else Left()
        run = self.settings = self.settings if before else replace(self.settings, night=self.settings.run)
        receipts.forget(run, stage)
        try:
            self._remove(stage)
            pyarrow.default_memory_pool().release_unused()  # of the stage before, kept for more of the same
            with measured() as cost, stops.home_can_be_read():
                receipt = self._do(stage, left)
            if stage != "publish":  # which has asked before it switched
                self.hold_lock()
            self.report.receipts[stage] = receipts.write(run, stage, receipt, cost, left.sha256)
        except BaseException as error:
            self._remove(stage)  # half of it is of no use
            if is_no_room(error):  # whoever keeps records of the failure may need some too
                self.report.no_room = True
                ballast.let_go(self.settings.path)
            self.report.stops += error.reasons if isinstance(error, StoppedError) else []
            raise
        return self.report.receipts[stage]

    def _do(self, stage: str, left: Left) -> Receipt:
        run = self.settings
        match stage:
            case "accept":
                return accept(run, self.progress)
            case "check":
                return check(run, left.accept)
            case "spread":
                return spread(run, left.accept, left.check)
            case "build":
                return build(run, left.accept, left.check, left.spread, self.progress)
            case "reconcile":
                return reconcile(run, left.check, left.spread, left.build)
            case _:
                return publish(run, left, self.hold_lock)

    def through(self, stage: str) -> Left:
        """What the stages through this one have left. Raises ``StoppedError`` when one is not of this night."""
        try:
            with stops.home_can_be_read():
                left = receipts.through(self.settings, stage)
        except StoppedError as error:
            self._stop(*error.reasons)
        except MissingError as missing:
            self.report.receipts |= receipts.fitting(self.settings)
            self._stop(*(self.report.all_stops() or [stops.stop(missing.code, str(missing))]))
        self.report.receipts |= left
        return left

    def hold_lock(self) -> None:
        """Raises ``StoppedError`` when another run may have begun over the home."""
        if not self.lock_is_held():
            self._stop(stops.LOCK_LOST)

    def _stop(self, *reasons: Refusal) -> NoReturn:
        self.report.stops += reasons
        raise StoppedError([*reasons])

    def _remove(self, stage: str) -> None:
        """Removes what a stage may have left half done, of no stage all; nothing published, nor another run's."""
        if self.lock_is_held():
            shutil.rmtree(self.settings.work / stage if stage else self.settings.nights, ignore_errors=True)
            if stage in ("build", ""):
                with contextlib.suppress(OSError, HomeDamagedError):
                    remove_unpublished(self.settings.path)

    def finish(self) -> None:
        """Writes the run's report and findings, whatever came of it; what is left of a night published is removed."""
        run, report = self.settings, self.report
        built = report.receipts.get("build")
        published = isinstance(built, BuildReceipt) and run.is_published(built.snapshot)
        if not published and not self.lock_is_held():
            report.stops.append(stops.LOCK_LOST)  # whatever else was met, another run may have caused it
        found = report.findings(run.checked / FINDINGS)
        if published or report.no_room:  # what comes of the night needs some
            self._remove("")
        if not published:
            ballast.let_go(run.path)
        report.end(run.path, found, published=published)
