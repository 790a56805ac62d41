"""A snapshot's ``manifest.json``: what the night writes of a snapshot, and reads of the one before it.

Written last, and never changed. Within a store version (``schemas.store``, ``docs/versions.md``) fields are only added:
what earlier programs of the version did not write is optional, what later ones add is ignored.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer

from schemas.report import Stages

OSLO = ZoneInfo("Europe/Oslo")

Moment = Annotated[AwareDatetime, PlainSerializer(datetime.isoformat, when_used="json")]
"""With the offset that it was told with, also as text."""
Name = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}-[^/\x00]+$")]
"""Of a snapshot and its folder: its date and the run that made it."""
Version = Annotated[str, Field(pattern=r"^[0-9]{1,9}$")]
RowsBySource = dict[str, dict[str, int]]
"""By source and table."""


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, hide_input_in_errors=True)


class StoredFile(_Model):
    """One file of a snapshot, as it was when the snapshot was made."""

    bytes: int
    sha256: str


class TableReceipt(_Model):
    """What was in one table of a delivery.

    ``oere``: the sum of its amounts. ``failing``: how many values have check digits that fail, by
    report and column (``R-KID kidnummer``).
    """

    rader: int
    refused: int
    removed: int
    oere: int
    failing: dict[str, int]


class Accepted(_Model):
    """A delivery whose rows are in the home, in ``<home>/deliveries/<folder>``.

    ``filer``: the names of its files, by table. ``receipt``: what was in each of its tables.
    """

    kilde: str
    leveransenummer: int
    type: Literal["full", "endring"]
    uttrekkstidspunkt: Moment
    manifest_sha256: str
    filer: dict[str, list[str]]
    receipt: dict[str, TableReceipt]

    @property
    def folder(self) -> str:
        """Where its rows are, below the home's ``deliveries``."""
        return f"{self.kilde}/{self.leveransenummer:06d}-{self.manifest_sha256[:16]}"

    @property
    def extracted_at(self) -> datetime:
        """``uttrekkstidspunkt`` with its offset."""
        return self.uttrekkstidspunkt

    @property
    def day(self) -> date:
        """The day in Oslo that it was extracted on."""
        return self.uttrekkstidspunkt.astimezone(OSLO).date()

    def rows(self, tabell: str) -> int:
        """How many rows of the table were delivered."""
        return self.receipt[tabell].rader if tabell in self.receipt else 0

    def good(self, tabell: str) -> int:
        """How many rows of the table were accepted, removals too: so many lie in the home."""
        return self.rows(tabell) - self.refused(tabell)

    def refused(self, *tabeller: str) -> int:
        """How many rows were refused when it was accepted, of the tables or, if none is named, of all."""
        return sum(self.receipt[tabell].refused for tabell in tabeller or self.receipt if tabell in self.receipt)


def failing_columns(used: Iterable[Accepted]) -> dict[str, set[str]]:
    """By table the columns in which some value's check digits fail in the deliveries."""
    failing: dict[str, set[str]] = {}
    for one in used:
        for tabell, receipt in one.receipt.items():
            failing.setdefault(tabell, set()).update(what.split()[1] for what in receipt.failing)
    return failing


def beyond(used: Iterable[Accepted], known: Iterable[Accepted]) -> list[Accepted]:
    """Those of the deliveries ``used`` that are not among the ``known``, by source and number."""
    before = {(one.kilde, one.leveransenummer) for one in known}
    return [one for one in used if (one.kilde, one.leveransenummer) not in before]


class Reconciliation(_Model):
    """The control totals by both routes (CONTRACT section 5): counts, and sums in øre, by name.

    ``rows``: what the sources say, and how many of it are accepted and quarantined.
    """

    posts: dict[str, int]
    documents: dict[str, int]
    contradictions: int
    rows: dict[str, int]


class ManifestHead(_Model):
    """What manifests of every store version say. ``previous``: the snapshot published before, if any."""

    skjemaversjon: Version
    previous: Name | None


class SnapshotManifest(_Model):
    """All that is said of a snapshot of this program's store version, in the order that it is written in.

    ``made_with``: code and reference data, by name. ``extracted_at``: the oldest of the sources' last extracts.
    ``used``: the deliveries in force, source by source. ``said``: their rows; None when an earlier program made it.
    ``accepted``: all deliveries that this snapshot or one before it has used. ``stages``: what each counted.
    ``files``: by path in the snapshot's folder.
    """

    skjemaversjon: Version
    made_with: dict[str, str]
    snapshot: Name
    snapshotdato: date
    run: str
    made_at: Moment
    extracted_at: Moment
    previous: Name | None
    used: list[Accepted]
    said: RowsBySource | None = None
    accepted: list[Accepted]
    stages: Stages
    reconciliation: Reconciliation
    files: dict[str, StoredFile]


class PublishedSnapshots(_Model):
    """What the home has on record of snapshots beside their manifests (``<home>/published.json``, once it is needed).

    ``published``: those retained, in the order that they were published in, oldest first; the manifests alone don't
    tell it any more once one among them is removed, or was rolled back from. ``withdrawn``: of these, those rolled back
    from. ``pinned``: of these, those that retention passes over.
    """

    published: list[Name] = []
    withdrawn: list[Name] = []
    pinned: list[Name] = []
