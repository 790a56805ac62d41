"""An inbox and a home for the tests: deliver, let a night pass, look at what was taken in or refused."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from schemas.refusals import Refusal
from schemas.snapshot import Accepted
from tests.plain.numbers import national_number, organisation_number
from tests.plain.statement import krav, kravforfall, part
from tests.plain.write import write_delivery
from transforms.accept.sources import Sources, choose

COMPANY, OTHER, OWNER = organisation_number(1), organisation_number(2), national_number(1)

LEDGER = {
    "part": [part(COMPANY), part(OWNER, "PERSON")],
    "krav": [krav("K1", COMPANY, "100.00"), krav("K2", OWNER, "-20.50")],
    "kravforfall": [
        kravforfall("F1", "K1", "100.00", "2023-02-15", kontoeiers_navn="Kari Nordmann"),
        kravforfall("F2", "K2", "-20.50", "2023-02-15", kontonummer="15030000000"),
    ],
}

PERSONAL = (COMPANY, OTHER, OWNER, "Kari Nordmann", "15030000000", "K1", "F1")
"""None of these may stand in a message."""

Reason = tuple[str, str | None]


class Place:
    """A place with an inbox and a home."""

    def __init__(self, root: Path) -> None:
        self.inbox, self.deliveries = root / "inbox", root / "home" / "deliveries"
        self.inbox.mkdir(parents=True)
        self.accepted: list[Accepted] = []

    def deliver(
        self,
        nr: int = 1,
        type: str = "full",
        tables: Mapping[str, Sequence[Any]] = LEDGER,
        kilde: str = "mva",
        **how: Any,
    ) -> Path:
        return write_delivery(self.inbox, kilde, nr, type, tables, **how)

    def night(self) -> Sources:
        """One night's choice; what it uses is published, so that later nights know it as accepted."""
        tonight = choose(self.inbox, self.deliveries, self.accepted)
        self.accepted += tonight.new
        assert not [text for text in said(tonight.refusals) if any(data in text for data in PERSONAL)]
        return tonight

    def used(self, kilde: str = "mva") -> list[int]:
        """The numbers of the deliveries in force tonight."""
        return [accepted.leveransenummer for accepted in self.night().used.get(kilde, [])]

    def reasons(self) -> list[Reason]:
        """Why tonight's deliveries are refused or wait: code and file."""
        return [(refusal.code, refusal.fil) for refusal in self.night().refusals]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The good rows of the last delivery in force, of the table's own columns and ``slettet``."""
        folder = self.deliveries / self.night().used["mva"][-1].folder / table
        frames = [pl.read_parquet(path) for path in sorted(folder.glob("*.parquet"))]
        return [row for frame in frames for row in frame.drop("fil", "rad").to_dicts()]

    def refused_rows(self) -> list[tuple[str, str | None, list[str]]]:
        """Table, key and codes of the rows that the last delivery in force had refused."""
        frame = pl.read_parquet(self.deliveries / self.night().used["mva"][-1].folder / "refused.parquet")
        return sorted(frame.select("tabell", "noekkel", "koder").rows(), key=str)


def said(refusals: Sequence[Refusal]) -> list[str]:
    return [f"{refusal.message} {refusal.key} {refusal.fil}" for refusal in refusals]


def edit(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Changes the manifest as it lies in the folder."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def put(folder: Path, sti: str, content: bytes, **said: Any) -> None:
    """Replaces a listed file; the manifest gets its sha256, and what else is said of it."""
    (folder / sti).write_bytes(content)

    def describe(manifest: dict[str, Any]) -> None:
        for table in manifest["tabeller"].values():
            for file in table["filer"]:
                if file["sti"] == sti:
                    file |= {"sha256": hashlib.sha256(content).hexdigest(), **said}
                    if said:
                        table["rader"] = sum(one["rader"] for one in table["filer"])

    edit(folder, describe)


def swap(folder: Path, sti: str, old: str, new: str) -> None:
    """Replaces text in a listed file, and keeps its sha256 right."""
    content = (folder / sti).read_bytes()
    assert old.encode() in content
    put(folder, sti, content.replace(old.encode(), new.encode()))
