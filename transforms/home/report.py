"""What a run leaves for the operator, whatever came of it: ``<home>/runs/<time>-<run>/``.

report.json        outcome, reasons to stop, findings counted by code, what every stage counted; there from the run's
                   beginning, so that one that died is told of too
findings.parquet   every refusal and report (``transforms.home.findings``)
"""

import errno
import os
import shutil
import traceback
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from schemas.receipts import AcceptReceipt, CheckReceipt, Receipt
from schemas.refusals import SENTENCES, Refusal
from schemas.report import RunReport, Stages
from schemas.snapshot import Accepted
from transforms.home.findings import findings
from transforms.home.lock import is_held
from transforms.home.shown import shown
from transforms.home.snapshot import CURRENT, FINDINGS, MANIFEST, read_json, write_json
from transforms.root import ROOT
from transforms.rules.reference import ReferenceFileError

RUNS = "runs"
REPORT = "report.json"
UNFINISHED, RUNNING, UNREADABLE = "unfinished", "running", "unreadable"
"""The outcomes of a run that began and died, of one that goes on, and of one whose report is damaged."""
NOTHING_NEW = "no source has delivered anything since the last night: its posts are those of the night before"
RETAINED_REPORTS = 60
DELIVERIES_TOLD = 20


class StoppedError(Exception):
    """The run stops before publishing (CONTRACT section 2, level 3). Yesterday's documents stay up."""

    def __init__(self, reasons: list[Refusal]) -> None:
        super().__init__("; ".join(sentence(reason) for reason in reasons))
        self.reasons = reasons


def sentence(refusal: Refusal) -> str:
    """A refusal in one line: code; source, delivery and file if it has them; what it stands for; what is said of it."""
    number = None if refusal.leveransenummer is None else f"{refusal.leveransenummer:06d}"
    place = " ".join(word for word in (refusal.kilde, number, refusal.fil) if word)
    words = (place, SENTENCES[refusal.code], refusal.message)
    return f"{refusal.code} {': '.join(word for word in words if word)}"


@dataclass
class Report:
    """What is to be told of a run: the receipts that it read or wrote, its own reasons to stop, why it failed if so.

    ``no_room``: a stage met a full disk. ``partial``: it was not asked to publish. ``dagster_run``: the
    whole id of Dagster's run.
    """

    run: str
    snapshot_date: date
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    receipts: dict[str, Receipt] = field(default_factory=dict)
    stops: list[Refusal] = field(default_factory=list)
    failure: str | None = None
    no_room: bool = False
    partial: bool = False
    dagster_run: str | None = None

    def begin(self, home: Path) -> None:
        """Makes the run's folder, with a report that it hasn't ended; of those before ``RETAINED_REPORTS`` stay."""
        folder = self._folder(home)
        folder.mkdir(parents=True)
        self._write(folder, outcome=UNFINISHED)
        for old in sorted((home / RUNS).glob("*"))[:-RETAINED_REPORTS]:
            shutil.rmtree(old)
        for half_written in (home / RUNS).glob("*/.*.part"):
            half_written.unlink()

    def refusals(self) -> list[Refusal]:
        """Everything refused or reported but rows: of deliveries, of posts in all, and reasons to stop."""
        accepted, checked = self.receipts.get("accept"), self.receipts.get("check")
        return [
            *(accepted.refusals if isinstance(accepted, AcceptReceipt) else []),
            *self.all_stops(),
            *(checked.reports if isinstance(checked, CheckReceipt) else []),
        ]

    def all_stops(self) -> list[Refusal]:
        """The run's reasons to stop, and those that its stages left, each once."""
        left = [reason for receipt in self.receipts.values() for reason in receipt.stops]
        return list(dict.fromkeys([*left, *self.stops]))

    def said(self) -> list[str]:
        """What is to be said of the run beside its codes: that nothing new has come from any source in force."""
        accepted = self.receipts.get("accept")
        missed = {refusal.kilde for refusal in self.refusals() if refusal.code == "R-SOURCE-MISSED"}
        return [NOTHING_NEW] if missed and isinstance(accepted, AcceptReceipt) and missed == {*accepted.used} else []

    def findings(self, quarantined: Path) -> pl.DataFrame:
        """All of them, and the rows that ``check`` left as ``quarantined``, if it was done and they can be read."""
        try:
            return findings(self.refusals(), quarantined if "check" in self.receipts else None)
        except (OSError, pl.exceptions.PolarsError) as error:
            self.failure = self.failure or f"findings: {told(error)}"
            return findings(self.refusals())

    def end(self, home: Path, found: pl.DataFrame, *, published: bool) -> None:
        """Writes what came of the run into its folder, the findings first."""
        folder = self._folder(home)
        folder.mkdir(parents=True, exist_ok=True)
        found.write_parquet(folder / FINDINGS)
        stops = self.all_stops()
        failed = "stopped" if stops else "partial" if self.partial and not self.failure else "failed"
        deliveries = [refusal for refusal in self.refusals() if refusal.level == 1]
        self._write(
            folder,
            outcome="published" if published else failed,
            told=self.said(),
            stops=[sentence(stop) for stop in stops],
            deliveries=[sentence(refusal) for refusal in deliveries[:DELIVERIES_TOLD]],
            findings=dict(found.group_by("kode").len().sort("kode").iter_rows()),
            stages=Stages.model_validate({name: receipt.counts for name, receipt in self.receipts.items()}),
        )

    def _folder(self, home: Path) -> Path:
        return home / RUNS / f"{self.started:%Y%m%dT%H%M%S%f}-{self.run}"

    def _write(self, folder: Path, **content: Any) -> None:
        report = RunReport(
            run=self.run,
            dagster_run=self.dagster_run,
            snapshotdato=self.snapshot_date,
            failure=self.failure,
            **content,
        )
        write_json(folder / REPORT, report.model_dump(mode="json"))


