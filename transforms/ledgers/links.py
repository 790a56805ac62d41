"""How the good posts hang together, by row numbers.

What a row names by a key is looked up once; from there on posts are followed, added up and sorted by numbers. ``row``
is a row's number in its table (``row_files``), a reference's number is that of the row that it names: ``krav_row``,
``forfall_row``, ``motpost_row``. ``part_row`` is a part's place among the good parts by code point, so that sorting by
it is sorting by part.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Self

import duckdb
import numpy as np
import polars as pl

from schemas.tables import KRAV, KRAVFORFALL, TABLES, WITH_PART
from transforms.ledgers.keys import Keys, with_hashes, without_hashes

Links = dict[str, pl.DataFrame]
"""The good rows of each table, amounts in øre (``beloep``; ``Int64``), numbers ``UInt32``:

- ``part``: ``part_row`` (ascending), ``row``, ``part``, ``parttype``, ``innehaver``, ``innehaver_row``
- ``krav``, ``innbetaling``, ``utbetaling``: ``row``, ``part_row``, ``beloep``
- ``kravforfall``: ``row``, ``krav_row``, ``part_row``, ``beloep``
- ``plassering``: ``row``, ``plasseringstype``, ``plassert_beloep``, ``forfall_row``, ``motpost_row``
"""

MOTPOSTER = {"MOTKRAV": "kravforfall", "INNBETALING": "innbetaling", "UTBETALING": "utbetaling"}
"""In which table the ``motpost`` of a placement of each type is."""

PLACED = ("row", "plasseringstype", "plassert_beloep", "forfall_row", "motpost_row")
"""What is handed over of placements."""


def keys_of(connection: duckdb.DuckDBPyConnection, name: str) -> Iterator[pl.DataFrame]:
    """Number, key, references and amount (``beloep``) of the rows in ``good_<table>``, some at a time.

    Keys and references as hashes (``keys``), a part's own and its owner's also as text (``part``, ``innehaver``).
    """
    table = TABLES[name]
    hashed = {f"{column}_key": column for column in (table.key, *table.references)}
    columns = [f"{column} AS {key}" for key, column in hashed.items()]
    more = _MORE.get(name, (f"{table.amount} AS beloep",))
    query = f"SELECT {', '.join(['row', *columns, *more])} FROM good_{name}"
    for rows in with_hashes(connection, query, [*hashed]):
        yield rows.with_columns(pl.col("plasseringstype").cast(_KINDS)) if name == "plassering" else rows


_MORE = {"part": ("part", "parttype", "innehaver"), "plassering": ("plasseringstype", "plassert_beloep")}
_KINDS = pl.Enum(list(MOTPOSTER))


def key_of(name: str) -> str:
    """The column of ``keys_of`` that has the table's own key."""
    return f"{TABLES[name].key}_key"


@dataclass(frozen=True)
class Named:
    """Rows of a table that others name: without their keys, which tell where each of them stands."""

    rows: pl.DataFrame
    keys: Keys

    @classmethod
    def of(cls, rows: pl.DataFrame, name: str) -> Self:
        """``rows``: with the table's own key."""
        return cls(without_hashes(rows, key_of(name)), Keys(rows, key_of(name)))

    def those(self, good: pl.Series) -> Self:
        """Those of the rows, and the others as if they were not there: all they have is null."""
        if good.all():
            return self
        return type(self)(self.rows.select(pl.when(good).then(pl.all()).name.keep()), self.keys)

    def linked(self, rows: pl.DataFrame, column: str, **names: str) -> pl.DataFrame:
        """The rows with columns of what they name in ``column``, null where that is not there, in place of the key."""
        place = self.keys.places(rows, f"{column}_key")
        found = [self.rows[of].gather(place).alias(name) for name, of in names.items()]
        return without_hashes(rows.with_columns(found), f"{column}_key")


def number_parts(part: pl.DataFrame) -> pl.DataFrame:
    """Good parts by code point, each with its number and its owner's, its row, and its key."""
    numbered = part.sort("part").with_row_index("part_row")
    owner = pl.when(pl.col("innehaver").is_not_null()).then(pl.col("innehaver_row"))
    return Named.of(numbered, "part").linked(numbered, "innehaver", innehaver_row="part_row").with_columns(owner)


