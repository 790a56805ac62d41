"""The frames of a snapshot's documents, as they lie or unpacked (the form is ``schemas.store``)."""

import mmap
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from schemas.store import frame_reader


class Frames:
    """The frames of the documents of index rows, in the rows' order, that lie in the segments of one column."""

    def __init__(self, documents: Path, index: pl.DataFrame, column: str) -> None:
        """``documents``: the snapshot's folder. Its segments are mapped, so what isn't asked for isn't read.

        ``column``: one of ``schemas.store.KINDS_IN``.
        """
        self.index, self._column = index, column
        self._segments = {segment: _mapped(documents / f"{segment}.zst") for segment in index[column].unique()}
        self._content = frame_reader(path.read_bytes() for path in documents.glob("*.dict"))

    def packed(self, kind: str) -> Iterator[bytes]:
        """As they lie; nothing for a part that has no posts of the kind."""
        places = self.index.select(self._column, f"{kind}_offset", f"{kind}_length").filter(pl.last() > 0)
        for segment, offset, length in places.iter_rows():
            yield self._segments[segment][offset : offset + length]

    def unpacked(self, kind: str) -> Iterator[bytes]:
        """What is in them. Raises ``zstandard.ZstdError`` over one that is damaged."""
        return map(self._content, self.packed(kind))


def _mapped(path: Path) -> mmap.mmap | bytes:
    """The segment's bytes. One of histories has none when its parts have no posts, and that cannot be mapped."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""