def told(error: BaseException) -> str:
    """What may be told of an error: its kind, and where in our code. What it says may quote the data.

    The errors whose text is ours, and holds no data, are told in full; of the system's, the errno's text, which the
    engines' errors hold when they met one.
    """
    kind = type(error).__name__
    if isinstance(error, StoppedError | ReferenceFileError):
        return f"{kind}: {error}"
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    ours = [f"{path.relative_to(ROOT)}:{line}" for path, line in frames if _is_ours(path)]
    met = [os.strerror(error.errno)] if isinstance(error, OSError) and error.errno else []
    return f"{kind}{systems_words(str(error), *met)} at {', '.join(ours) or 'a place outside our code'}"


def systems_words(text: str, *met: str) -> str:
    """What the system says in the text of itself, after a colon, if it does. ``met``: words to look for first."""
    return next((f": {words}" for words in (*met, *SYSTEMS) if words in text), "")


def is_no_room(error: BaseException) -> bool:
    """Whether an error is of a disk that is full."""
    return any(words in str(error) for words in NO_ROOM)


def what_to_do(failure: str | None) -> str:
    """What to do about a failure, of those where that is known by what the system says; else nothing."""
    return MAKE_ROOM if any(words in (failure or "") for words in NO_ROOM) else ""


def passes_by_itself(error: BaseException) -> bool:
    """Whether an error is of the system, and may not be met again when the same is done once more."""
    return any(words in str(error) for words in PASSING)


def _is_ours(path: Path) -> bool:
    """Whether a source file is of one of our packages, not of an environment that may lie in the project."""
    package = ROOT / path.relative_to(ROOT).parts[0] if path.is_relative_to(ROOT) else None
    return package is not None and (package / "__init__.py").is_file()


NO_ROOM = (*map(os.strerror, (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)), "database or disk is full")
SYSTEMS = (
    *NO_ROOM,
    *map(os.strerror, (errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO)),
    *map(os.strerror, (errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH, errno.ETIMEDOUT)),
    *("attempt to write a readonly database", "unable to open database file", "disk I/O error", "no such table"),
    *("server closed the connection unexpectedly", "terminating connection", "could not translate host name"),
)
"""What the system, and SQLite or PostgreSQL under Dagster, say of a disk that is full, read-only or broken, and of a
database that is gone."""
MAKE_ROOM = "the disk is full: make room on it (docs/operations.md, A full disk)"
PASSING = tuple(
    os.strerror(number)
    for number in (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EBUSY, errno.EHOSTDOWN, errno.EHOSTUNREACH)
)
"""What the system says of a file system over a network that does not answer, or a disk that fails over."""


