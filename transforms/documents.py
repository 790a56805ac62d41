"""The documents of one bucket's parts as bytes (CONTRACT section 4; the form is ``schemas.store``)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import zstandard

from schemas.store import END_BITS, INDEX_SCHEMA
from transforms.dictionaries import dictionary
from transforms.fragments import (
    KRAVGRUPPE,
    OVERSIKT,
    innbetaling_fragments,
    krav_fragments,
    made,
    utbetaling_fragments,
)
from transforms.json_text import join, join_arrow

THREADS = 2
OVERSIKT_LEVEL = 3
HISTORY_LEVEL = 1
"""With a dictionary the least level makes the least (docs/decisions/0008-dictionaries.md)."""


@dataclass(frozen=True)
class Posts:
    """Posts of one kind as fragments: ``part``, ``dato``, ``id``, ``made``, and ``open`` for the overview."""

    rows: pl.DataFrame

    @classmethod
    def of(cls, frame: pl.DataFrame, dato: str, identifier: str, made: pl.Series, is_open: pl.Expr) -> "Posts":
        """The posts of a table sorted by part, date and identifier, with the fragments made of them."""
        return cls(frame.select("part", dato=pl.col(dato), id=pl.col(identifier), open=is_open).with_columns(made=made))

    def by_document(self, shown: pl.DataFrame) -> pl.DataFrame:
        """The rows under every ``forespurt_part`` that shows them, in the documents' order."""
        rows = shown.join(self.rows, on="part", maintain_order="right")
        return rows.sort("forespurt_part", "dato", "id")


def write_documents(
    out: BinaryIO,
    part: pl.DataFrame,
    shown: pl.DataFrame,
    tables: dict[str, pl.DataFrame],
    bucket: dict[str, pl.DataFrame],
    snapshot_date: Any,
    segment: str,
) -> tuple[pl.DataFrame, int]:
    """Writes all documents of the bucket's parts to ``out``; returns their index rows and raw bytes.

    ``tables``: the bucket's balanced tables; ``krav``, ``innbetaling`` and ``utbetaling`` sorted by part, date
    and identifier. ``shown``: see ``balances.shown_under``.
    """
    parts = part.select(forespurt_part="part").sort("forespurt_part")
    kinds = {kind: posts.by_document(shown) for kind, posts in _posts(tables, bucket)}
    store = Store(out, parts["forespurt_part"])
    open_krav, unplaced = kinds["krav"].filter("open"), kinds["innbetalinger"].filter("open")
    listed = {
        "krav": join(open_krav["made"], counts_of(parts, open_krav)),
        "innbetalinger": join(unplaced["made"], counts_of(parts, unplaced)),
    }
    store.add("oversikt", overviews(parts, tables, listed), None)
    for kind, rows in kinds.items():
        counts = counts_of(parts, rows)
        words = words_of(rows, counts)
        store.add(kind, binary(join_arrow(rows["made"], counts)), words)
        kinds[kind] = rows.clear()
    return store.index(snapshot_date, segment), store.raw_bytes


def _posts(tables: dict[str, pl.DataFrame], bucket: dict[str, pl.DataFrame]) -> Iterator[tuple[str, Posts]]:
    krav = tables["krav"]
    texts = krav_fragments(krav, tables["kravforfall"], bucket)
    yield "krav", Posts.of(krav, "opprettelsesdato", "kravidentifikator", texts, pl.col("aapent"))
    payments = tables["innbetaling"]
    texts = innbetaling_fragments(payments, bucket["forfall_on_innbetaling"])
    is_open = pl.col("uplassert_beloep") != 0
    yield "innbetalinger", Posts.of(payments, "innbetalingsdato", "innbetalingsidentifikator", texts, is_open)
    payouts = tables["utbetaling"]
    texts = utbetaling_fragments(payouts, bucket["forfall_on_utbetaling"])
    yield (
        "utbetalinger",
        Posts.of(payouts, "utbetalingsdato", "utbetalingsidentifikator", texts, pl.lit(False)),
    )


def counts_of(parts: pl.DataFrame, rows: pl.DataFrame) -> pl.Series:
    """How many of the rows are under each of the parts; both by ``forespurt_part``."""
    counts = rows.group_by("forespurt_part").len()
    return parts.join(counts, on="forespurt_part", how="left", maintain_order="left")["len"].fill_null(0)


def words_of(rows: pl.DataFrame, counts: pl.Series) -> pa.LargeBinaryArray:
    """Per part the words of its posts: date in the upper half, end of the fragment in the lower."""
    end = pl.col("made").str.len_bytes().cast(pl.Int64).cum_sum().over("forespurt_part")
    words = rows.select(words=(pl.col("dato").cast(pl.Int64) * (1 << END_BITS)) + end)["words"].rechunk()
    firsts = pl.concat([pl.Series([0], dtype=pl.Int64), counts.cast(pl.Int64).cum_sum().rename("")]) * 8
    data = words.to_arrow().buffers()[1] if len(words) else pa.py_buffer(b"")
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(counts), [None, firsts.to_arrow().buffers()[1], data]
    )


def overviews(
    parts: pl.DataFrame, tables: dict[str, pl.DataFrame], listed: dict[str, pl.Series]
) -> pa.LargeBinaryArray:
    """The overview of each of the parts. ``listed``: their open ``krav`` and unplaced ``innbetalinger``, joined."""
    groups = tables["oversikt_per_kravgruppe"]
    documents = made(
        OVERSIKT, tables["oversikt"], **listed, grupper=join(made(KRAVGRUPPE, groups), counts_of(parts, groups))
    )
    return binary(documents.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()))


def binary(strings: pa.LargeStringArray) -> pa.LargeBinaryArray:
    """The same texts as bytes."""
    return strings.view(pa.large_binary())


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

    def add(self, kind: str, bodies: pa.LargeBinaryArray, words: pa.LargeBinaryArray | None) -> None:
        """Compresses the parts' documents of a kind: their posts' words, of a history, and then the text."""
        if words is None:
            frames, antall = bodies, pl.Series([1] * len(bodies), dtype=pl.Int64)
        else:
            frames = pc.binary_join_element_wise(words, bodies, pa.scalar(b"", pa.large_binary()))
            antall = pl.Series(pc.binary_length(words)).cast(pl.Int64) // 8
        lengths = pl.Series(pc.binary_length(frames)).cast(pl.Int64)
        self.raw_bytes += int(lengths.sum())
        start = self._out.tell()
        packed = self._write(frames, lengths, compressor_of(kind))
        self._columns[f"{kind}_offset"] = start + packed.cum_sum() - packed
        self._columns[f"{kind}_length"] = packed
        self._columns[f"{kind}_antall"] = antall

    def keep(self, kind: str, frames: Iterable[bytes], rows: pl.DataFrame) -> None:
        """Takes the frames of a kind as they are from earlier segments; ``rows``: their index rows, in part order."""
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

    def index(self, snapshot_date: Any, segment: str) -> pl.DataFrame:
        """The parts' index rows (``schemas.store``), once every kind has been added or kept."""
        frame = pl.DataFrame(self._columns).with_columns(
            snapshotdato=pl.lit(snapshot_date, pl.Date), segment=pl.lit(segment)
        )
        return frame.select(INDEX_SCHEMA.names)
