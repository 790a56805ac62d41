"""What is seen of a home when someone may be to be told: read once, of files that no run writes any more."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from schemas.report import RunReport
from schemas.snapshot import SnapshotManifest
from transforms.home.report import last_night, last_run, read_findings, read_report
from transforms.home.snapshot import HomeDamagedError, OtherVersionError, published_snapshot, read_manifest


@dataclass(frozen=True)
class Seen:
    """``report`` and ``findings`` of the last night, or of the one asked for, and when it had ``begun``; ``published``,
    the snapshot's manifest; ``damage``, why that cannot be read; ``run_id``, Dagster's whole id of the run, if it is
    known; ``now``, in UTC.
    """

    report: RunReport | None = None
    findings: pl.DataFrame | None = None
    published: SnapshotManifest | None = None
    damage: str | None = None
    run_id: str | None = None
    begun: datetime | None = None
    now: datetime = datetime(2000, 1, 1, tzinfo=UTC)

    @property
    def is_of_this_run(self) -> bool:
        """Whether what is published is the run's."""
        return bool(self.report and self.published and self.published.run == self.report.run)


def see(home: Path, run_id: str | None = None, now: datetime | None = None) -> Seen:
    """Reads the home: its last night, or the run of Dagster's ``run_id``; ``now``, if it is not the clock's.

    Raises ``OSError`` when it may not be read.
    """
    folder = last_run(home, run_id[:8]) if run_id else last_night(home)
    published, damage = None, None
    try:
        snapshot = published_snapshot(home)
        published = read_manifest(snapshot) if snapshot else None
    except (HomeDamagedError, OtherVersionError) as error:
        damage = str(error)
    report = read_report(folder) if folder else None
    return Seen(
        report=report,
        findings=read_findings(folder) if folder else None,
        published=published,
        damage=damage,
        run_id=run_id or (report.dagster_run if report else None),
        begun=_begun(folder) if folder else None,
        now=now or datetime.now(UTC),
    )


def _begun(folder: Path) -> datetime | None:
    """When the run of the folder began, by its name."""
    try:
        return datetime.strptime(folder.name.partition("-")[0], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
    except ValueError:
        return None
