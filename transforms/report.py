"""What a run leaves for the operator, whatever came of it: ``<home>/runs/<time>-<run>/``.

report.json        outcome, reasons to stop, findings counted by code, what every stage counted
findings.parquet   every refusal and report (``transforms.findings``)
"""

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

from schemas.refusals import SENTENCES, Refusal
from transforms.deliveries import shown
from transforms.reference import ReferenceFileError
from transforms.snapshot import read_json, write_json
from transforms.sources import Accepted

RUNS = "runs"
KEPT_REPORTS = 60
ROOT = Path(__file__).resolve().parent.parent


class StoppedError(Exception):
    """The run stops before publishing (CONTRACT section 2, level 3). Yesterday's documents stay up."""

    def __init__(self, reasons: list[Refusal]) -> None:
        super().__init__("; ".join(sentence(reason) for reason in reasons))
        self.reasons = reasons


def sentence(refusal: Refusal) -> str:
    """A refusal in one line: code, what it stands for, and what is said of this one."""
    return f"{refusal.code} {SENTENCES[refusal.code]}: {refusal.message}"


@dataclass
class Report:
    """What a run has counted so far, and why it failed if it did."""

    run: str
    snapshot_date: date
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)
    failure: str | None = None

    def write(self, home: Path, *, published: bool, stops: list[Refusal], found: pl.DataFrame) -> None:
        """Writes the run's folder; the oldest beyond ``KEPT_REPORTS`` are removed."""
        folder = home / RUNS / f"{self.started:%Y%m%dT%H%M%S%f}-{self.run}"
        folder.mkdir(parents=True)
        found.write_parquet(folder / "findings.parquet")
        write_json(
            folder / "report.json",
            {
                "run": self.run,
                "snapshotdato": str(self.snapshot_date),
                "outcome": "published" if published else "stopped" if stops else "failed",
                "failure": self.failure,
                "stops": [sentence(stop) for stop in stops],
                "findings": dict(found.group_by("kode").len().sort("kode").iter_rows()),
                "stages": self.stages,
            },
        )
        for old in sorted((home / RUNS).glob("*"))[:-KEPT_REPORTS]:
            shutil.rmtree(old)


def told(error: BaseException) -> str:
    """What may be told of an error: its kind, and where in our code. What it says may quote the data.

    The errors whose text is ours, and holds no data, are told in full; of the system's, the errno's text.
    """
    kind = type(error).__name__
    if isinstance(error, StoppedError | ReferenceFileError):
        return f"{kind}: {error}"
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    ours = [f"{path.relative_to(ROOT)}:{line}" for path, line in frames if path.parent.parent == ROOT]
    what = f": {os.strerror(error.errno)}" if isinstance(error, OSError) and error.errno else ""
    return f"{kind}{what} at {', '.join(ours) or 'a place outside our code'}"


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
    schema = {
        "kilde": pl.String,
        "leveransenummer": pl.Int32,
        "tabell": pl.String,
        "fil": pl.Int32,
        "sti": pl.String,
    }
    return pl.DataFrame(files, schema=schema, orient="row")


def last_report(home: Path) -> dict[str, Any] | None:
    """The report of the last run that began over the home, whatever came of it."""
    reports = sorted((home / RUNS).glob("*/report.json"))
    return read_json(reports[-1]) if reports else None


def last_findings(home: Path) -> pl.DataFrame | None:
    """The findings of the last run that began over the home."""
    found = sorted((home / RUNS).glob("*/findings.parquet"))
    return pl.read_parquet(found[-1]) if found else None
