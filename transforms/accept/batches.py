"""What the readers of CSV and Parquet share: which columns, how much at a time, how much at most."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from schemas.tables import REMOVED, Table
from transforms.accept.unreadable import FileRefused, unreadable

BATCH_ROWS = 262_144
BATCH_BYTES = 256 << 20
"""About what a batch may take."""

UNPACKED_RATIO = 1000
UNPACKED_BYTES = 64 << 20
"""A file may unpack to so many times its size, and always to so many bytes: beyond is no ledger."""


class Unpacked:
    """Counts the bytes that a file unpacks to and refuses it when they are out of all proportion."""

    def __init__(self, path: Path) -> None:
        self._left = max(UNPACKED_BYTES, UNPACKED_RATIO * path.stat().st_size)

    def count(self, size: int) -> None:
        """So many bytes more. Raises ``FileRefused``."""
        self._left -= size
        if self._left < 0:
            raise unreadable(f"it unpacks to more than {UNPACKED_RATIO} times its size")


def check_columns(names: list[str], table: Table, *, removals: bool) -> list[str]:
    """The columns to read, in the contract's order. Raises ``FileRefused`` naming all that is wrong.

    A delivered column's name is shown only when the contract knows it: a file without a header
    has data where the names should be.
    """
    allowed = [*table.names, REMOVED.name] if removals else list(table.names)
    reasons = [("L1-COLUMN-MISSING", f"column {name} is missing") for name in table.names if name not in names]
    unknown = sum(name not in allowed for name in names)
    if unknown:
        reasons.append(("L1-COLUMN-UNKNOWN", f"{unknown} of {len(names)} columns are not among {', '.join(allowed)}"))
    reasons += [
        ("L1-COLUMN-TWICE", f"column {name} is there {names.count(name)} times")
        for name in allowed
        if names.count(name) > 1
    ]
    if reasons:
        raise FileRefused(*reasons)
    return [name for name in allowed if name in names]


def gathered(pieces: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The same rows, as many at a time as may be, however few the reader gave at a time.

    What is written of a batch is a row group: many small ones are slow and large.
    """
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for piece in _without_too_many_rows(pieces):
        if waiting and (rows + piece.num_rows > BATCH_ROWS or size + piece.nbytes > BATCH_BYTES):
            yield pa.Table.from_batches(waiting)
            waiting, rows, size = [], 0, 0
        waiting.append(piece)
        rows, size = rows + piece.num_rows, size + piece.nbytes
    if waiting:
        yield pa.Table.from_batches(waiting)


def _without_too_many_rows(pieces: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for piece in pieces:
        for start in range(0, piece.num_rows, BATCH_ROWS):
            yield piece.slice(start, BATCH_ROWS)
