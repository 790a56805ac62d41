"""Files with the rows of a table, read some at a time, each with its number (``row``)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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

    @property
    def rows(self) -> int:
        """How many there are."""
        return int(pyarrow.parquet.read_metadata(self.path).num_rows)

    def read(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The rows in these columns and ``row``, some row groups at a time."""
        count = None if self.first is None else "row"
        file = pl.scan_parquet(self.path, row_index_name=count, row_index_offset=self.first or 0, glob=False)
        for start, rows in self._slices():
            yield file.select("row", *columns).slice(start, rows).collect()

    def _slices(self) -> Iterator[tuple[int, int]]:
        """Where row groups begin, and how many rows are read from there: those of some groups."""
        groups = pyarrow.parquet.read_metadata(self.path)
        start = rows = 0
        for group in range(groups.num_row_groups):
            rows += groups.row_group(group).num_rows
            if rows >= ROWS_AT_A_TIME or group == groups.num_row_groups - 1:
                yield start, rows
                start, rows = start + rows, 0


def delivered_files(
    deliveries: Path, used: Mapping[str, Sequence[Accepted]], table: str
) -> Iterator[tuple[Accepted, list[RowFile]]]:
    """By delivery the files of the table's accepted rows. Rows are numbered from 0 through all deliveries used."""
    first = 0
    for chain in used.values():
        for delivery in chain:
            files = []
            for path in sorted((deliveries / delivery.folder / table).glob("*.parquet")):
                files.append(RowFile(path, first))
                first += files[-1].rows
            yield delivery, files


def all_files(deliveries: Path, used: Mapping[str, Sequence[Accepted]]) -> dict[str, list[RowFile]]:
    """By table the files of all its accepted rows."""
    return {name: [file for _, files in delivered_files(deliveries, used, name) for file in files] for name in BUT_PART}
