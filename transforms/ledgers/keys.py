"""Keys as two numbers of 64 bits each, by which rows that name each other are found without holding text.

They are hashes of the text by two seeds. That two other texts share both is as likely as one in 10^38: among all pairs
of a hundred million keys once in 10^22 nights, which no memory is as sure as (docs/decisions/0023).
"""

from collections.abc import Iterable, Iterator

import duckdb
import numpy as np
import polars as pl

AGAIN = "_again"
"""Behind a column's name: its second hash."""

ROWS_AT_A_TIME = 250_000


def with_hashes(connection: duckdb.DuckDBPyConnection, query: str, keys: Iterable[str]) -> Iterator[pl.DataFrame]:
    """What the query gives, some rows at a time, at first none: the texts in the columns ``keys`` as hashes
    (``UInt64``), and once more with ``AGAIN``.
    """
    keys = list(keys)
    hashes = [pl.col(keys).hash(1), pl.col(keys).hash(2).name.suffix(AGAIN)]
    rows = connection.sql(query).to_arrow_reader(ROWS_AT_A_TIME)
    yield pl.DataFrame(rows.schema.empty_table()).with_columns(hashes)
    # A copy, for a column that is kept keeps the batch that it came in, with all its text.
    copied = pl.all().exclude(*keys).gather(pl.int_range(pl.len()))
    for batch in rows:
        yield pl.DataFrame(batch).with_columns(*hashes, copied)


def without_hashes(rows: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """The rows without the hashes of these columns."""
    return rows.drop(name for column in columns for name in (column, column + AGAIN))


class Keys:
    """Where each key stands in the column of a frame with hashes, in which none stands twice."""

    def __init__(self, rows: pl.DataFrame, column: str) -> None:
        """Sorts them by the first hash."""
        one, again = _hashes(rows, column)
        self._place = np.argsort(one).astype(np.uint32)
        self._one, self._again = one[self._place], again[self._place]

    def places(self, rows: pl.DataFrame, column: str) -> pl.Series:
        """The place of the key that each row names in the column; null for one that is not there.

        Those asked for are sorted too: memory is then read in order. Two keys may share the first hash, of which one is
        the next; three don't.
        """
        one, again = _hashes(rows, column)
        found = np.full(len(one), len(self._place), np.uint32)
        order = np.argsort(one)
        at = np.searchsorted(self._one, one[order])
        for step in (0, 1):
            there = np.flatnonzero(at + step < len(self._one))
            place, asked = at[there] + step, order[there]
            same = (self._one[place] == one[asked]) & (self._again[place] == again[asked])
            found[asked[same]] = self._place[place[same]]
        places = pl.Series(found)
        return places.set(places == len(self._place), None)


def _hashes(rows: pl.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray]:
    return rows[column].to_numpy(), rows[column + AGAIN].to_numpy()


def standing_twice(*hashes: np.ndarray) -> np.ndarray:
    """The hashes that stand there more than once, in one array or in several."""
    ordered = np.concatenate(hashes)
    ordered.sort()
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
