"""What a night is run with, and where it works: fixed from its beginning to its end."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from transforms.home import snapshot
from transforms.home.path import check_path
from transforms.rules import reference


@dataclass(frozen=True)
class Settings:
    """What a night is run with. ``snapshot_date`` is ``S``, a day in Europe/Oslo.

    ``full``: build every part anew, also those whose documents would be the same. ``allow_date``: take ``S`` also when
    it is before what is published, before all extracts or in the future. ``memory``: DuckDB's limit, such as
    ``1500MB``; by the number of rows if empty.
    """

    inbox: Path
    home: Path
    snapshot_date: date
    run: str
    rates: Path = reference.RATES
    kravtyper: Path = reference.KRAVTYPER
    max_held_back: float = 0.01
    max_age_days: int = 3
    max_loss: float = 0.2
    keep: int = 7
    workers: int = 2
    memory: str = ""
    full: bool = False
    allow_date: bool = False

    def __post_init__(self) -> None:
        """Raises ``HomePathError``."""
        check_path(self.home, "the home")

    @property
    def path(self) -> Path:
        """The home, absolute: its paths stand in the analysts' views."""
        return self.home.resolve()

    @property
    def work(self) -> Path:
        """What only this run needs; removed at the end and at the start of the next."""
        return self.path / ".work"

    @property
    def name(self) -> str:
        """The name of the snapshot that the night makes."""
        return f"{self.snapshot_date}-{self.run}"

    @property
    def folder(self) -> Path:
        """The folder of the snapshot that the night makes."""
        return self.path / snapshot.SNAPSHOTS / self.name
