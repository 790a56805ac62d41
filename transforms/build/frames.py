"""What lies in a snapshot's segments: frames, as they lie or unpacked, and rows of tables (``schemas.store``)."""

import mmap
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from schemas.store import Segments, frame_reader
from transforms.home.snapshot import Segment, whose


class Frames:
    """The frames of the documents of index rows, in the rows' order: those that lie in segments ``of`` one kind."""

    def __init__(self, snapshot: Path, of: Segments, index: pl.DataFrame) -> None:
        """The segments are mapped, so what isn't asked for isn't read."""
        self.index, self._column = index, of.column
        self._segments = {name: _mapped(Segment(snapshot, of, name).documents) for name in index[of.column].unique()}
        self._content = frame_reader(path.read_bytes() for path in (snapshot / "documents").glob("*.dict"))

    def packed(self, kind: str) -> Iterator[bytes]:
        """As they lie; nothing for a part that has no posts of the kind."""
        places = self.index.select(self._column, f"{kind}_offset", f"{kind}_length").filter(pl.last() > 0)
        for segment, offset, length in places.iter_rows():
            yield self._segments[segment][offset : offset + length]

    def unpacked(self, kind: str) -> Iterator[bytes]:
        """What is in them. Raises ``zstandard.ZstdError`` over one that is damaged."""
        return map(self._content, self.packed(kind))


def table_rows(snapshot: Path, of: Segments, index: pl.DataFrame, table: str) -> list[pl.LazyFrame]:
    """The table's rows of the index rows' parts, by segment. A segment may also have rows of parts that are somewhere
    else by now, which don't count.
    """
    return [
        pl.scan_parquet(Segment(snapshot, of, name).table(table)).filter(
            pl.col(whose(table)).is_in(parts["part"].implode())
        )
        for (name,), parts in index.group_by(of.column, maintain_order=True)
    ]


def write_rows(rows: pl.DataFrame, path: Path) -> None:
    """Writes a segment's rows of a table. Without statistics: hashed over segments, all have much the same."""
    rows.write_parquet(path, compression="zstd", compression_level=1, statistics=False)


def _mapped(path: Path) -> mmap.mmap | bytes:
    """The segment's bytes. One of histories has none when its parts have no posts, and that cannot be mapped."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""
