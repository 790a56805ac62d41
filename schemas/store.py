"""How a snapshot's documents and tables lie on disk: what the night writes and serving reads, nothing else.

    documents/index.arrow      one row per known part, in part order (text, by code point)
    documents/<segment>.zst    zstd frames end to end, one per document
    documents/<name>.dict      zstd dictionaries; a frame carries the number of the one that it needs
    tables/<table>/<segment>.parquet

A frame of kind ``oversikt`` is the document itself, and needs no dictionary: it is served as it lies.
A frame of another kind is the part's whole history: first one 64-bit word per post, then the posts as
JSON fragments end to end, each beginning with its comma and in date order. A word holds the post's date
(days since 1970) in its upper half and the end of its fragment, counted from the first fragment, in its
lower half. Words sort by date, so a period is two binary searches and one slice.

An open krav has a word like any other, but no bytes of its own: its text stands in the overview, which lists the same
open krav in the same order (``open_krav``). So a new date, which moves only what is open, leaves histories as they
are, and overviews lie in segments of their own.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pyarrow as pa
import zstandard

STORE_VERSION = "3"
"""The form of a home: its snapshots and the accepted rows that they use. Raised whenever a home of the program before
cannot be built upon; ``docs/versions.md`` has a section for each, ``CHANGELOG.md`` a line."""


@dataclass(frozen=True)
class Segments:
    """All segments of histories, or all of overviews: each has some parts' documents, and rows of tables.

    ``column``: of the index and of the table ``part``; it names the segment that a part's documents are in.
    ``kinds``: of documents. ``tables``: those with a file per segment; of its rows those of the segment's parts count.
    ``suffix``: of a segment's name. ``dated``: whether a new date makes other documents; then their date is with them.
    """

    column: str
    kinds: tuple[str, ...]
    tables: tuple[str, ...]
    suffix: str
    dated: bool

    @property
    def numbers(self) -> list[str]:
        """The columns of the index that are about documents in a segment.

        ``<kind>_offset``, ``<kind>_length``: where one lies in it; a length of 0 is nothing of this kind.
        ``<kind>_antall``: its posts, 1 for an overview; ``krav_aapne``: how many of them are open krav.
        """
        return [name for kind in self.kinds for name in _numbers(kind)]

    @property
    def columns(self) -> list[str]:
        """All columns of the index that come with the documents, ``part`` first."""
        return ["part", *(["snapshotdato"] if self.dated else []), self.column, *self.numbers]


def _numbers(kind: str) -> list[str]:
    names = [f"{kind}_offset", f"{kind}_length", f"{kind}_antall"]
    return [*names, "krav_aapne"] if kind == "krav" else names


HISTORIES = Segments(
    column="segment",
    kinds=("krav", "innbetalinger", "utbetalinger"),
    tables=("krav", "kravforfall", "innbetaling", "utbetaling", "plassering"),
    suffix="",
    dated=False,
)
OVERSIKTER = Segments(
    column="oversikt_segment",
    kinds=("oversikt",),
    tables=("krav", "kravforfall", "oversikt", "oversikt_per_kravgruppe"),
    suffix="-oversikt",
    dated=True,
)
"""Of the krav and due dates those are with the overviews that a new date may move: where something remains."""
SEGMENTS = (HISTORIES, OVERSIKTER)
KINDS = (*OVERSIKTER.kinds, *HISTORIES.kinds)

INDEX_SCHEMA = pa.schema(
    [
        pa.field("part", pa.string(), nullable=False),
        # null: the part is known, but held back, and has no earlier documents
        pa.field("snapshotdato", pa.date32()),
        # whose posts the documents show beside the part's own: an ENK's owner, as they were made
        pa.field("innehaver", pa.string()),
        *(
            pa.field(name, pa.string() if name == segments.column else pa.int64())
            for segments in SEGMENTS
            for name in (segments.column, *segments.numbers)
        ),
    ]
)

LATER_COLUMNS = ("innehaver",)
"""Columns that the index of an earlier program's snapshot may lack."""

END_BITS = 32
END_MASK = (1 << END_BITS) - 1
"""A part's history of one kind is below 4 GiB."""
EPOCH_ORDINAL = 719_163
"""``date(1970, 1, 1).toordinal()``."""


_KRAV, _PAYMENTS = b'"aapentKravMedGjenstaaendeBeloep":[', b'],"innbetalingMedUplassertBeloep":['
_ONE_KRAV = b',{"part":'
"""What each krav of a list begins with, and nothing within one does. None of the three can stand in a text, where its
quotes would be escaped."""


def open_krav(oversikt: bytes) -> list[bytes]:
    """The open krav of an overview in its order, each as the fragment that a history would have of it.

    Raises ``ValueError`` for what is no overview.
    """
    listed = oversikt[oversikt.index(_KRAV) + len(_KRAV) : oversikt.index(_PAYMENTS)]
    return [_ONE_KRAV + rest for rest in (b"," + listed).split(_ONE_KRAV)[1:]]


def unplaced_payments(oversikt: bytes) -> bytes:
    """The list of unplaced payments of an overview, from its bracket to before the one that ends it.

    Raises ``ValueError`` for what is no overview.
    """
    return oversikt[oversikt.index(_PAYMENTS) + len(_PAYMENTS) - 1 : oversikt.rindex(b'],"totalOversikt":')]


MOST_OF_A_BYTE = 1 << 16
"""A block of a frame has at least 4 bytes and holds at most 128 KiB (RFC 8878, 3.1.1.2): no frame holds so much more
than its own length."""


def frame_reader(dictionaries: Iterable[bytes]) -> Callable[[bytes], bytes]:
    """What gives the content of a frame, for one thread. It raises ``zstandard.ZstdError`` over a damaged frame.

    ``dictionaries``: the content of the ``.dict`` files that lie beside the frames.
    """
    known = {0: zstandard.ZstdDecompressor()}
    for content in dictionaries:
        dictionary = zstandard.ZstdCompressionDict(content)
        known[dictionary.dict_id()] = zstandard.ZstdDecompressor(dict_data=dictionary)

    def content_of(frame: bytes) -> bytes:
        told = zstandard.get_frame_parameters(frame)
        if told.content_size > len(frame) * MOST_OF_A_BYTE:  # or so much memory would be asked for
            raise zstandard.ZstdError("the frame cannot hold what it says")
        number = told.dict_id
        if number not in known:
            raise zstandard.ZstdError(f"dictionary {number} is not there")
        # That a frame is empty, zstandard's one call takes the head's word for.
        reader = known[number] if told.content_size else known[number].decompressobj()
        content: bytes = reader.decompress(frame)
        return content

    return content_of
