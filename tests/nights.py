"""Runs nights for the tests: the stages themselves, without Dagster, and what came of them."""

import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from schemas.refusals import Refusal
from schemas.report import Counts
from schemas.store import KINDS
from serving.errors import KravoversiktError
from serving.store import Snapshot
from transforms.home.report import StoppedError
from transforms.home.snapshot import HELD_BACK
from transforms.night import Night
from transforms.receipts import STAGES
from transforms.run import Settings

S = date(2026, 11, 23)
LET_THROUGH = {
    **{"max_held_back": float("inf"), "warn_held_back": float("inf")},
    **{"max_age_days": 100_000, "max_loss": 1, "allow_date": True},
}
"""Settings of a night that nothing stops but a home or a program that is wrong."""


@dataclass
class Nights:
    """A home and an inbox in a folder, and nights run over them one after another."""

    folder: Path
    count: int = 0
    last: Night | None = None

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def take_over(self, other: "Nights") -> "Nights":
        """Copies another's inbox and home here, to go on from: what many tests begin with is made once."""
        shutil.copytree(other.folder, self.folder, symlinks=True, dirs_exist_ok=True)
        self.count = other.count
        return self

    def begin(self, snapshot_date: date = S, **settings) -> Night:
        """A night of which no stage is done yet."""
        self.count += 1
        self.inbox.mkdir(exist_ok=True, parents=True)
        run = f"{self.count:04d}"
        self.last = Night(Settings(self.inbox, self.home, snapshot_date, run, memory="500MB", **settings))
        return self.last

    def run(self, snapshot_date: date = S, **settings) -> Night:
        """One night; it need not be published."""
        night = self.begin(snapshot_date, **settings)
        try:
            for stage in STAGES:
                night.do(stage)
        except StoppedError:
            pass
        finally:
            night.finish()
        return night

    def publish(self, snapshot_date: date = S, **settings) -> Night:
        """One night that must be published, whoever is held back, whatever has gone and whatever the date."""
        night = self.run(snapshot_date, **LET_THROUGH | settings)
        assert not stops_of(night), stops_of(night)
        return night

    def snapshot(self) -> Snapshot:
        return Snapshot.current(self.home)

    def documents(self) -> dict[str, dict[str, str]]:
        """Every part's documents as text."""
        return documents(self.snapshot())

    def dates(self) -> dict[str, date]:
        """The snapshot date of every part's documents."""
        snapshot = self.snapshot()
        return {part: snapshot.snapshot_date(part) for part in snapshot.parts()}

    def oversikt(self, part: str) -> str:
        return self.snapshot().document("oversikt", part).decode()

    def answer(self, part: str) -> str | dict[str, str]:
        """The part's documents, or the code of the error."""
        try:
            return {kind: self.snapshot().history(kind, part).decode() for kind in KINDS}
        except KravoversiktError as error:
            return error.kode

    def findings(self) -> pl.DataFrame:
        """What the last run refused and reported."""
        newest = max((self.home / "runs").iterdir())
        return pl.read_parquet(newest / "findings.parquet")

    def codes(self) -> set[str]:
        return set(self.findings()["kode"])


def stops_of(night: Night) -> list[Refusal]:
    """Why a night was stopped."""
    return night.report.all_stops()


def counts_of(night: Night, stage: str) -> Counts:
    """What a stage of the night counted."""
    return night.report.receipts[stage].counts


def held_back_of(night: Night) -> set[str]:
    """The parts that the night holds back."""
    settings = night.settings
    folder = settings.checked if settings.checked.exists() else settings.path / "current"
    return set(pl.read_parquet(folder / HELD_BACK)["part"])


def documents(snapshot: Snapshot) -> dict[str, dict[str, str]]:
    return {part: {kind: snapshot.history(kind, part).decode() for kind in KINDS} for part in snapshot.parts()}
