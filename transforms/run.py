"""What a night is run with, and where it works: fixed from its beginning to its end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from transforms.home import snapshot
from transforms.home.path import check_path
from transforms.rules import reference


@dataclass(frozen=True)
class Settings:
    """What a night is run with. ``snapshot_date`` is ``S``, a day in Europe/Oslo.

    ``full``: build every part anew, also those whose documents would be the same. ``allow_date``: take ``S`` also when
    it is before what is published, before all extracts or in the future. ``source_max_age``: the limit in days of
    sources that have one of their own, in place of ``max_age_days``. ``warn_held_back``: a larger share held back is
    reported. ``memory``: DuckDB's limit, such as ``1500MB``; by the number of rows if empty.
    """

    inbox: Path
    home: Path
    snapshot_date: date
    run: str
    rates: Path = reference.RATES
    kravtyper: Path = reference.KRAVTYPER
    max_held_back: float = 0.01
    warn_held_back: float = 0.002
    max_age_days: int = 3
    source_max_age: Mapping[str, int] = field(default_factory=dict)
    max_loss: float = 0.2
    keep: int = 7
    workers: int = 2
    memory: str = ""
    full: bool = False
    allow_date: bool = False
    night: str = ""
    """The run that began the night, if it is another: this one goes on with what that has left."""

    def __post_init__(self) -> None:
        """Raises ``HomePathError``."""
        check_path(self.home, "the home")

    def oldest_of(self, kilde: str) -> int:
        """How many days before ``S`` the source's last used delivery may have been extracted."""
        return self.source_max_age.get(kilde, self.max_age_days)

    @property
    def path(self) -> Path:
        """The home, absolute: its paths stand in the analysts' views."""
        return self.home.resolve()

    @property
    def deliveries(self) -> Path:
        """The folder of accepted rows."""
        return self.path / snapshot.DELIVERIES

    @property
    def nights(self) -> Path:
        """The folder of what unpublished nights have left: of one, but where a lock was lost."""
        return self.path / ".work"

    @property
    def work(self) -> Path:
        """What only this night needs; removed when it is published, and when the next begins."""
        return self.nights / (self.night or self.run)

    @property
    def checked(self) -> Path:
        """The folder of what ``check`` hands over: keys refused, quarantined rows, parts held back, findings."""
        return self.work / "check"

    @property
    def links(self) -> Path:
        """The folder of the links of the good posts that ``check`` hands over (``ledgers.link_files``)."""
        return self.checked / "links"

    @property
    def near(self) -> Path:
        """The folder of the rows that ``check`` looked at, when these are not all."""
        return self.checked / "near"

    @property
    def parts(self) -> Path:
        """Whose documents ``spread`` has chosen to make, and how: ``part``, ``way`` (``build``, ``redate``, ``same`` or
        ``held back``; null for a part that is refused itself), ``known`` (whether it stands in ``part``).
        """
        return self.work / "spread" / "parts.parquet"

    @property
    def posts(self) -> Path:
        """The folder of the posts of parts to build, in buckets (``spread.buckets``)."""
        return self.work / "spread" / "posts"

    @property
    def name(self) -> str:
        """The name of a snapshot that this run builds."""
        return f"{self.snapshot_date}-{self.run}"

    def snapshot(self, name: str) -> Path:
        """The folder of a snapshot."""
        return self.path / snapshot.SNAPSHOTS / name

    def is_published(self, name: str) -> bool:
        """Whether the snapshot of the name is the published one."""
        return (self.path / snapshot.CURRENT).resolve() == self.snapshot(name)

    def previous(self) -> Path | None:
        """The folder of the snapshot that is published now."""
        return snapshot.published_snapshot(self.path)
