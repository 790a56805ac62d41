"""Accepted deliveries: what a manifest keeps of them, and the form of their refused rows."""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

OSLO = ZoneInfo("Europe/Oslo")

REFERENCES = ("part", "kravidentifikator", "kravforfallsidentifikator", "motpost")
"""Columns through which a refused row leads to the parts it holds back (CONTRACT section 2)."""

REFUSED_SCHEMA = pl.Schema(
    {
        "tabell": pl.String(),
        "noekkel": pl.String(),
        "fil": pl.Int32(),
        "rad": pl.UInt32(),
        "koder": pl.List(pl.String()),
        **dict.fromkeys(REFERENCES, pl.String()),
        "slettet": pl.Boolean(),
    }
)
"""A refused row: its table, its key as delivered (null when it has none), its place, its reasons, what it leads to
parts by, and whether it is a removal (not there in deliveries that an earlier program accepted)."""


@dataclass(frozen=True)
class Accepted:
    """A delivery whose rows are in the home, in ``<home>/deliveries/<folder>``."""

    kilde: str
    leveransenummer: int
    type: str
    uttrekkstidspunkt: str
    manifest_sha256: str
    filer: dict[str, list[str]]
    receipt: dict[str, Any]

    @property
    def folder(self) -> str:
        """Where its rows are, below the home's ``deliveries``."""
        return f"{self.kilde}/{self.leveransenummer:06d}-{self.manifest_sha256[:16]}"

    @property
    def extracted_at(self) -> datetime:
        """``uttrekkstidspunkt`` with its offset."""
        return datetime.fromisoformat(self.uttrekkstidspunkt)

    @property
    def day(self) -> date:
        """The day in Oslo that it was extracted on."""
        return self.extracted_at.astimezone(OSLO).date()

    def rows(self, tabell: str) -> int:
        """How many rows of the table were delivered."""
        return int(self.receipt.get(tabell, {"rader": 0})["rader"])

    def as_json(self) -> dict[str, Any]:
        """For a manifest or a report."""
        return asdict(self)
