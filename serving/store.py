"""A published snapshot, opened for reading (the form on disk is ``schemas.store``)."""

import copy
import mmap
import os
from bisect import bisect_left
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

import zstandard

from schemas.documents import LISTS
from schemas.store import END_BITS, END_MASK, EPOCH_ORDINAL, KINDS, frame_reader, open_krav
from serving.errors import KravoversiktError, UnreadableError
from serving.etag import digest
from serving.index import NEVER, Index, mapped
from serving.manifest import read_manifest
from serving.period import Period
from serving.recent import Recent
from serving.whose import Whose, is_oversikt_of

CURRENT = "current"

RECENT_BYTES = 32_000_000
"""Of documents that were asked for last, cached by each worker."""

DIGESTS_BYTES = 8_000_000
"""Of what was told of large documents."""

BYTES_A_POST = 600
"""Of an overview: so many are counted as one post."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document ready to be sent, what its tag tells of it, and of how many posts it is made, about."""

    content: bytes
    """Empty when nothing is in the period."""
    digest: str
    posts: int


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
        self._index = Index(folder, self.manifest)
        try:
            self._dictionaries = [path.read_bytes() for path in (folder / "documents").glob("*.dict")]
            self._content = frame_reader(self._dictionaries)
        except (OSError, zstandard.ZstdError) as error:
            raise UnreadableError("a dictionary cannot be read") from error
        self._segments: dict[str, mmap.mmap | bytes] = {}
        self._recent: Recent[Document] = Recent(RECENT_BYTES)
        self._digests: Recent[str] = Recent(DIGESTS_BYTES)

    def for_another_thread(self) -> "Snapshot":
        """The same snapshot, for one other thread: nothing that changes is shared but the segments that are mapped."""
        other = copy.copy(self)
        other._content = frame_reader(self._dictionaries)
        other._recent, other._digests = Recent(RECENT_BYTES), Recent(DIGESTS_BYTES)
        return other

    @classmethod
    def current(cls, home: Path) -> "Snapshot":
        """The published snapshot of a home. Raises KB-002."""
        return cls(current_folder(home))

    def __len__(self) -> int:
        return len(self._index)

    def open_all(self) -> None:
        """Maps every segment, so that nothing is missed when the files are removed later. Raises KB-002.

        A segment must be as long as the manifest says, or else the snapshot is half or not whole any more.
        """
        for name in {name for names, _ in self._index.segments_of.values() for name in names}:
            listed = self.manifest.files.get(f"documents/{name}.zst")
            if len(self._segment(name)) != (listed.bytes if listed else None):
                raise UnreadableError(f"segment {name} is not as long as the manifest says")

    def parts(self) -> Iterator[str]:
        """The parts that have documents, in part order."""
        return self._index.parts()

    def snapshot_date(self, part: str) -> date:
        """The snapshot date of the part's documents, older than the snapshot's when it is held back."""
        return self.date_of(self.find(part))

    def date_of(self, row: int) -> date:
        """The snapshot date of a row's documents."""
        return _day(self._index.days[row])

    def document(self, kind: str, part: str, period: Period | None = None) -> bytes:
        """The document as it is served. Raises KB-009, KB-002 or KB-007."""
        row = self.find(part)
        if kind == "oversikt":
            return self._read_oversikt(row, part)[1]
        if period is None:
            raise KravoversiktError("KB-006", "fraOgMed and tilOgMed are missing")
        content = self.window(kind, row, part, period).content
        if not content:
            raise nothing_in_period()
        return content

    def find(self, part: str) -> int:
        """The row of a part that has documents. Raises KB-009 or KB-002."""
        row = self._index.row_of(part)
        if row is None:
            raise KravoversiktError("KB-009", "the part is unknown")
        if self._index.days[row] == NEVER:
            raise KravoversiktError("KB-002", "the part is held back, and has no earlier documents")
        return row

    def weight(self, kind: str, row: int) -> int:
        """How many posts the document is made of, about. Raises KB-002."""
        if kind == "oversikt":
            return self._text_length(row) // BYTES_A_POST
        return self._index.numbers(row)[f"{kind}_antall"]

    def _text_length(self, row: int) -> int:
        """As the overview's frame says by itself; that of a damaged one is found out when it is read."""
        try:
            return int(max(0, zstandard.frame_content_size(self._packed("oversikt", row))))
        except zstandard.ZstdError:
            return 0

    def remember(self, asked: Hashable, digest: str) -> None:
        """What was told of a document that was made by another thread: as long as the snapshot is, it stays so."""
        if self._digests.get(asked) is None:
            self._digests.add(asked, digest, 0)

    def remembered(self, asked: Hashable) -> str | None:
        """What ``remember`` was told, while it is not forgotten."""
        return self._digests.get(asked)

    def at_hand(self, *key: str) -> Document | None:
        """A document that was read a short while ago: ``oversikt`` or ``packed`` and the part; kind, part, period."""
        return self._recent.get(key)

    def packed_oversikt(self, row: int, part: str) -> Document:
        """The overview as it is stored, one zstd frame. Raises KB-002 when it is damaged or another part's."""
        key = "packed", part
        found = self._recent.get(key)
        if found is None:
            frame, text = self._read_oversikt(row, part)
            found = Document(frame, digest(frame), len(text) // BYTES_A_POST)
            self._recent.add(key, found, len(frame))
        return found

    def oversikt(self, row: int, part: str) -> Document:
        """The overview as text, with the digest of what is stored. Raises KB-002 when it is damaged or another's."""
        key = "oversikt", part
        found = self._recent.get(key)
        if found is None:
            frame, text = self._read_oversikt(row, part)
            found = Document(text, digest(frame), len(text) // BYTES_A_POST)
            self._recent.add(key, found, len(text))
        return found

    def _read_oversikt(self, row: int, part: str) -> tuple[bytes, bytes]:
        """The overview as it is stored, and as text."""
        frame = self._packed("oversikt", row)
        text = self._unpack("oversikt", row, frame)
        if not is_oversikt_of(text, part):
            raise self._unreadable("oversikt", row, "has an overview that is not the part's")
        return frame, text

    def window(self, kind: str, row: int, part: str, period: Period) -> Document:
        """The document of a period. Raises KB-002 when it is damaged or another's."""
        key = kind, part, period.text
        found = self._recent.get(key)
        if found is None:
            found = self._make_window(kind, row, part, period)
            self._recent.add(key, found, len(found.content))
        return found

    def _make_window(self, kind: str, row: int, part: str, period: Period) -> Document:
        history = self._history(kind, row, part)
        first = bisect_left(history.words, _word(period.fra_og_med))
        last = bisect_left(history.words, _word(period.til_og_med) + (1 << END_BITS))
        body = self._posts(history, first, last)
        if not body:
            return Document(b"", "", len(history.words))
        fra, til = period.fra_og_med, period.til_og_med
        periode = f'{{"start":"{fra}T00:00:00.000Z","slutt":"{til}T00:00:00.000Z"}}'
        content = self._envelope(kind, part, f',"periode":{periode}', body)
        return Document(content, digest(content), len(history.words))

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
        numbers = self._index.numbers(row)
        antall = numbers[f"{kind}_antall"]
        packed = self._packed(kind, row)
        frame = self._unpack(kind, row, packed) if packed else b""
        words = memoryview(frame)[: 8 * antall]
        if len(words) != 8 * antall:
            raise self._unreadable(kind, row, "has a history that is shorter than the index says")
        found = _History(row, part, self._whose(row, part), frame, words.cast("q"))
        if not found.whose.has_posts(frame, 8 * antall, found.ends):
            raise self._unreadable(kind, row, "has a history that is not the part's")
        if len(found.elsewhere) != (numbers["krav_aapne"] if kind == "krav" else 0):
            raise self._unreadable(kind, row, "has a history with other open krav than the index says")
        return found

    def _whose(self, row: int, part: str) -> Whose:
        owner = self._index.owner_of(row) if len(part) == 9 else None
        return Whose(part, owner, innehaver_known=self._index.tells_owners())

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
        numbers = self._index.numbers(row)
        offset, length = numbers[f"{kind}_offset"], numbers[f"{kind}_length"]
        if not length:
            return b""
        frame = self._segment(self._segment_of(kind, row))[offset : offset + length]
        if len(frame) != length:
            raise self._unreadable(kind, row, "is shorter than the index says")
        return frame

    def _segment_of(self, kind: str, row: int) -> str:
        """The segment that the row's document lies in."""
        names, places = self._index.segments_of[kind]
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
                self._segments[name] = mapped(self._segment_path(name))
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


def nothing_in_period() -> KravoversiktError:
    """KB-007."""
    return KravoversiktError("KB-007", "there is nothing in the period for this part")


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
