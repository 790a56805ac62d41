"""What a stage of the night hands over: files, and a receipt that names them and says what they were made from.

Receipts lie in ``<home>/.work/<run>/receipts/<stage>.json``, of the run that began the night, from when their stage is
done until the night is published or the next one begins. A stage reads those of the stages before, and nothing else is
handed over.
"""

from datetime import date

from pydantic import BaseModel, ConfigDict

from schemas.refusals import Refusal
from schemas.report import (
    AcceptCounts,
    BuildCounts,
    CheckCounts,
    Counts,
    PublishCounts,
    ReconcileCounts,
    SpreadCounts,
)
from schemas.snapshot import Accepted, Reconciliation, beyond

Totals = dict[str, int]
"""Name of a count or a sum to its value; sums in øre."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NightOf(_Model):
    """What a night is made from, beside its deliveries: a receipt of another one is not its own."""

    snapshot_date: date
    previous: str | None
    """The snapshot that was published when it began."""
    made_with: dict[str, str]
    """The code, the libraries and the reference data (``transforms.home.version``)."""
    settings: dict[str, str]


class Receipt(_Model):
    """What every receipt has. ``stops``: the stage's reasons not to publish; the night goes on to find all of them."""

    run: str = ""
    upstream: str = ""
    """The sha256 of the receipt of the stage before, as it was read; none for the first."""
    files: dict[str, int] = {}
    """What the stage left: the bytes of each file, by its path in the home."""
    stops: list[Refusal] = []
    counts: Counts


class AcceptReceipt(Receipt):
    """``used``: per source the deliveries in force, in order; ``accepted``: all that were ever used.

    ``refusals``: what is wrong with deliveries, and what is reported of them. ``lost``: files of the previous
    snapshot's documents that are gone or damaged.
    """

    night: NightOf
    used: dict[str, list[Accepted]]
    accepted: list[Accepted]
    refusals: list[Refusal]
    lost: list[str]
    counts: AcceptCounts

    @property
    def in_force(self) -> list[Accepted]:
        """The deliveries used, source by source, in order."""
        return [delivery for chain in self.used.values() for delivery in chain]

    @property
    def new(self) -> list[Accepted]:
        """The deliveries used that no snapshot has used before."""
        return beyond(self.in_force, self.accepted)


class CheckReceipt(Receipt):
    """``said``: rows that each source says of each table. ``all_because``: why every row was looked at and every part
    is built; empty when only those around tonight's changes. ``reports``: what is reported and never refused.

    Files, in ``check/``: the keys refused and said twice, the posts connected (``ledgers.good``), ``findings``,
    ``quarantined``, ``held_back`` and ``same`` (``home.snapshot``); in ``near/`` the rows looked at, when not all
    (``ledgers.neighbourhood``).
    """

    said: dict[str, dict[str, int]]
    rows: dict[str, int]
    """How many rows the sources ``said``, are ``accepted`` and ``quarantined``."""
    all_because: str
    reports: list[Refusal]
    counts: CheckCounts


class SpreadReceipt(Receipt):
    """``expected``: the control totals by the posts. Files, in ``spread/``: ``parts.parquet``, whose documents are
    made and how, and ``posts/<table>/bucket=<n>/``.
    """

    expected: Totals
    counts: SpreadCounts


class BuildReceipt(Receipt):
    """``snapshot``: the name of the snapshot built, complete but for what ``publish`` writes: the files left."""

    snapshot: str
    counts: BuildCounts


class ReconcileReceipt(Receipt):
    """The control totals by both routes; with a difference there is a reason to stop."""

    reconciliation: Reconciliation
    counts: ReconcileCounts


class PublishReceipt(Receipt):
    """The last; what it says stands in the snapshot's manifest."""

    counts: PublishCounts
