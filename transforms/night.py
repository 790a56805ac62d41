"""One night: the stages in order, over one home. What Dagster wires together, and all it needs to know.

A stage is a function of what the night is run with and of what earlier stages left: files, and ``receipts``. Each can
be done in a process of its own, again, or after another has failed; readers see nothing before ``publish``.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from schemas.receipts import BuildReceipt, Receipt
from transforms import receipts
from transforms.accept.stage import accept
from transforms.build.stage import build
from transforms.check.stage import check
from transforms.home.report import Report, StoppedError, systems_words
from transforms.home.snapshot import FINDINGS
from transforms.measure import measured
from transforms.publish.stage import publish
from transforms.receipts import Left, Missing
from transforms.reconcile.stage import reconcile
from transforms.run import Settings
from transforms.spread.stage import spread
from transforms.stops import stop


@dataclass
class Night:
    """Conducts the stages of a night for one run, and keeps what its ``report`` tells of them; no stage reads that.

    ``lock_is_held``: whether the home's lock still is the run's.
    """

    settings: Settings
    progress: Callable[[str], None] = lambda _: None
    lock_is_held: Callable[[], bool] = lambda: True
    report: Report = field(init=False)

    def __post_init__(self) -> None:
        self.report = Report(self.settings.run, self.settings.snapshot_date)

    def do(self, stage: str) -> Receipt:
        """Does a stage over what those before it left. Raises ``StoppedError``, and whatever it fails with."""
        run = self.settings
        self.hold_lock()
        left = self.through(before[-1]) if (before := receipts.before(stage)) else Left()
        receipts.forget(run, stage)
        try:
            self._remove(stage)
            with measured() as cost:
                receipt = self._do(stage, left)
            self.report.receipts[stage] = receipts.write(run, stage, receipt, cost)
        except BaseException as error:
            self._remove(stage)  # half of it is of no use
            if systems_words(str(error)):  # where there is no room, none of the night is kept
                self._remove("")
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
            left = receipts.through(self.settings, stage)
        except Missing as missing:
            self.report.receipts |= receipts.fitting(self.settings)
            if reasons := self.report.all_stops():  # then nobody needs what is missing
                raise StoppedError(reasons) from missing
            code = "L3-STAGE-OTHER" if missing.done else "L3-STAGE-MISSING"
            self._stop("L3-NOT-RECONCILED" if missing.stage == "reconcile" else code, str(missing))
        self.report.receipts |= left
        return left

    def hold_lock(self) -> None:
        """Raises ``StoppedError`` when another run may have begun over the home."""
        if not self.lock_is_held():
            self._stop("L3-LOCK-LOST", "")

    def _stop(self, code: str, message: str) -> NoReturn:
        reason = stop(code, message)
        self.report.stops.append(reason)
        raise StoppedError([reason])

    def _remove(self, stage: str) -> None:
        """Removes what a stage may have left half done, of no stage all; nothing published, nor another run's."""
        run = self.settings
        if self.lock_is_held():
            shutil.rmtree(run.work / stage, ignore_errors=True)
        if self.lock_is_held() and stage in ("build", "") and not run.is_published(run.name):
            shutil.rmtree(run.snapshot(run.name), ignore_errors=True)

    def finish(self) -> None:
        """Writes the run's report and findings, whatever came of it; what is left of a night published is removed."""
        run, report = self.settings, self.report
        built = report.receipts.get("build")
        published = isinstance(built, BuildReceipt) and run.is_published(built.snapshot)
        if not published and not self.lock_is_held():
            report.stops.append(stop("L3-LOCK-LOST", ""))  # whatever else was met, another run may have caused it
        found = report.findings(run.checked / FINDINGS)
        if published:
            self._remove("")
        report.end(run.path, found, published=published)
