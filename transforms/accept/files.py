"""Reads a delivered file, Parquet or CSV, a batch at a time (CONTRACT section 1).

A batch comes out with the table's columns in the contract's order, each either as text or as the
Parquet type that fits its kind; the values themselves are not looked at here. What makes the file
as a whole unusable is raised as ``FileRefused`` with every reason found.
"""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa

from schemas.tables import Table
from transforms.accept.batches import gathered
from transforms.accept.csv_pieces import csv_pieces
from transforms.accept.parquet_pieces import parquet_pieces
from transforms.accept.unreadable import DAMAGED, is_its_own, plain, unreadable

ENDINGS = (".parquet", ".csv", ".csv.gz", ".csv.zst")


def read_batches(path: Path, table: Table, *, removals: bool) -> Iterator[pl.DataFrame]:
    """The file's rows as raw frames: the table's columns, then ``slettet`` if the file has it.

    ``removals``: whether the column ``slettet`` is allowed (only in an ``endring``).
    An empty text is null. Raises ``FileRefused``; what no file is to blame for (no memory, too many open
    files, a fault of ours) comes as it is, for it would refuse every delivery.
    """
    pieces = parquet_pieces if path.name.endswith(".parquet") else csv_pieces
    try:
        for batch in gathered(pieces(path, table, removals)):
            batch.validate(full=True)  # text from Parquet may hold bytes that are no UTF-8
            yield _as_polars(batch)
    except DAMAGED as error:
        if not is_its_own(error):
            raise
        raise unreadable(plain(error)) from error


def _as_polars(batch: pa.Table) -> pl.DataFrame:
    frame = pl.DataFrame(pl.from_arrow(batch))
    texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    return frame.with_columns(pl.when(pl.col(texts) != "").then(pl.col(texts)))