def link_to_part(rows: pl.DataFrame, part: Named) -> pl.DataFrame:
    """The rows with ``part_row``, null when there is no such part."""
    return part.linked(rows, "part", part_row="part_row")


def link_due_dates(dues: pl.DataFrame, krav: Named) -> pl.DataFrame:
    """The due dates with ``krav_row`` and ``part_row``, null when there is no such krav."""
    return krav.linked(dues, KRAV.key, krav_row="row", part_row="part_row")


def link_placements(placements: pl.DataFrame, posts: Mapping[str, Named]) -> pl.DataFrame:
    """The placements with ``forfall_row`` and ``forfall_beloep``, ``motpost_row`` and ``motpost_beloep``: of the post
    at either end, null when there is none. A due date that is used for others is one below zero.
    """
    ends = posts["kravforfall"].linked(placements, KRAVFORFALL.key, forfall_row="row", forfall_beloep="beloep")
    linked = pl.concat(
        posts[name].linked(ends.filter(plasseringstype=kind), "motpost", motpost_row="row", motpost_beloep="beloep")
        for kind, name in MOTPOSTER.items()
    )
    no_credit = (pl.col("plasseringstype") == "MOTKRAV") & (pl.col("motpost_beloep") >= 0)
    motpost = pl.when(~no_credit.fill_null(value=False)).then(pl.col("motpost_row", "motpost_beloep"))
    return linked.with_columns(motpost.name.keep())


LINKING = 2
"""So many batches of rows may wait to be linked: each holds its keys."""


def all_linked(batches: Iterable[pl.DataFrame], link: Callable[[pl.DataFrame], pl.DataFrame]) -> pl.DataFrame:
    """All batches linked, in their order: some while the next is read, for the lookups let other threads run."""
    done: list[pl.DataFrame] = []
    linking: deque[Future[pl.DataFrame]] = deque()
    with ThreadPoolExecutor(LINKING) as pool:
        for rows in batches:
            linking.append(pool.submit(link, rows))
            if len(linking) == LINKING:
                done.append(linking.popleft().result())
        return pl.concat([*done, *(one.result() for one in linking)])


def links_of(connection: duckdb.DuckDBPyConnection) -> Links:
    """The links of the rows in ``good_<table>``, which are all known to be good."""

    def named(name: str, link: Callable[[pl.DataFrame], pl.DataFrame]) -> Named:
        return Named.of(all_linked(keys_of(connection, name), link), name)

    part = Named.of(number_parts(pl.concat(keys_of(connection, "part"))), "part")
    posts = {name: named(name, partial(link_to_part, part=part)) for name in WITH_PART}
    posts["kravforfall"] = named("kravforfall", partial(link_due_dates, krav=posts["krav"]))
    placed = all_linked(keys_of(connection, "plassering"), lambda rows: link_placements(rows, posts).select(PLACED))
    return {"part": part.rows, **{name: post.rows for name, post in posts.items()}, "plassering": placed}


class Numbered:
    """A frame's rows by their number, ``row``, which none shares."""

    def __init__(self, rows: pl.DataFrame) -> None:
        """Numbers that are no row's lead to a place behind the last."""
        self._rows, numbers = rows.drop("row"), rows["row"].to_numpy()
        self._place = np.full(int(numbers.max(initial=0)) + 2, rows.height, np.uint32)
        self._place[numbers] = np.arange(rows.height, dtype=np.uint32)

    def places(self, numbers: pl.Series) -> np.ndarray:
        """Where the rows with these numbers stand here; behind the last for those that are not here."""
        return self._place.take(numbers.to_numpy(), mode="clip")

    def among(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Those of the rows that are numbered here, with the columns of here."""
        place = self.places(rows["row"])
        there = place < self._rows.height
        return rows.filter(there).hstack(self._rows[place[there]])

    def values(self, numbers: pl.Series, column: str) -> pl.Series:
        """What the rows with these numbers have in the column; null for those that are not here."""
        place = pl.Series(self.places(numbers))
        return self._rows[column].gather(place.set(place == self._rows.height, None))
