"""The documents of one bucket's parts as bytes (CONTRACT section 4; the form is ``schemas.store``)."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import zstandard

from schemas.store import END_BITS, INDEX_SCHEMA
from transforms.dictionaries import dictionary
from transforms.fragments import KRAVGRUPPE, OVERSIKT, innbetaling_fragments, krav_fragments, utbetaling_fragments
from transforms.json_text import firsts_of, join, made

THREADS = 2
OVERSIKT_LEVEL = 3
HISTORY_LEVEL = 1
"""With a dictionary the least level makes the least (docs/decisions/0008-dictionaries.md)."""


def write_documents(
    out: BinaryIO,
    part: pl.DataFrame,
    tables: dict[str, pl.DataFrame],
    bucket: dict[str, pl.DataFrame],
    snapshot_date: date,
    segment: str,
) -> tuple[pl.DataFrame, int]:
    """Writes all documents of the bucket's parts to ``out``; returns their index rows and raw bytes.

    ``part``: ``part`` (sorted) and ``innehaver``. ``tables``: the bucket's balanced tables; ``krav``, ``innbetaling``
    and ``utbetaling`` sorted by part, date and identifier.
    """
    store = Store(out, part["part"])
    opened = {}
    for kind, posts, pieces in _posts(tables, bucket):
        rows = by_document(posts, part)
        opened[kind] = pieces_of(rows.filter("open"), pieces)
        store.add(kind, *histories(rows, pieces, part.height))
    store.add("oversikt", overviews(part, tables, opened))
    return store.index(snapshot_date, segment), store.raw_bytes


def _posts(
    tables: dict[str, pl.DataFrame], bucket: dict[str, pl.DataFrame]
) -> Iterator[tuple[str, pl.DataFrame, pl.DataFrame]]:
    """Each kind of post and its pieces. A post: ``part``, ``dato``, ``id`` and ``open``: overviews list it."""
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


def pieces_of(rows: pl.DataFrame, pieces: pl.DataFrame) -> pl.DataFrame:
    """The pieces of the rows' ``post``, in order; their parent is the row's ``doc``."""
    first = pieces["parent"].search_sorted(rows["post"])
    last = pieces["parent"].search_sorted(rows["post"], side="right")
    place = pl.int_ranges(first, last, dtype=pl.UInt32, eager=True)
    taken = pl.DataFrame({"parent": rows["doc"], "place": place}).explode("place", empty_as_null=False)
    return taken.select("parent", text=pieces["text"].gather(taken["place"]))


def histories(rows: pl.DataFrame, pieces: pl.DataFrame, documents: int) -> tuple[pa.LargeBinaryArray, pl.Series]:
    """Each document's words and posts as one text, and how many posts it has. ``rows``: see ``by_document``."""
    firsts = firsts_of(rows["doc"], documents)
    lengths = pieces.group_by("parent", maintain_order=True).agg(pl.col("text").str.len_bytes().cast(pl.Int64).sum())
    ends = pl.concat([pl.Series("text", [0], dtype=pl.Int64), lengths["text"].gather(rows["post"]).cum_sum()])
    begin = ends.gather(firsts).gather(rows["doc"])  # of each post's document
    words = rows["dato"].cast(pl.Int64) * (1 << END_BITS) + ends[1:] - begin
    everything = pl.concat(
        [_words(words, firsts), pieces_of(rows, pieces).with_columns(pl.col("text").cast(pl.Binary))]
    )
    return join(everything.sort("parent", maintain_order=True), documents), firsts.diff()[1:]


def _words(words: pl.Series, firsts: pl.Series) -> pl.DataFrame:
    """The words of each document as a piece: of a post its date in the upper half, its end in the lower."""
    documents = len(firsts) - 1
    data = words.rechunk().to_arrow().buffers()[1] if len(words) else pa.py_buffer(b"")
    offsets = (firsts * 8).rechunk().to_arrow().buffers()[1]
    texts = pl.Series(pa.Array.from_buffers(pa.large_binary(), documents, [None, offsets, data]))
    return pl.DataFrame({"parent": pl.int_range(documents, dtype=pl.UInt32, eager=True), "text": texts})


def overviews(
    part: pl.DataFrame, tables: dict[str, pl.DataFrame], opened: dict[str, pl.DataFrame]
) -> pa.LargeBinaryArray:
    """The overview of each part. ``opened``: pieces of their open ``krav`` and unplaced ``innbetalinger``."""
    places = part.select(forespurt_part="part").with_row_index("parent")
    groups = tables["oversikt_per_kravgruppe"].join(places, on="forespurt_part", maintain_order="left")
    documents = made(
        OVERSIKT,
        tables["oversikt"],
        krav=_as_list(opened["krav"]),
        innbetalinger=_as_list(opened["innbetalinger"]),
        grupper=made(KRAVGRUPPE, groups),
    )
    return join(documents.with_columns(pl.col("text").cast(pl.Binary)), part.height)


