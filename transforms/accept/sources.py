"""Which deliveries say what each source says tonight (CONTRACT section 1).

What a source says is its highest acceptable ``full``, then every ``endring`` numbered on from it
without a gap, until the first that is missing or refused; the rest wait. A delivery accepted before
is known by its manifest's bytes and is never read as a file again.
"""

import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet

from schemas.refusals import Refusal
from schemas.snapshot import Accepted, TableReceipt, beyond
from transforms.accept.delivery import accept_delivery
from transforms.accept.inbox import NO_ACCESS, Delivery, find_deliveries


@dataclass
class Sources:
    """``used``: per source the deliveries in force, in order. ``accepted``: with those of earlier nights.
    ``lost``: those whose rows the home has not any more, each with why.
    """

    used: dict[str, list[Accepted]] = field(default_factory=dict)
    accepted: list[Accepted] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    lost: list[tuple[Accepted, str]] = field(default_factory=list)
    refused: int = 0
    waiting: int = 0

    @property
    def in_force(self) -> list[Accepted]:
        """The deliveries used tonight, source by source, in order."""
        return [delivery for chain in self.used.values() for delivery in chain]

    @property
    def new(self) -> list[Accepted]:
        """The deliveries used tonight that no snapshot has used before."""
        return beyond(self.in_force, self.accepted)


def choose(
    inbox: Path,
    deliveries: Path,
    accepted: Iterable[Accepted],
    progress: Callable[[str], None] = lambda _: None,
    workers: int = 2,
) -> Sources:
    """Takes in what is new in ``inbox`` and says what is in force.

    ``accepted``: the deliveries that published snapshots have used. ``deliveries``: the home's folder
    of accepted rows, written to. ``workers``: how many files are read at a time. Raises ``OSError`` when the inbox
    cannot be read.
    """
    found = find_deliveries(inbox)
    sources = Sources(
        accepted=list(accepted),
        refusals=[*found.stray, *found.without_access],
        refused=len(found.stray),
        waiting=len(found.without_access),
    )
    by_source: dict[str, dict[int, Delivery]] = defaultdict(dict)
    before: dict[str, dict[int, Accepted]] = defaultdict(dict)
    for delivery in found.deliveries:
        by_source[delivery.kilde][delivery.nummer] = delivery
    for known in sources.accepted:
        before[known.kilde][known.leveransenummer] = known
    for kilde in sorted({*by_source, *before}):
        _Source(sources, deliveries, before[kilde], by_source[kilde], progress, workers).choose(kilde)
    return sources


@dataclass
class _Source:
    """One source while its deliveries are chosen; ``taken`` remembers what was already tried."""

    out: Sources
    deliveries: Path
    before: dict[int, Accepted]
    found: dict[int, Delivery]
    progress: Callable[[str], None]
    workers: int
    taken: dict[int, Accepted | None] = field(default_factory=dict)

    def choose(self, kilde: str) -> None:
        for nummer, delivery in self.found.items():
            known = self.before.get(nummer)
            if known and known.manifest_sha256 != delivery.manifest_sha256:
                text = "number the new content on from the last; the accepted copy stays in force"
                self._refuse([delivery.refusal("L1-CHANGED", text)])
        numbers = sorted({*self.before, *self.found})
        base = next((n for n in reversed(numbers) if self._type(n) == "full" and self._take(n)), None)
        if base is None:
            self._report_waiting("L1-NO-FULL", numbers)
            return
        last = base
        while self._type(last + 1) == "endring" and self._take(last + 1):
            last += 1
        superseded = sum(n < base for n in self.found if n not in self.before)
        if superseded:
            text = f"{superseded} of them below {base:06d}"
            self.out.refusals.append(Refusal(0, "R-SUPERSEDED", text, kilde))
        self.out.used[kilde] = [use for n in range(base, last + 1) if (use := self._take(n))]
        self._report_waiting("L1-GAP", [n for n in numbers if n > last])

    def _type(self, nummer: int) -> str | None:
        if nummer in self.before:
            return self.before[nummer].type
        delivery = self.found.get(nummer)
        return delivery.manifest.type if delivery and delivery.manifest else None

    def _take(self, nummer: int) -> Accepted | None:
        if nummer not in self.taken:
            known, delivery = self.before.get(nummer), self.found.get(nummer)
            lacks = what_it_lacks(self.deliveries / known.folder, known) if known else ""
            if known and not lacks:
                self.taken[nummer] = known
            elif known and not (delivery and delivery.manifest_sha256 == known.manifest_sha256):
                self.out.lost.append((known, lacks))
                self.taken[nummer] = None
            else:
                self.taken[nummer] = self._take_in(self.found[nummer])
        return self.taken[nummer]

    def _take_in(self, delivery: Delivery) -> Accepted | None:
        self.progress(f"accept {delivery.kilde} {delivery.nummer:06d}")
        manifest = delivery.manifest
        work = self.deliveries / ".work"
        refusals = accept_delivery(delivery, work, self.workers)
        if refusals or manifest is None:
            self._refuse(refusals)
            return None
        accepted = Accepted(
            kilde=delivery.kilde,
            leveransenummer=delivery.nummer,
            type=manifest.type,
            uttrekkstidspunkt=manifest.uttrekkstidspunkt,
            manifest_sha256=delivery.manifest_sha256,
            filer={name: [file.sti for file in table.filer] for name, table in manifest.tabeller.items()},
            receipt={
                table: TableReceipt(**receipt)
                for table, receipt in json.loads((work / "receipt.json").read_text()).items()
            },
        )
        target = self.deliveries / accepted.folder
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        work.rename(target)
        return accepted

    def _refuse(self, refusals: list[Refusal]) -> None:
        """Refused, or waiting if all that is wrong is that something may not be read."""
        self.out.refusals += refusals
        if all(refusal.code == NO_ACCESS for refusal in refusals):
            self.out.waiting += 1
        else:
            self.out.refused += 1

    def _report_waiting(self, code: str, numbers: list[int]) -> None:
        """Deliveries that wait are checked all the same, so that the operator sees all at once."""
        for nummer in numbers:
            if nummer in self.before:
                continue
            delivery = self.found[nummer]
            if self._take(nummer) is None:
                continue
            self.out.waiting += 1
            text = "send what is missing, or a new full"
            self.out.refusals.append(delivery.refusal(code, text))


def what_it_lacks(folder: Path, accepted: Accepted) -> str:
    """Why the accepted rows cannot be used; nothing when good and refused ones are as many as the receipt says."""
    try:
        refused = pl.scan_parquet(folder / "refused.parquet").group_by("tabell").len()
        counts = dict(refused.collect(engine="streaming").iter_rows())
        for table in accepted.receipt:
            for file in (folder / table).iterdir() if (folder / table).exists() else ():  # glob would hide errors
                counts[table] = counts.get(table, 0) + pyarrow.parquet.read_metadata(file).num_rows
    except (OSError, pl.exceptions.PolarsError, pa.ArrowException) as error:
        told = error.strerror if isinstance(error, OSError) else None
        return f"they cannot be read ({told})" if told else "they cannot be read"
    missing = [table for table, receipt in accepted.receipt.items() if counts.get(table, 0) != receipt.rader]
    return f"not all rows of {', '.join(missing)} are there" if missing else ""
