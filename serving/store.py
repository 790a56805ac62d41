"""A published snapshot, opened for reading (the form on disk is ``schemas.store``)."""

import hashlib
import json
import mmap
from bisect import bisect_left
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import zstandard

from schemas.documents import LISTS
from schemas.store import END_BITS, END_MASK, EPOCH_ORDINAL, KINDS, frame_reader
from serving.errors import KravoversiktError
from serving.period import Period

CURRENT = "current"


class Snapshot:
    """One snapshot's documents. Opening maps the files; nothing is read until it is asked for."""

    def __init__(self, folder: Path) -> None:
        """Raises KB-002 when the snapshot is not there or cannot be read."""
        self.folder = folder
        try:
            self.manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
            path = folder / "documents" / "index.arrow"
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            # Arrow trusts its file: a damaged one could crash the process, or answer with another's documents.
            if sha256 != self.manifest["files"]["documents/index.arrow"]["sha256"]:
                raise ValueError("the index is not the manifest's")
            with pa.memory_map(str(path)) as source:
                table = pa.ipc.open_file(source).read_all().combine_chunks()
            self._content = frame_reader(path.read_bytes() for path in (folder / "documents").glob("*.dict"))
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException, zstandard.ZstdError) as error:
            raise KravoversiktError("KB-002", "no published snapshot can be read") from error
        self._columns = {name: table.column(name) for name in table.column_names}
        self._parts = table.column("part")
        self._segments: dict[str, mmap.mmap] = {}

    @classmethod
    def current(cls, home: Path) -> "Snapshot":
        """The published snapshot of a home."""
        return cls((home / CURRENT).resolve())

    def __len__(self) -> int:
        return len(self._parts)

    def parts(self) -> Iterator[str]:
        """The parts that have documents, in part order."""
        for row, published in enumerate(self._columns["snapshotdato"]):
            if published.is_valid:
                yield self._parts[row].as_py()

    def snapshot_date(self, part: str) -> date:
        """The snapshot date of the part's documents, older than the snapshot's when they were kept."""
        row = self._row(part)
        published: date = self._columns["snapshotdato"][row].as_py()
        return published

    def document(self, kind: str, part: str, period: Period | None = None) -> bytes:
        """The document as it is served. Raises KB-009, KB-002 or KB-007."""
        row = self._row(part)
        frame = self._frame(kind, row)
        if kind == "oversikt":
            return frame
        if period is None:
            raise KravoversiktError("KB-006", "fraOgMed and tilOgMed are missing")
        body = self._window(kind, row, frame, period)
        if not body:
            raise KravoversiktError("KB-007", "there is nothing in the period for this part")
        fra, til = period.fra_og_med, period.til_og_med
        periode = f'{{"start":"{fra}T00:00:00.000Z","slutt":"{til}T00:00:00.000Z"}}'
        return self._envelope(kind, part, f',"periode":{periode}', body)

    def history(self, kind: str, part: str) -> bytes:
        """The whole history of the kind, without ``periode``; the overview itself for ``oversikt``."""
        row = self._row(part)
        frame = self._frame(kind, row)
        if kind == "oversikt":
            return frame
        return self._envelope(kind, part, "", frame[8 * self._number(kind, "antall", row) :])

    @staticmethod
    def _envelope(kind: str, part: str, periode: str, body: bytes) -> bytes:
        start = f'{{"forespurtPart":"{part}"{periode},"{LISTS[kind]}":['
        return start.encode() + body[1:] + b"]}"

    def _window(self, kind: str, row: int, frame: bytes, period: Period) -> bytes:
        """The fragments dated within the period: two searches among the words, one slice."""
        antall = self._number(kind, "antall", row)
        words = memoryview(frame)[: 8 * antall].cast("q")
        first = bisect_left(words, _word(period.fra_og_med))
        last = bisect_left(words, _word(period.til_og_med) + (1 << END_BITS))
        start = words[first - 1] & END_MASK if first else 0
        end = words[last - 1] & END_MASK if last else 0
        return frame[8 * antall + start : 8 * antall + end]

    def _row(self, part: str) -> int:
        row = bisect_left(range(len(self._parts)), part, key=lambda i: self._parts[i].as_py())
        if row == len(self._parts) or self._parts[row].as_py() != part:
            raise KravoversiktError("KB-009", "the part is unknown")
        if not self._columns["snapshotdato"][row].is_valid:
            raise KravoversiktError("KB-002", "the part is held back, and has no earlier documents")
        return row

    def _number(self, kind: str, what: str, row: int) -> int:
        return int(self._columns[f"{kind}_{what}"][row].as_py())

    def _frame(self, kind: str, row: int) -> bytes:
        length = self._number(kind, "length", row)
        if not length:
            return b""
        offset = self._number(kind, "offset", row)
        try:
            packed = self._segment(self._columns["segment"][row].as_py())[offset : offset + length]
            return self._content(packed)
        except (OSError, ValueError, zstandard.ZstdError) as error:
            raise KravoversiktError("KB-002", "the published snapshot cannot be read") from error

    def _segment(self, name: str) -> mmap.mmap:
        if name not in self._segments:
            with (self.folder / "documents" / f"{name}.zst").open("rb") as file:
                self._segments[name] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._segments[name]


def _word(day: date) -> int:
    """The least word of a day."""
    return (day.toordinal() - EPOCH_ORDINAL) << END_BITS


def export(snapshot: Snapshot, kind: str) -> Iterator[bytes]:
    """One JSON document per part, in part order."""
    if kind not in KINDS:
        raise KravoversiktError("KB-003", "unknown kind of document")
    for part in snapshot.parts():
        yield snapshot.history(kind, part)
