"""A published snapshot, opened for reading (the form on disk is ``schemas.store``)."""

import hashlib
import mmap
import os
from bisect import bisect_left
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import zstandard

from schemas.documents import LISTS
from schemas.store import (
    END_BITS,
    END_MASK,
    EPOCH_ORDINAL,
    INDEX_SCHEMA,
    KINDS,
    LATER_COLUMNS,
    SEGMENTS,
    frame_reader,
    open_krav,
)
from serving.errors import KravoversiktError, UnreadableError
from serving.etag import digest
from serving.manifest import Manifest, read_manifest
from serving.period import Period
from serving.recent import Recent
from serving.whose import Whose, is_oversikt_of

CURRENT = "current"
INDEX = "documents/index.arrow"

RECENT_BYTES = 32_000_000
"""Of documents that were asked for last, cached by each worker."""


class Document(NamedTuple):
    """A document ready to be sent, and what its tag tells of it."""

    content: bytes
    digest: str


class Snapshot:
    """One snapshot's documents. Opening maps the index; a segment is mapped when first needed, or by ``open_all``.

    Whatever is read of a segment is held to the part that it is read for (``serving.whose``).
    For one thread at a time: a decompressor is not shared between threads.
    """

    def __init__(self, folder: Path) -> None:
        """Raises KB-002 when the snapshot is not there or cannot be read."""
        self.folder = folder
        self.name = folder.name
        self.manifest = read_manifest(folder)
        extracted_at = self.manifest.extracted_at
        self.extracted_at = extracted_at.isoformat() if extracted_at else None
        self.made_for = self.manifest.snapshotdato
        self._read_index(_open_index(folder, self.manifest))
        try:
            self._content = frame_reader(path.read_bytes() for path in (folder / "documents").glob("*.dict"))
        except (OSError, zstandard.ZstdError) as error:
            raise UnreadableError("a dictionary cannot be read") from error
        self._segments: dict[str, mmap.mmap | bytes] = {}
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
        self._segments_of = {kind: _texts(index[of.column]) for of in SEGMENTS for kind in of.kinds}
        self._columns = {name: _numbers(column) for name, column in index.items() if column.type == pa.int64()}
        self._innehavere = index.get("innehaver")

    @classmethod
    def current(cls, home: Path) -> "Snapshot":
        """The published snapshot of a home. Raises KB-002."""
        return cls(current_folder(home))

    def __len__(self) -> int:
        return len(self._parts)

    def open_all(self) -> None:
        """Maps every segment, so that nothing is missed when the files are removed later. Raises KB-002.

        A segment must be as long as the manifest says, or else the snapshot is half or not whole any more.
        """
        for name in {name for names, _ in self._segments_of.values() for name in names}:
            listed = self.manifest.files.get(f"documents/{name}.zst")
            if len(self._segment(name)) != (listed.bytes if listed else None):
                raise UnreadableError(f"segment {name} is not as long as the manifest says")

    def parts(self) -> Iterator[str]:
        """The parts that have documents, in part order."""
        for row, day in enumerate(self._days):
            if day != _NEVER:
                yield self._parts[row].as_py()

    def snapshot_date(self, part: str) -> date:
        """The snapshot date of the part's documents, older than the snapshot's when it is held back."""
        return self.date_of(self.find(part))

    def date_of(self, row: int) -> date:
        """The snapshot date of a row's documents."""
        return _day(self._days[row])

    def document(self, kind: str, part: str, period: Period | None = None) -> bytes:
        """The document as it is served. Raises KB-009, KB-002 or KB-007."""
        row = self.find(part)
        if kind == "oversikt":
            return self._read_oversikt(row, part)[1]
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

    def packed_oversikt(self, row: int, part: str) -> Document:
        """The overview as it is stored, one zstd frame. Raises KB-002 when it is damaged or another part's."""
        key = "packed", part
        found = self._recent.get(key)
        if found is None:
            frame, _ = self._read_oversikt(row, part)
            found = Document(frame, digest(frame))
            self._recent.add(key, found, len(frame))
        return found

    def oversikt(self, row: int, part: str) -> Document:
        """The overview as text, with the digest of what is stored. Raises KB-002 when it is damaged or another's."""
        found = self._recent.get(part)
        if found is None:
            frame, text = self._read_oversikt(row, part)
            found = Document(text, digest(frame))
            self._recent.add(part, found, len(text))
        return found

    def _read_oversikt(self, row: int, part: str) -> tuple[bytes, bytes]:
        """The overview as it is stored, and as text."""
        frame = self._packed("oversikt", row)
        text = self._unpack("oversikt", row, frame)
        if not is_oversikt_of(text, part):
            raise self._unreadable("oversikt", row, "has an overview that is not the part's")
        return frame, text

    def window(self, kind: str, row: int, part: str, period: Period) -> Document:
        """The document of a period. Raises KB-007 when nothing is in it, KB-002 when it is damaged or another's."""
        key = kind, part, period
        found = self._recent.get(key)
        if found is None:
            found = self._make_window(kind, row, part, period)
            self._recent.add(key, found, len(found.content))
        if not found.content:
            raise KravoversiktError("KB-007", "there is nothing in the period for this part")
        return found

    def _make_window(self, kind: str, row: int, part: str, period: Period) -> Document:
        """Its content is empty when nothing is in the period."""
        history = self._history(kind, row, part)
        first = bisect_left(history.words, _word(period.fra_og_med))
        last = bisect_left(history.words, _word(period.til_og_med) + (1 << END_BITS))
        body = self._posts(history, first, last)
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
            return self._read_oversikt(row, part)[1]
        history = self._history(kind, row, part)
        return self._envelope(kind, part, "", self._posts(history, 0, len(history.words)))

    @staticmethod
    def _envelope(kind: str, part: str, periode: str, body: bytes) -> bytes:
        start = f'{{"forespurtPart":"{part}"{periode},"{LISTS[kind]}":['
        return start.encode() + body[1:] + b"]}"

    def _history(self, kind: str, row: int, part: str) -> "_History":
        """The part's history, found to be its own."""
        antall = self._columns[f"{kind}_antall"][row]
        packed = self._packed(kind, row)
        frame = self._unpack(kind, row, packed) if packed else b""
        words = memoryview(frame)[: 8 * antall]
        if len(words) != 8 * antall:
            raise self._unreadable(kind, row, "has a history that is shorter than the index says")
        found = _History(row, part, self._whose(row, part), frame, words.cast("q"))
        if not found.whose.has_posts(frame, 8 * antall, found.ends):
            raise self._unreadable(kind, row, "has a history that is not the part's")
        if len(found.elsewhere) != (self._columns["krav_aapne"][row] if kind == "krav" else 0):
            raise self._unreadable(kind, row, "has a history with other open krav than the index says")
        return found

    def _whose(self, row: int, part: str) -> Whose:
        if self._innehavere is None:
            return Whose(part, None, innehaver_known=False)
        return Whose(part, self._innehavere[row].as_py() if len(part) == 9 else None)

    def _posts(self, history: "_History", first: int, last: int) -> bytes:
        """The posts from one word to another: one slice, unless some of them are open krav."""
        frame, ends, elsewhere = history.frame, history.ends, history.elsewhere
        base = 8 * len(ends)
        start = base + (ends[first - 1] if first else 0)
        end = base + (ends[last - 1] if last else 0)
        before, until = bisect_left(elsewhere, first), bisect_left(elsewhere, last)
        if before == until:
            return frame[start:end]
        pieces: list[bytes] = []
        texts = self._open_krav(history)
        for number in range(before, until):
            place = base + ends[elsewhere[number]]
            pieces += (frame[start:place], texts[number])
            start = place
        return b"".join([*pieces, frame[start:end]])

    def _open_krav(self, history: "_History") -> list[bytes]:
        """The open krav of the overview, which must be those that the history leaves to it."""
        try:
            opened = open_krav(self.oversikt(history.row, history.part).content)
        except ValueError as error:
            raise self._unreadable("oversikt", history.row, "has what is no overview") from error
        if len(opened) != len(history.elsewhere):
            raise self._unreadable("oversikt", history.row, "has an overview of other open krav than the history")
        if not all(map(history.whose.has_post, opened)):
            raise self._unreadable("oversikt", history.row, "has an overview with open krav that are not the part's")
        return opened

    def _unpack(self, kind: str, row: int, frame: bytes) -> bytes:
        try:
            return self._content(frame)
        except zstandard.ZstdError as error:
            raise self._unreadable(kind, row, "has a damaged frame") from error

    def _packed(self, kind: str, row: int) -> bytes:
        """The frame as it lies; empty when there is none."""
        length = self._columns[f"{kind}_length"][row]
        if not length:
            return b""
        offset = self._columns[f"{kind}_offset"][row]
        frame = self._segment(self._segment_of(kind, row))[offset : offset + length]
        if len(frame) != length:
            raise self._unreadable(kind, row, "is shorter than the index says")
        return frame

    def _segment_of(self, kind: str, row: int) -> str:
        """The segment that the row's document lies in."""
        names, places = self._segments_of[kind]
        if places[row] < 0:
            raise UnreadableError("the index names no segment of a document")
        return names[places[row]]

    def _unreadable(self, kind: str, row: int, what: str) -> UnreadableError:
        """The error over what the row leads to. The row's number is no one's."""
        return UnreadableError(f"segment {self._segment_of(kind, row)} {what} ({kind}, row {row} of the index)")

    def _segment(self, name: str) -> mmap.mmap | bytes:
        """The segment's bytes, mapped; one of histories has none when its parts have no posts."""
        if name not in self._segments:
            try:
                self._segments[name] = _mapped(self._segment_path(name))
            except (OSError, ValueError) as error:  # ValueError: it is cut while it is mapped
                raise UnreadableError(f"segment {name}: {getattr(error, 'strerror', None) or error}") from error
        return self._segments[name]

    def _segment_path(self, name: str) -> Path:
        """Where a segment's file lies."""
        return self.folder / "documents" / f"{name}.zst"