def _as_list(pieces: pl.DataFrame) -> pl.DataFrame:
    """The pieces of posts as those of a list: without the comma in front of the first of each parent."""
    first = pl.col("parent").ne_missing(pl.col("parent").shift(1))
    return pieces.with_columns(pl.when(first).then(pl.col("text").str.strip_prefix(",")).otherwise("text"))


def compressor_of(kind: str) -> zstandard.ZstdCompressor:
    """What makes the frames of the kind."""
    if kind == "oversikt":
        return zstandard.ZstdCompressor(level=OVERSIKT_LEVEL, write_checksum=True)
    # The level's own parameters: by itself zstd takes others beside a dictionary, which make 1.5 % more bytes.
    parameters = zstandard.ZstdCompressionParameters.from_level(HISTORY_LEVEL, write_checksum=True, write_dict_id=True)
    return zstandard.ZstdCompressor(compression_params=parameters, dict_data=dictionary(kind))


class Store:
    """Compresses documents kind by kind into one segment, and remembers where each lies."""

    def __init__(self, out: BinaryIO, parts: pl.Series) -> None:
        self._out = out
        self._columns: dict[str, pl.Series] = {"part": parts}
        self.raw_bytes = 0

    def add(self, kind: str, frames: pa.LargeBinaryArray, antall: pl.Series | None = None) -> None:
        """Compresses the documents of a kind, in part order. ``antall``: of how many posts each is, or 1."""
        lengths = pl.Series(pc.binary_length(frames)).cast(pl.Int64)
        self.raw_bytes += int(lengths.sum())
        start = self._out.tell()
        packed = self._write(frames, lengths, compressor_of(kind))
        self._columns[f"{kind}_offset"] = start + packed.cum_sum() - packed
        self._columns[f"{kind}_length"] = packed
        self._columns[f"{kind}_antall"] = (
            pl.repeat(1, len(lengths), dtype=pl.Int64, eager=True) if antall is None else antall
        )

    def keep(self, kind: str, frames: Iterable[bytes], rows: pl.DataFrame) -> None:
        """Takes the frames of a kind as they are from earlier segments; ``rows``: their index rows, in their order."""
        packed = rows[f"{kind}_length"]
        self._columns[f"{kind}_offset"] = self._out.tell() + packed.cum_sum() - packed
        self._columns[f"{kind}_length"] = packed
        self._columns[f"{kind}_antall"] = rows[f"{kind}_antall"]
        self._out.writelines(frames)

    def _write(
        self, frames: pa.LargeBinaryArray, lengths: pl.Series, compressor: zstandard.ZstdCompressor
    ) -> pl.Series:
        """Compresses what is not empty in one call over the Arrow buffer; returns the packed lengths."""
        full = lengths > 0
        if not full.any():
            return pl.zeros(len(lengths), dtype=pl.Int64, eager=True)
        offsets = lengths.cum_sum() - lengths
        base = pa.Array.from_buffers(pa.int64(), 1, [None, frames.buffers()[1]], offset=frames.offset)[0].as_py()
        pairs = pl.DataFrame({"offset": offsets + base, "length": lengths}).filter(full)
        segments = pairs.select(pl.concat_list("offset", "length")).to_series().explode(empty_as_null=False)
        source = zstandard.BufferWithSegments(
            frames.buffers()[2], segments.cast(pl.UInt64).rechunk().to_arrow().buffers()[1]
        )
        packed = compressor.multi_compress_to_buffer(source, threads=THREADS)
        documents: list[Any] = list(map(packed.__getitem__, range(len(packed))))
        self._out.writelines(documents)
        sizes = pl.Series(list(map(len, documents)), dtype=pl.Int64)
        out = pl.DataFrame({"full": full}).with_row_index().filter("full").with_columns(packed=sizes)
        everything = pl.DataFrame({"full": full}).with_row_index()
        return everything.join(out, on="index", how="left", maintain_order="left")["packed"].fill_null(0)

    def index(self, snapshot_date: date | pl.Series, segment: str) -> pl.DataFrame:
        """The parts' index rows (``schemas.store``), once every kind is there. ``snapshot_date``: all's or each's."""
        frame = pl.DataFrame(self._columns).with_columns(snapshotdato=snapshot_date, segment=pl.lit(segment))
        return frame.select(INDEX_SCHEMA.names)
