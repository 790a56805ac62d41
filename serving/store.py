"""A published snapshot, opened for reading (the form on disk is ``schemas.store``)."""

import hashlib
import json
import mmap
from bisect import bisect_left
from collections.abc import Iterator
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import zstandard

from schemas.documents import LISTS
from schemas.store import END_BITS, END_MASK, EPOCH_ORDINAL, KINDS, KINDS_IN, frame_reader, open_krav
from serving.errors import KravoversiktError
from serving.etag import digest
from serving.period import Period
from serving.recent import Recent

CURRENT = "current"

_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    pa.ArrowException,
    zstandard.ZstdError,
)


RECENT_BYTES = 32_000_000
"""Of documents that were asked for last, kept ready in memory by each worker."""


class Document(NamedTuple):
    """A document ready to be sent, and what its tag tells of it."""

    content: bytes
    digest: str


class Snapshot:
    """One snapshot's documents. Opening maps the index; a segment is mapped when first needed, or by ``open_all``.

    For one thread at a time: a decompressor is not shared between threads.
    """

    def __init__(self, folder: Path) -> None:
        """Raises KB-002 when the snapshot is not there or cannot be read."""
        self.folder = folder
        self.name = folder.name
        try:
            self.manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
            extracted = self.manifest.get("extracted_at")
            self.extracted_at = datetime.fromisoformat(extracted).isoformat() if extracted else None
            self.made_for = date.fromisoformat(self.manifest["snapshotdato"])
            path = folder / "documents" / "index.arrow"
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            # Arrow trusts its file: a damaged one could crash the process, or answer with another's documents.
            if sha256 != self.manifest["files"]["documents/index.arrow"]["sha256"]:
                raise ValueError("the index is not the manifest's")
            with pa.memory_map(str(path)) as source:
                self._read_index(pa.ipc.open_file(source).read_all())
            self._content = frame_reader(path.read_bytes() for path in (folder / "documents").glob("*.dict"))
        except _UNREADABLE as error:
            raise KravoversiktError("KB-002", "no published snapshot can be read") from error
        self._segments: dict[str, mmap.mmap | bytes] = {}
        self._sound = bytearray(len(self))
        self._recent: Recent[Document] = Recent(RECENT_BYTES)

    def _read_index(self, table: pa.Table) -> None:
        """Columns of plain numbers, read without an Arrow object per look-up; the file's own memory where it can be."""
        index = {name: _chunk(table.column(name)) for name in table.column_names}
        self._parts = index["part"]
        asked = pc.match_substring_regex(self._parts, "^([0-9]{9}|[0-9]{11})$")
        self._rows = _numbers(pc.indices_nonzero(asked).cast(pa.int64()))
        parts = self._parts.filter(asked)
        keys = pc.multiply(pc.utf8_rpad(parts, 11, "0").cast(pa.int64()), 2)
        self._keys = _numbers(pc.add(keys, pc.equal(pc.utf8_length(parts), 11).cast(pa.int64())))
        self._published = index["snapshotdato"]
        self._days = _numbers(pc.fill_null(self._published.cast(pa.int32()).cast(pa.int64()), _NEVER))
        self._segments_of = {kind: _texts(index[column]) for column, kinds in KINDS_IN.items() for kind in kinds}
        self._columns = {name: _numbers(column) for name, column in index.items() if column.type == pa.int64()}

    @classmethod
    def current(cls, home: Path) -> "Snapshot":
        """The published snapshot of a home."""
        return cls((home / CURRENT).resolve())

    def __len__(self) -> int:
        return len(self._parts)

    def open_all(self) -> None:
        """Maps every segment, so that nothing is missed when the files are removed later. Raises KB-002.

        A segment must be as long as the manifest says, or else the snapshot is half or not whole any more.
        """
        try:
            for name in {name for names, _ in self._segments_of.values() for name in names}:
                listed = self.manifest["files"].get(f"documents/{name}.zst")
                if listed and len(self._segment(name)) != listed["bytes"]:
                    raise ValueError("a segment is not as long as the manifest says")
                self._segment(name)
        except _UNREADABLE as error:
            raise KravoversiktError("KB-002", "the published snapshot cannot be read") from error

    def parts(self) -> Iterator[str]:
        """The parts that have documents, in part order."""
        for row, day in enumerate(self._days):
            if day != _NEVER:
                yield self._parts[row].as_py()

    def snapshot_date(self, part: str) -> date:
        """The snapshot date of the part's documents, older than the snapshot's when they were kept."""
        return self.date_of(self.find(part))

    def date_of(self, row: int) -> date:
        """The snapshot date of a row's documents."""
        return _day(self._days[row])

    def document(self, kind: str, part: str, period: Period | None = None) -> bytes:
        """The document as it is served. Raises KB-009, KB-002 or KB-007."""
        row = self.find(part)
        if kind == "oversikt":
            return self._frame(kind, row)
        if period is None:
            raise KravoversiktError("KB-006", "fraOgMed and tilOgMed are missing")
        return self.window(kind, row, part, period).content

    def find(self, part: str) -> int:
        """The row of a part that has documents. Raises KB-009 or KB-002."""
        key = _key(part)
        place = bisect_left(self._keys, key)
        if place == len(self._keys) or self._keys[place] != key:
            raise KravoversiktError("KB-009", "the part is unknown")
        row = self._rows[place]
        if self._days[row] == _NEVER:
            raise KravoversiktError("KB-002", "the part is held back, and has no earlier documents")
        return row

    def packed_oversikt(self, row: int) -> Document:
        """The overview as it is stored, one zstd frame; found sound by its checksum the first time. Raises KB-002."""
        key = "packed", row
        found = self._recent.get(key)
        if found is None:
            frame = self._packed("oversikt", row)
            if not self._sound[row]:
                self.unpack(frame)
                self._sound[row] = 1
            found = Document(frame, digest(frame))
            self._recent.keep(key, found, len(frame))
        return found

    def unpack(self, frame: bytes) -> bytes:
        """What a stored frame holds. Raises KB-002 when it is damaged."""
        try:
            return self._content(frame)
        except (ValueError, zstandard.ZstdError) as error:
            raise KravoversiktError("KB-002", "the published snapshot cannot be read") from error

    def oversikt(self, row: int) -> bytes:
        """The overview as text. Raises KB-002 when it is damaged."""
        found = self._recent.get(row)
        if found is None:
            packed, digest_of_packed = self.packed_oversikt(row)
            found = Document(self.unpack(packed), digest_of_packed)
            self._recent.keep(row, found, len(found.content))
        return found.content

    def window(self, kind: str, row: int, part: str, period: Period) -> Document:
        """The document of a period. Raises KB-007 when nothing is in it, KB-002 when it is damaged."""
        key = kind, row, period
        found = self._recent.get(key)
        if found is None:
            found = self._make_window(kind, row, part, period)
            self._recent.keep(key, found, len(found.content))
        if not found.content:
            raise KravoversiktError("KB-007", "there is nothing in the period for this part")
        return found

    def _make_window(self, kind: str, row: int, part: str, period: Period) -> Document:
        """Its content is empty when nothing is in the period."""
        body = self._window(kind, row, period)
        if not body:
            return Document(b"", "")
        fra, til = period.fra_og_med, period.til_og_med
        periode = f'{{"start":"{fra}T00:00:00.000Z","slutt":"{til}T00:00:00.000Z"}}'
        content = self._envelope(kind, part, f',"periode":{periode}', body)
        return Document(content, digest(content))

    def history(self, kind: str, part: str) -> bytes:
        """The whole history of the kind, without ``periode``; the overview itself for ``oversikt``."""
        row = self.find(part)
        if kind == "oversikt":
            return self._frame(kind, row)
        return self._envelope(
            kind, part, "", self._posts(kind, row, self._frame(kind, row), 0, self._antall(kind, row))
        )

    @staticmethod
    def _envelope(kind: str, part: str, periode: str, body: bytes) -> bytes:
        start = f'{{"forespurtPart":"{part}"{periode},"{LISTS[kind]}":['
        return start.encode() + body[1:] + b"]}"

    def _antall(self, kind: str, row: int) -> int:
        return self._columns[f"{kind}_antall"][row]

    def _window(self, kind: str, row: int, period: Period) -> bytes:
        """The fragments dated within the period: two searches among the words."""
        frame = self._frame(kind, row)
        words = memoryview(frame)[: 8 * self._antall(kind, row)].cast("q")
        first = bisect_left(words, _word(period.fra_og_med))
        last = bisect_left(words, _word(period.til_og_med) + (1 << END_BITS))
        return self._posts(kind, row, frame, first, last)

    def _posts(self, kind: str, row: int, frame: bytes, first: int, last: int) -> bytes:
        """The fragments from one word to another: one slice, unless some of them are open krav."""
        antall = self._antall(kind, row)
        words, history = memoryview(frame)[: 8 * antall].cast("q"), memoryview(frame)[8 * antall :]
        start = words[first - 1] & END_MASK if first else 0
        end = words[last - 1] & END_MASK if last else 0
        if kind != "krav" or not self._columns["krav_aapne"][row]:
            return bytes(history[start:end])
        ends = np.frombuffer(words, np.int64) & END_MASK
        opened = np.flatnonzero(np.diff(ends, prepend=0) == 0)  # what has no bytes of its own
        before, until = np.searchsorted(opened, (first, last)).tolist()
        if before == until:
            return bytes(history[start:end])
        pieces: list[bytes | memoryview] = []
        texts = self._open_krav(row, len(opened))
        for number in range(before, until):
            place = int(ends[opened[number]])
            pieces += (history[start:place], texts[number])
            start = place
        return b"".join([*pieces, history[start:end]])

    def _open_krav(self, row: int, antall: int) -> list[bytes]:
        """The open krav of the overview, which must be so many. Raises KB-002."""
        try:
            opened = open_krav(self.oversikt(row))
        except ValueError as error:
            raise KravoversiktError("KB-002", "the published snapshot cannot be read") from error
        if len(opened) != antall:
            raise KravoversiktError("KB-002", "the published snapshot cannot be read")
        return opened

    def _frame(self, kind: str, row: int) -> bytes:
        packed = self._packed(kind, row)
        return self.unpack(packed) if packed else b""

    def _packed(self, kind: str, row: int) -> bytes:
        length = self._columns[f"{kind}_length"][row]
        if not length:
            return b""
        offset = self._columns[f"{kind}_offset"][row]
        names, places = self._segments_of[kind]
        try:
            frame = self._segment(names[places[row]])[offset : offset + length]
        except (OSError, ValueError) as error:
            raise KravoversiktError("KB-002", "the published snapshot cannot be read") from error
        if len(frame) != length:
            raise KravoversiktError("KB-002", "the published snapshot cannot be read")
        return frame

    def _segment(self, name: str) -> mmap.mmap | bytes:
        """The segment's bytes, mapped; one of histories has none when its parts have no posts."""
        if name not in self._segments:
            path = self._segment_path(name)
            with path.open("rb") as file:
                empty = not path.stat().st_size
                self._segments[name] = b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._segments[name]

    def _segment_path(self, name: str) -> Path:
        """Where a segment's file lies."""
        return self.folder / "documents" / f"{name}.zst"


