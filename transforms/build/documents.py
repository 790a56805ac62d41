"""The documents of one bucket's parts as bytes (CONTRACT section 4; the form is ``schemas.store``)."""

from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np
import polars as pl
import zstandard

from transforms.build.far_ends import Bucket
from transforms.build.fragments import (
    KRAVGRUPPE,
    OVERSIKT,
    innbetaling_texts,
    krav_texts,
    utbetaling_texts,
)
from transforms.build.places import Under, days
from transforms.home.dictionaries import dictionary
from transforms.home.snapshot import Segment
from transforms.text.json_text import Listed, Texts, histories_of, objects_of

DATES = {"krav": "opprettelsesdato", "innbetaling": "innbetalingsdato", "utbetaling": "utbetalingsdato"}
"""The tables of posts that documents list by date, and which that is."""
OPEN = {"krav": pl.col("aapent"), "innbetaling": pl.col("uplassert_beloep") != 0}
"""Which of them overviews list."""

THREADS = 2
OVERSIKT_LEVEL = 3
HISTORY_LEVEL = 1
"""With a dictionary the least level makes the least (docs/decisions/0008-dictionaries.md)."""


def write_documents(
    histories: "SegmentWriter", oversikter: "SegmentWriter", bucket: Bucket, shown: dict[str, Under]
) -> None:
    """Writes all documents of the bucket's parts.

    ``bucket``: the balanced tables, and ``oversikt`` and ``oversikt_per_kravgruppe``. ``shown``: of each table in
    ``DATES`` the posts that each document shows.
    """
    opened = {}
    for name, texts in _texts(bucket):
        posts = shown[name]
        listed = posts.listed(texts)
        if name in OPEN:
            is_open = opened_posts(bucket, name)
            opened[name] = posts.those(is_open).listed(texts)
        if name == "krav":
            histories.column("krav_aapne", posts.those(is_open).lengths)
            histories.raw_bytes += opened[name].most_bytes  # of the documents, though they lie in the overviews
            listed = _without(is_open, posts, texts)
        dates = days(bucket[name][DATES[name]])[posts.which]
        histories.add(KINDS[name], histories_of(listed, dates), posts.lengths)
    oversikter.add("oversikt", oversikt_texts(bucket, opened["krav"], opened["innbetaling"]))


KINDS = {"krav": "krav", "innbetaling": "innbetalinger", "utbetaling": "utbetalinger"}
"""The kind of documents that lists the posts of a table."""


def _texts(bucket: Bucket) -> Iterator[tuple[str, Texts]]:
    """The texts of each table's posts."""
    yield "krav", krav_texts(bucket)
    yield "innbetaling", innbetaling_texts(bucket)
    yield "utbetaling", utbetaling_texts(bucket)


def opened_posts(bucket: Bucket, name: str) -> pl.Series:
    """Whether overviews list each of the table's posts."""
    return bucket[name].select(OPEN[name]).to_series()


def _without(is_open: pl.Series, krav: Under, texts: Texts) -> Listed:
    """The texts of the krav as histories have them: of open ones, which overviews list, an empty one."""
    which = np.where(is_open.to_numpy()[krav.which], len(texts), krav.which)
    return Listed(Texts(texts.data, np.append(texts.ends, texts.ends[-1])), which, krav.firsts)


def oversikt_texts(bucket: Bucket, krav: Listed, innbetalinger: Listed) -> Texts:
    """The overview of each part, with its open krav and unplaced payments."""
    groups = bucket["oversikt_per_kravgruppe"]
    by_doc = Under.sorted(np.arange(groups.height), groups["doc"].to_numpy(), bucket["oversikt"].height)
    grupper = by_doc.listed(objects_of(KRAVGRUPPE, groups))
    return objects_of(OVERSIKT, bucket["oversikt"], krav=krav, innbetalinger=innbetalinger, grupper=grupper)


def compressor_of(kind: str) -> zstandard.ZstdCompressor:
    """What makes the frames of the kind."""
    if kind == "oversikt":
        return zstandard.ZstdCompressor(level=OVERSIKT_LEVEL, write_checksum=True)
    # The level's own parameters: by itself zstd takes others beside a dictionary, which make 1.5 % more bytes.
    parameters = zstandard.ZstdCompressionParameters.from_level(HISTORY_LEVEL, write_checksum=True, write_dict_id=True)
    return zstandard.ZstdCompressor(compression_params=parameters, dict_data=dictionary(kind))


class SegmentWriter:
    """Compresses the documents of ``parts`` kind by kind into one segment, and remembers where each lies."""

    def __init__(self, segment: Segment, parts: pl.Series) -> None:
        """Opens the segment's file; what is entered closes it."""
        self._segment = segment
        self._out = segment.documents.open("wb")
        self._columns: dict[str, pl.Series] = {"part": parts}
        self.raw_bytes = self.packed_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.close()

    def add(self, kind: str, documents: Texts, antall: pl.Series | None = None) -> None:
        """Compresses the documents of a kind, in part order. ``antall``: of how many posts each is, or 1."""
        self.raw_bytes += int(documents.ends[-1])
        packed = self._write(documents, compressor_of(kind))
        ones = pl.repeat(1, len(documents), dtype=pl.Int64, eager=True)
        self._place(kind, packed, ones if antall is None else antall)

    def copy(self, kind: str, frames: Iterable[bytes], rows: pl.DataFrame) -> None:
        """Takes the frames of a kind as they are from earlier segments; ``rows``: their index rows, in their order."""
        self._out.writelines(frames)
        self._place(kind, rows[f"{kind}_length"], rows[f"{kind}_antall"])
        if kind == "krav":
            self.column("krav_aapne", rows["krav_aapne"])

    def _place(self, kind: str, packed: pl.Series, antall: pl.Series) -> None:
        self.column(f"{kind}_offset", self.packed_bytes + packed.cum_sum() - packed)
        self.column(f"{kind}_length", packed)
        self.column(f"{kind}_antall", antall)
        self.packed_bytes += int(packed.sum())

    def column(self, name: str, values: pl.Series) -> None:
        """Something more that the index has of the documents."""
        self._columns[name] = values

    def _write(self, documents: Texts, compressor: zstandard.ZstdCompressor) -> pl.Series:
        """Compresses what is not empty in one call over the buffer; returns the packed lengths."""
        starts, lengths = documents.ends[:-1], np.diff(documents.ends)
        full = np.flatnonzero(lengths)
        packed = np.zeros(len(documents), np.int64)
        if len(full):
            segments = np.column_stack([starts[full], lengths[full]]).astype(np.uint64)
            source = zstandard.BufferWithSegments(documents.data.data, segments.data)
            frames = compressor.multi_compress_to_buffer(source, threads=THREADS)
            written: list[Any] = list(map(frames.__getitem__, range(len(frames))))
            self._out.writelines(written)
            packed[full] = list(map(len, written))
        return pl.Series(packed)

    def index(self) -> pl.DataFrame:
        """What the index has of these documents, once all are there: ``Segments.columns``, but for their date."""
        of = self._segment.of
        return pl.DataFrame(self._columns).select("part", pl.lit(self._segment.name).alias(of.column), *of.numbers)
