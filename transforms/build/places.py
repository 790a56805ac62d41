"""Places: numbers from 0 that say where in a table of the bucket a row lies, and so join, gather and sort.

A row number, which is unique over the whole night, becomes a place once; from there on rows stay where they were read,
and what orders or lists them is an array of places.
"""

from typing import NamedTuple, Self

import numpy as np
import polars as pl

from transforms.text.json_text import Listed, Places, Texts

NOWHERE = -1


def places_of(named: pl.Series, keys: pl.Series) -> Places:
    """Where each row number or key that is ``named`` lies among the ``keys``, none of them twice, or ``NOWHERE``."""
    places = keys.alias("key").to_frame().with_row_index("place")
    found = named.alias("key").to_frame().join(places, on="key", how="left", maintain_order="left")["place"]
    return found.cast(pl.Int64).fill_null(NOWHERE).to_numpy()


def all_there(places: Places) -> Places:
    """The places. Raises ``ValueError`` when one is ``NOWHERE``, which would be taken for that of the last row."""
    if (places == NOWHERE).any():
        raise ValueError("a row that is named is not in the bucket")
    return places


def in_order(first: Places, then: Places, texts: pl.Series) -> Places:
    """The places of rows sorted by two numbers of 32 bits, the first from 0, and where those tie by ``texts``.

    Text orders by code point (CONTRACT section 4), and costs some ten times what numbers do.
    """
    keys = (first << 32) + then
    order = np.argsort(keys)
    same = keys[order[1:]] == keys[order[:-1]]
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    by_text = order[tied][texts.gather(order[tied]).arg_sort().to_numpy()]
    order[tied] = by_text[np.argsort(keys[by_text], kind="stable")]
    return order


def days(dates: pl.Series) -> Places:
    """Dates as days since 1970."""
    return dates.to_physical().cast(pl.Int64).to_numpy()


class Under(NamedTuple):
    """Rows under their parents: each has those of ``which`` from one of ``firsts`` to the next."""

    which: Places
    firsts: Places

    @classmethod
    def sorted(cls, which: Places, parent: Places, parents: int) -> Self:
        """The rows ``which``, sorted by their ``parent``, a place among so many."""
        return cls(which, np.searchsorted(parent, np.arange(parents + 1)))

    @property
    def lengths(self) -> pl.Series:
        """How many rows each parent has."""
        return pl.Series(np.diff(self.firsts))

    @property
    def parent(self) -> Places:
        """The parent of each of ``which``."""
        return np.repeat(np.arange(len(self.firsts) - 1), np.diff(self.firsts))

    def those(self, flags: pl.Series) -> Self:
        """Of the rows those with the flag."""
        some = flags.gather(self.which).to_numpy()
        return type(self)(self.which[some], np.append(0, some.cumsum())[self.firsts])

    def listed(self, texts: Texts) -> Listed:
        """The rows' texts in lists."""
        return Listed(texts, self.which, self.firsts)


def by_document(doc: Places, dates: pl.Series, ids: pl.Series, owners: Places) -> Under:
    """The posts that each document shows: its part's own and, an ENK's, its owner's, by date and identifier.

    ``doc``: whose each post is; they are sorted by part, date and identifier. ``owners``: of each part, ``NOWHERE`` for
    one that is no ENK.
    """
    enk = np.flatnonzero(owners != NOWHERE)
    posts = pl.DataFrame({"owner": doc}).with_row_index("post")
    owned = posts.join(pl.DataFrame({"owner": owners[enk], "doc": enk}), on="owner")
    mixed = owners[doc] != NOWHERE  # only these must be sorted anew
    docs = np.concatenate([doc[mixed], owned["doc"].to_numpy()])
    post = np.concatenate([np.flatnonzero(mixed), owned["post"].to_numpy()])
    order = in_order(docs, days(dates)[post], ids.gather(post))
    docs, post = np.append(doc[~mixed], docs[order]), np.append(np.flatnonzero(~mixed), post[order])
    by_doc = np.argsort(docs, kind="stable")
    return Under.sorted(post[by_doc], docs[by_doc], len(owners))