_NEVER = -(2**62)
"""In place of the day of documents that don't exist."""


def _key(part: str) -> int:
    """A number that orders as the part's text does: 9 digits come right before the 11 that begin with them.

    -1, which no part has, for a text that is no part's number.
    """
    if len(part) not in (9, 11) or not (part.isascii() and part.isdigit()):
        return -1
    return int(part.ljust(11, "0")) * 2 + (len(part) == 11)


def _chunk(column: pa.ChunkedArray) -> pa.Array:
    """The column in one piece; the mapped file itself when it is written in one."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _texts(column: pa.Array) -> tuple[list[str], memoryview]:
    """The different texts of a column, and which of them is in each row; -1 for none."""
    encoded = column.dictionary_encode()
    return encoded.dictionary.to_pylist(), _numbers(pc.fill_null(encoded.indices.cast(pa.int64()), -1))


def _numbers(column: pa.Array) -> memoryview:
    """An int64 column without nulls as a sequence of numbers."""
    if column.type != pa.int64() or column.null_count:
        raise ValueError("a column of the index is not of its type")
    start, buffer = column.offset, column.buffers()[1]
    numbers = memoryview(buffer if buffer is not None else b"").cast("B")
    return numbers[8 * start : 8 * (start + len(column))].cast("q")


@lru_cache(maxsize=64)
def _day(days: int) -> date:
    """The day so many days after 1970 began; a snapshot has few of them."""
    return date.fromordinal(days + EPOCH_ORDINAL)


def _word(day: date) -> int:
    """The least word of a day."""
    return (day.toordinal() - EPOCH_ORDINAL) << END_BITS


def export(snapshot: Snapshot, kind: str) -> Iterator[bytes]:
    """One JSON document per part, in part order."""
    if kind not in KINDS:
        raise KravoversiktError("KB-003", "unknown kind of document")
    for part in snapshot.parts():
        yield snapshot.history(kind, part)
