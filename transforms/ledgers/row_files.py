"""Files with the rows of a table, read some at a time, each with its number (``row``)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl
import pyarrow.parquet

from schemas.snapshot import Accepted
from schemas.tables import BUT_PART

ROWS_AT_A_TIME = 200_000
"""So many rows are read at a time: some 60 MB."""


@dataclass(frozen=True)
class RowFile:
    """A Parquet file. ``first``: the number of its first row; None when each row has its own in the column ``row``."""

    path: Path
    first: int | None = None

    @cached_property
    def rows(self) -> int:
        """How many there are."""
        return int(pyarrow.parquet.read_metadata(self.path).num_rows)


def read_rows(files: Iterable[RowFile], columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The rows of the files in these columns and ``row``: some row groups of a large one, or several small ones, at a
    time. The numbers of several follow one another.
    """
    small: list[RowFile] = []
    for file in files:
        if small and (file.first is None or sum(one.rows for one in small) + file.rows > ROWS_AT_A_TIME):
            yield _scan(small, columns).collect()
            small = []
        if file.rows <= ROWS_AT_A_TIME:
            small.append(file)
        else:
            for start, rows in _slices(file.path):
                yield _scan([file], columns).slice(start, rows).collect()
    if small:
        yield _scan(small, columns).collect()


def _scan(files: Sequence[RowFile], columns: Sequence[str]) -> pl.LazyFrame:
    first = files[0].first
    paths = [file.path for file in files]
    count = None if first is None else "row"
    rows = pl.scan_parquet(paths, row_index_name=count, row_index_offset=first or 0, glob=False, extra_columns="ignore")
    return rows.select("row", *columns)


def _slices(path: Path) -> Iterator[tuple[int, int]]:
    """Where row groups begin, and how many rows are read from there: those of some groups."""
    groups = pyarrow.parquet.read_metadata(path)
    start = rows = 0
    for group in range(groups.num_row_groups):
        rows += groups.row_group(group).num_rows
        if rows >= ROWS_AT_A_TIME or group == groups.num_row_groups - 1:
            yield start, rows
            start, rows = start + rows, 0


def paths_of(deliveries: Path, delivery: Accepted, table: str) -> list[Path]:
    """The files of a delivery's accepted rows of the table, in order."""
    return sorted((deliveries / delivery.folder / table).glob("*.parquet"))


def delivered_files(
    deliveries: Path, used: Mapping[str, Sequence[Accepted]], table: str
) -> Iterator[tuple[Accepted, list[RowFile]]]:
    """By delivery the files of the table's accepted rows. Rows are numbered from 0 through all deliveries used."""
    first = 0
    for chain in used.values():
        for delivery in chain:
            files = []
            for path in paths_of(deliveries, delivery, table):
                files.append(RowFile(path, first))
                first += files[-1].rows
            yield delivery, files


def all_files(deliveries: Path, used: Mapping[str, Sequence[Accepted]]) -> dict[str, list[RowFile]]:
    """By table of posts the files of all its accepted rows."""
    return {name: [file for _, files in delivered_files(deliveries, used, name) for file in files] for name in BUT_PART}
