"""The least a night can cost: reading, compressing and writing, each at its library's own speed."""

import os
import time
from array import array
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from pathlib import Path

import polars as pl
import pyarrow as pa
import zstandard

from bench.inbox import delivered
from schemas.store import SEGMENTS, frame_reader
from transforms.build.documents import THREADS, compressor_of


@dataclass(frozen=True)
class Floor:
    """Seconds of each."""

    read: float
    compress: float
    write: float

    @property
    def seconds(self) -> float:
        """All three, one after another."""
        return self.read + self.compress + self.write


def measure(inbox: Path, home: Path, scratch: Path) -> Floor:
    """Measures on what a night over ``inbox`` has left in ``home``. Writes to ``scratch`` and removes it."""
    snapshot = (home / "current").resolve()
    return Floor(_read(inbox), _compress(snapshot), _write(snapshot, scratch))


def _read(inbox: Path) -> float:
    """All columns of all delivered files, a file at a time (both cores work on its columns)."""
    start = time.perf_counter()
    for files in delivered(inbox).values():
        for file in files:
            pl.read_parquet(file)
    return time.perf_counter() - start


def _compress(snapshot: Path) -> float:
    """The documents anew, a segment and kind at a time, in one call each over one buffer as the night does it."""
    seconds = 0.0
    with pa.memory_map(str(snapshot / "documents" / "index.arrow")) as source:
        index = pl.DataFrame(pl.from_arrow(pa.ipc.open_file(source).read_all()))
    content = frame_reader(path.read_bytes() for path in (snapshot / "documents").glob("*.dict"))
    for segments in SEGMENTS:
        for (segment,), rows in index.drop_nulls(segments.column).group_by(segments.column):
            packed = (snapshot / "documents" / f"{segment}.zst").read_bytes()
            for kind in segments.kinds:
                places = rows.select(f"{kind}_offset", f"{kind}_length").filter(pl.nth(1) > 0).rows()
                if places:
                    raw = [content(packed[offset : offset + length]) for offset, length in places]
                    seconds += _seconds_to_compress(raw, kind)
    return seconds


def _seconds_to_compress(documents: list[bytes], kind: str) -> float:
    ends = [0, *accumulate(map(len, documents))]
    pairs = array("Q", chain.from_iterable((first, last - first) for first, last in pairwise(ends)))
    buffer = zstandard.BufferWithSegments(b"".join(documents), pairs.tobytes())
    compressor = compressor_of(kind)
    start = time.perf_counter()
    compressor.multi_compress_to_buffer(buffer, threads=THREADS)
    return time.perf_counter() - start


def _write(snapshot: Path, scratch: Path) -> float:
    """Every byte of the snapshot, to disk."""
    seconds = 0.0
    for path in sorted(snapshot.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            start = time.perf_counter()
            with scratch.open("wb") as out:
                out.write(data)
                os.fsync(out.fileno())
            seconds += time.perf_counter() - start
    scratch.unlink(missing_ok=True)
    return seconds