class _History:
    """A part's history of one kind, unpacked: its words, where each post ends, and which stand ``elsewhere``."""

    def __init__(self, row: int, part: str, whose: Whose, frame: bytes, words: memoryview) -> None:
        self.row, self.part, self.whose, self.frame, self.words = row, part, whose, frame, words
        self.ends = [word & END_MASK for word in words]
        self.elsewhere = [
            number for number, end in enumerate(self.ends) if end == (self.ends[number - 1] if number else 0)
        ]


def current_folder(home: Path) -> Path:
    """The folder of a home's published snapshot. Raises KB-002 when nothing is published, or it leads nowhere."""
    link = home / CURRENT
    try:
        return Path(os.path.realpath(link, strict=True))
    except FileNotFoundError as error:
        if link.is_symlink():
            raise UnreadableError("current leads to no snapshot") from error
        raise KravoversiktError("KB-002", "no snapshot is published") from error
    except OSError as error:
        raise UnreadableError(f"current: {error.strerror}") from error


def _open_index(folder: Path, manifest: Manifest) -> pa.Table:
    """The index, mapped, and found to be the manifest's. Raises KB-002."""
    path, listed = folder / INDEX, manifest.files.get(INDEX)
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        # Arrow trusts its file: a damaged one could crash the process, or answer with another's documents.
        if listed is None or sha256 != listed.sha256:
            raise UnreadableError("the index is not the manifest's")
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_file(source).read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise UnreadableError(f"the index cannot be read ({type(error).__name__})") from error
    expected = [field for field in INDEX_SCHEMA if field.name in table.column_names or field.name not in LATER_COLUMNS]
    if not table.schema.equals(pa.schema(expected)):
        raise UnreadableError("the index has other columns than it must")
    return table


def _mapped(path: Path) -> mmap.mmap | bytes:
    with path.open("rb") as file:
        empty = not path.stat().st_size
        return b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


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
    """An int64 column without nulls as a sequence of numbers. Raises KB-002 over one that has some."""
    if column.null_count:
        raise UnreadableError("a number in the index is missing")
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