def by_code(refusals: Iterable[Refusal], *levels: int) -> dict[str, int]:
    """How many refusals of the levels there are of each code."""
    return dict(sorted(Counter(refusal.code for refusal in refusals if refusal.level in levels).items()))


def delivered_files(used: list[Accepted]) -> pl.DataFrame:
    """The files of the deliveries in force: ``kilde``, ``leveransenummer``, ``tabell``, ``fil`` (number), ``sti``.

    ``sti`` is the file's name as it may be shown.
    """
    files = [
        (delivery.kilde, delivery.leveransenummer, table, place, shown(sti))
        for delivery in used
        for table, listed in delivery.filer.items()
        for place, sti in enumerate(listed)
    ]
    schema = {"kilde": pl.String, "leveransenummer": pl.Int32, "tabell": pl.String, "fil": pl.Int32, "sti": pl.String}
    return pl.DataFrame(files, schema=schema, orient="row")


def add_failure(home: Path, run: str, failure: str) -> None:
    """Adds to the report of a run that has ended why it failed, when that was met after it had been written, or when
    there was no room for its end.
    """
    folder = last_run(home, run)
    report = read_report(folder) if folder else None
    if folder and report and report.outcome in ("failed", UNFINISHED, RUNNING) and not report.failure:
        now = report.model_copy(update={"outcome": "failed", "failure": failure})
        write_json(folder / REPORT, now.model_dump(mode="json"))


def put_on_record(home: Path, report: RunReport) -> None:
    """Writes the report of what is done with a home and is no night, or of a night that could not begin."""
    folder = home / RUNS / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{report.run}"
    folder.mkdir(parents=True)
    try:
        write_json(folder / REPORT, report.model_dump(mode="json"))
    except OSError:
        folder.rmdir()  # without a report it would be of a night that died
        raise


def runs(home: Path) -> list[Path]:
    """The folders of the runs over the home, the last that began first. Raises ``OSError``."""
    folders = (path for path in (home / RUNS).iterdir() if path.is_dir()) if (home / RUNS).exists() else ()
    return sorted(folders, reverse=True)


def started(folder: Path) -> datetime | None:
    """When the run of the folder began; None when its name does not tell."""
    try:
        return datetime.strptime(folder.name.partition("-")[0], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
    except ValueError:
        return None


def last_run(home: Path, run: str | None = None) -> Path | None:
    """The folder of the last run that began over the home, whatever came of it; or of the last of the name ``run``.

    Raises ``OSError`` when the reports may not be read.
    """
    return next((folder for folder in runs(home) if run in (None, folder.name.partition("-")[2])), None)


def last_night(home: Path) -> Path | None:
    """The folder of the last run that was a night, or left no report of what it was. Raises ``OSError``."""
    return next((folder for folder in runs(home) if read_report(folder).kind == "night"), None)


def read_report(folder: Path) -> RunReport:
    """A run's report. Of a run that left none, or one that cannot be read, what its folder's name tells.

    A run that published and could not end is a published one.
    """
    run = folder.name.partition("-")[2]
    try:
        report = RunReport.model_validate_json((folder / REPORT).read_bytes())
    except FileNotFoundError:
        report = RunReport(run=run, outcome=UNFINISHED)
    except ValueError:
        report = RunReport(run=run, outcome=UNREADABLE)
    home = folder.parent.parent
    if report.outcome == UNFINISHED and _published_by(home) == run:
        return report.model_copy(update={"outcome": "published"})
    if report.outcome == UNFINISHED and is_held(home):
        return report.model_copy(update={"outcome": RUNNING})
    return report


def _published_by(home: Path) -> str | None:
    """The run that published what is published, if that can be read."""
    try:
        return str(read_json(home / CURRENT / MANIFEST)["run"])
    except (OSError, ValueError, KeyError):
        return None


def last_report(home: Path) -> RunReport | None:
    """The report of the last run that began over the home, as ``read_report`` gives it."""
    folder = last_run(home)
    return read_report(folder) if folder else None


def read_findings(folder: Path) -> pl.DataFrame | None:
    """A run's findings; None when it left none, or they cannot be read."""
    try:
        return pl.read_parquet(folder / FINDINGS, glob=False)
    except (FileNotFoundError, pl.exceptions.PolarsError):
        return None
