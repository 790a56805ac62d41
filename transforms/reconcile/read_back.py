"""Stored documents read back into columns (the form is ``schemas.store``).

It shares no code with what writes them: how a text must read comes from the published models (``grammar``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from schemas.store import END_BITS, END_MASK
from transforms.reconcile.grammar import GRAMMARS
from transforms.reconcile.scanner import Amounts, Column, Documents, Items, Sums, no_sums, scan

PACKED_SLICE = 1 << 18
"""Stored bytes of documents read at a time, some 2.5 MB of JSON: it is walked while it is in the cache."""


@dataclass(frozen=True)
class Read:
    """Documents of one kind as columns. Parts are numbers, see ``number_of``.

    ``items``: posts, and of overviews the overview, its totals and its kravgrupper: ``model``, which of these it is;
    ``part``, whose document it is in; of a post ``whose`` it is, its ``dato`` (YYYYMMDD), the ``day`` of its word
    (since 1970) and ``key``, a hash of its bytes; ``gruppe``, a hash of its kravgruppe.
    ``amounts``, of overviews: ``item``, the row above; ``field``, its model and name; ``forfall``, the due date that it
    belongs to, if to any (YYYYMMDD); ``oere``, Int128.
    ``sums``, of histories, over the posts that are the part's own: ``field``; ``below``, whether below 0; ``antall``;
    ``oere``.
    ``elsewhere``, of histories: ``part`` and ``day`` of each post that has only a word there, in order.
    ``refused``: how many documents do not read as they must; of those there are no items and no amounts.
    """

    items: pl.DataFrame
    amounts: pl.DataFrame
    sums: pl.DataFrame
    elsewhere: pl.DataFrame
    refused: int


def number_of(part: str) -> pl.Expr:
    """The column of parts as numbers: their digits after a 1, for some begin with 0."""
    return pl.concat_str(pl.lit("1"), part).cast(pl.Int64).alias(part)


def read(data: bytes, index: pl.DataFrame, kind: str, content: Callable[[bytes], bytes]) -> Read:
    """A segment's documents of one kind; what the index doesn't name, or gives no length, is not read.

    ``content`` gives that of a frame, see ``schemas.store.frame_reader``.
    """
    rows = index.filter(pl.col(f"{kind}_length") > 0).select(
        number_of("part"), offset=f"{kind}_offset", packed=f"{kind}_length", antall=f"{kind}_antall"
    )
    names = pl.Enum(GRAMMARS[kind].fields)
    sums = no_sums(len(names.categories))
    items, amounts, elsewhere, found, refused = [], [], [], 0, 0
    for some in rows.with_columns(slice=pl.col("packed").cum_sum() // PACKED_SLICE).partition_by("slice"):
        places = zip(some["offset"].to_list(), some["packed"].to_list(), strict=True)
        frames = [content(data[offset : offset + packed]) for offset, packed in places]
        cut = _cut_oversikter if kind == "oversikt" else _cut_histories
        bodies, documents, missing = cut(frames, some)
        wrong, of_items, of_amounts = scan(bodies, documents, GRAMMARS[kind].steps, sums)
        items.append(of_items)
        amounts.append(of_amounts._replace(item=of_amounts.item + found))
        elsewhere.append(missing)
        found, refused = found + len(of_items.part), refused + int(wrong.sum())
    field = pl.col("field").cast(pl.UInt8).cat.to(names)
    return Read(
        _frame(Items, items).select(pl.exclude("field"), field.alias("model")),
        _frame(Amounts, amounts).select("item", field, "forfall", _OERE),
        pl.concat([_sums(sums, 0), _sums(sums, 1)]).select(field, "below", "antall", _OERE),
        _frame(_Elsewhere, elsewhere),
        refused,
    )


class _Elsewhere(NamedTuple):
    """The posts whose text stands elsewhere: whose document they are in, and the days of their words."""

    part: Column
    day: Column


_OERE = (pl.col("high").cast(pl.Int128) * 10**18 + pl.col("low")).alias("oere")


_Cut = tuple[list[memoryview], Documents, _Elsewhere]


def _cut_oversikter(frames: list[bytes], rows: pl.DataFrame) -> _Cut:
    """Each as one piece."""
    ends = np.array([len(frame) for frame in frames])
    ones, zeros = np.ones_like(ends), np.zeros_like(ends)
    documents = Documents(rows["part"].to_numpy(), ones, ends, zeros)
    return [memoryview(frame) for frame in frames], documents, _Elsewhere(_NONE, _NONE)


def _cut_histories(frames: list[bytes], rows: pl.DataFrame) -> _Cut:
    """Each as its posts, as its words say; a post of no bytes is none of its pieces."""
    antall, part = rows["antall"].to_numpy(), rows["part"].to_numpy()
    cuts = list(zip(frames, (8 * antall).tolist(), strict=True))
    words = np.frombuffer(b"".join([frame[:end].ljust(end, b"\0") for frame, end in cuts]), np.int64)
    document = np.arange(len(antall)).repeat(antall)
    ends, days = words & END_MASK, words >> END_BITS
    first = np.diff(document, prepend=-1) != 0
    there = ends != np.where(first, 0, np.roll(ends, 1))
    pieces = np.bincount(document[there], minlength=len(antall))
    documents = Documents(part, pieces, ends[there], days[there])
    missing = _Elsewhere(part[document[~there]], days[~there])
    return [memoryview(frame)[end:] for frame, end in cuts], documents, missing


def _frame(columns: type[Items] | type[Amounts] | type[_Elsewhere], slices: list[Any]) -> pl.DataFrame:
    """The columns of the slices, one after another."""
    names = columns._fields
    return pl.DataFrame({name: np.concatenate([_NONE, *(getattr(one, name) for one in slices)]) for name in names})


_NONE = np.empty(0, np.int64)


def _sums(sums: Sums, below: int) -> pl.DataFrame:
    """Those of the amounts below 0, or of the others."""
    columns = {name: column[:, below] for name, column in sums._asdict().items()}
    return pl.DataFrame(columns).with_row_index("field").with_columns(below=pl.lit(bool(below)))
