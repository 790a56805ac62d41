"""Places: numbers from 0 that say where in a table of the bucket a row lies, and so join, gather and sort.

A row number, which is unique over the whole night, becomes a place once; from there on rows stay where they were read,
and what orders or lists them is an array of places.
"""

from typing import NamedTuple, Self

import numpy as np
import polars as pl

from transforms.text.json_text import Listed, Places, Texts

NOWHERE = -1


def places_of(wanted: pl.Series, rows: pl.Series) -> Places:
    """Where each of the ``wanted`` row numbers lies among ``rows``, in which none stands twice, or ``NOWHERE``.

    Nulls lie nowhere.
    """
    if rows.is_empty():
        return np.full(len(wanted), NOWHERE)
    numbers = rows.to_numpy()
    order = np.argsort(numbers)
    missing = np.iinfo(np.uint32).max
    looked_for = wanted.fill_null(missing).to_numpy()
    at = order[np.searchsorted(numbers, looked_for, sorter=order).clip(max=len(order) - 1)]
    return np.where(numbers[at] == looked_for, at, NOWHERE)


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

    def listed(self, texts: Texts) -> Listed:
        """The rows' texts in lists."""
        return Listed(texts, self.which, self.firsts)


class Shown(NamedTuple):
    """The posts that documents show, in their order: places of ``post``, and of the part whose document, ``doc``."""

    doc: Places
    post: Places

    def those(self, flags: pl.Series) -> Self:
        """Of the posts those with the flag."""
        some = flags.gather(self.post).to_numpy()
        return type(self)(self.doc[some], self.post[some])

    def own(self, whose: Places) -> Places:
        """The posts under their own part, but not an owner's under its ENKs. ``whose``: the part of each post."""
        own: Places = self.post[whose[self.post] == self.doc]
        return own

    def under(self, documents: int) -> Under:
        """The posts of each of so many documents."""
        return Under.sorted(self.post, self.doc, documents)


def by_document(doc: Places, dates: pl.Series, ids: pl.Series, owners: Places) -> Shown:
    """Which document shows which posts: its part's own and, an ENK's, its owner's, by date and identifier.

    ``doc``: whose each post is; ``owners``: of each part, ``NOWHERE`` for one that is no ENK.
    """
    enk = np.flatnonzero(owners != NOWHERE)
    posts = pl.DataFrame({"owner": doc}).with_row_index("post")
    owned = posts.join(pl.DataFrame({"owner": owners[enk], "doc": enk}), on="owner")
    docs = np.concatenate([doc, owned["doc"].to_numpy()])
    post = np.concatenate([np.arange(len(doc)), owned["post"].to_numpy()])
    order = in_order(docs, days(dates)[post], ids.gather(post))
    return Shown(docs[order], post[order])
