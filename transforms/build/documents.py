"""The documents of one bucket's parts as bytes (CONTRACT section 4; the form is ``schemas.store``)."""

from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np
import polars as pl
import zstandard

from transforms.build.fragments import KRAVGRUPPE, OVERSIKT, innbetaling_fragments, krav_fragments, utbetaling_fragments
from transforms.home.dictionaries import dictionary
from transforms.home.snapshot import Segment
from transforms.text.json_text import Texts, firsts_of, histories_of, objects_of, taken

Tables = dict[str, pl.DataFrame]
"""A segment's tables by name."""

THREADS = 2
OVERSIKT_LEVEL = 3
HISTORY_LEVEL = 1
"""With a dictionary the least level makes the least (docs/decisions/0008-dictionaries.md)."""


def write_documents(
    histories: "SegmentWriter",
    oversikter: "SegmentWriter",
    part: pl.DataFrame,
    tables: Tables,
    bucket: dict[str, pl.DataFrame],
) -> None:
    """Writes all documents of the bucket's parts.

    ``part``: ``part`` (sorted) and ``innehaver``. ``tables``: the bucket's balanced tables; ``krav``, ``innbetaling``
    and ``utbetaling`` sorted by part, date and identifier.
    """
    opened = {}
    for kind, posts, texts in _posts(tables, bucket):
        rows = by_document(posts, part)
        opened[kind] = listed(rows.filter("open"), texts)
        if kind == "krav":
            histories.column("krav_aapne", per_document(rows.filter("open"), part.height))
            histories.raw_bytes += int(opened[kind].ends[-1])  # of the documents, though they lie in the overviews
            rows, texts = _without_open(rows, texts)
        histories.add(kind, _histories(rows, texts, part.height), per_document(rows, part.height))
    oversikter.add("oversikt", oversikt_texts(part, tables, opened))


def _posts(tables: Tables, bucket: dict[str, pl.DataFrame]) -> Iterator[tuple[str, pl.DataFrame, Texts]]:
    """Each kind of post and its texts. A post: ``part``, ``dato``, ``id`` and ``open``: overviews list it."""
    krav = tables["krav"]
    posts = krav.select("part", dato="opprettelsesdato", id="kravidentifikator", open="aapent")
    yield "krav", posts, krav_fragments(krav, tables["kravforfall"], bucket)
    payments, is_open = tables["innbetaling"], pl.col("uplassert_beloep") != 0
    posts = payments.select("part", dato="innbetalingsdato", id="innbetalingsidentifikator", open=is_open)
    yield "innbetalinger", posts, innbetaling_fragments(payments, bucket["forfall_on_innbetaling"])
    payouts = tables["utbetaling"]
    posts = payouts.select("part", dato="utbetalingsdato", id="utbetalingsidentifikator", open=pl.lit(False))
    yield "utbetalinger", posts, utbetaling_fragments(payouts, bucket["forfall_on_utbetaling"])


def by_document(posts: pl.DataFrame, part: pl.DataFrame) -> pl.DataFrame:
    """The posts under every document that shows them, an ENK's its owner's too, in the documents' order.

    ``doc`` is the document's place in ``part``, ``post`` the place among the posts. Those are sorted, so only
    what ENKs show needs sorting by text.
    """
    posts, places = posts.with_row_index("post"), part.with_row_index("doc")
    own = posts.join(places.select("doc", "part"), on="part", maintain_order="left")
    owners = posts.join(places.drop_nulls("innehaver").select("doc", part="innehaver"), on="part")
    mixed = pl.col("doc").is_in(owners["doc"].unique().implode())
    both = pl.concat([own.filter(mixed), owners]).sort("doc", "dato", "id")
    return pl.concat([own.filter(~mixed), both]).sort("doc", maintain_order=True)


def listed(rows: pl.DataFrame, texts: Texts) -> Texts:
    """The texts of the rows' ``post``, listed under their ``doc``."""
    return taken(texts, rows["post"].to_numpy(), rows["doc"])


def per_document(rows: pl.DataFrame, documents: int) -> pl.Series:
    """How many rows each document has. ``rows``: see ``by_document``."""
    return pl.Series(np.diff(firsts_of(rows["doc"], documents)))


def _without_open(krav: pl.DataFrame, texts: Texts) -> tuple[pl.DataFrame, Texts]:
    """The krav and their texts as histories have them: of open ones, which overviews list, an empty one."""
    empty = pl.lit(len(texts), pl.UInt32)
    rows = krav.with_columns(post=pl.when("open").then(empty).otherwise("post"))
    return rows, Texts(texts.data, np.append(texts.ends, texts.ends[-1]))


def _histories(rows: pl.DataFrame, texts: Texts, documents: int) -> Texts:
    """Each document's words and posts as one text. ``rows``: see ``by_document``."""
    post, days = rows["post"].to_numpy(), rows["dato"].to_physical().to_numpy()
    return histories_of(texts, post, days, firsts_of(rows["doc"], documents))


def oversikt_texts(part: pl.DataFrame, tables: dict[str, pl.DataFrame], opened: dict[str, Texts]) -> Texts:
    """The overview of each part. ``opened``: their open ``krav`` and unplaced ``innbetalinger``."""
    places = part.select(forespurt_part="part").with_row_index("parent")
    groups = tables["oversikt_per_kravgruppe"].join(places, on="forespurt_part", maintain_order="left")
    return objects_of(
        OVERSIKT,
        tables["oversikt"],
        krav=opened["krav"],
        innbetalinger=opened["innbetalinger"],
        grupper=objects_of(KRAVGRUPPE, groups),
    )


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
