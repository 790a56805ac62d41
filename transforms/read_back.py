"""Stored documents read back into columns: posts, amounts, totals (the form is ``schemas.store``).

Nothing is parsed whole. A text is cut at a literal that can stand in one place only, for within a text
the quotes of a key would be escaped, and a piece is told by the end of the one before it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

PACKED_SLICE = 1 << 19
"""Stored bytes of documents read at a time, some 5 MB of JSON: a text is cut while it is in the cache."""

POST = ',{"part":"'
"""A post begins with its part, and nothing else does."""

AMOUNT = r"-?[0-9]+\.[0-9]{2}"
TEXT = r'((?:[^"\\]|\\.)*)'


@dataclass(frozen=True)
class Documents:
    """Some documents of one kind: ``part`` and ``body``, their text; and their posts' words end to end."""

    rows: pl.DataFrame
    words: pl.Series


def documents(data: bytes, index: pl.DataFrame, kind: str, content: Callable[[bytes], bytes]) -> Iterator[Documents]:
    """A segment's documents of one kind, a slice of bounded size at a time; what the index doesn't name is not read.

    ``content`` gives that of a frame, see ``schemas.store.frame_reader``.
    """
    rows = index.filter(pl.col(f"{kind}_length") > 0).select(
        "part", offset=f"{kind}_offset", length=f"{kind}_length", words=pl.col(f"{kind}_antall") * 8
    )
    if kind == "oversikt":
        rows = rows.with_columns(words=pl.lit(0, pl.Int64))
    for _, some in rows.group_by(pl.col("length").cum_sum() // PACKED_SLICE, maintain_order=True):
        pairs = some.select("offset", "length").iter_rows()
        frames = [memoryview(content(data[offset : offset + length])) for offset, length in pairs]
        cut = list(zip(frames, some["words"], strict=True))
        words = b"".join(frame[:end] for frame, end in cut)
        yield Documents(
            some.select("part").with_columns(body=_texts([frame[end:] for frame, end in cut])),
            pl.Series(pa.Array.from_buffers(pa.int64(), len(words) // 8, [None, pa.py_buffer(words)])),
        )


def _texts(bodies: list[memoryview]) -> pl.Series:
    """The bodies as one column, checked to be UTF-8."""
    offsets = pl.Series([0, *map(len, bodies)], dtype=pl.Int64).cum_sum()
    buffers = [None, offsets.to_arrow().buffers()[1], pa.py_buffer(b"".join(bodies))]
    return pl.Series(pa.Array.from_buffers(pa.large_binary(), len(bodies), buffers)).cast(pl.String)


def split_posts(rows: pl.DataFrame, body: pl.Expr) -> pl.DataFrame:
    """One row per post, in order, of bodies whose posts all begin with their comma.

    ``part``, the document's; ``post``, its text from the number of its part on; ``whose``, that part;
    ``key``, a 64-bit hash of the text: enough to tell copies by, where it is our own faults that are looked for.
    """
    posts = rows.select("part", post=body.str.split(POST).list.slice(1)).explode("post", empty_as_null=False)
    whose = pl.col("post").str.head(11).str.strip_suffix('",')  # 9 or 11 digits
    return posts.with_columns(whose=whose, key=pl.col("post").hash(0))


def split_overviews(overviews: Documents) -> pl.DataFrame:
    """``part``, the lists ``krav`` and ``innbetalinger`` as bodies, and ``totals``; null where one is not there."""
    body = pl.col("body").cast(pl.Binary)
    krav, payments, totals = (pl.col("body").str.find(literal, literal=True).cast(pl.Int64) for literal in _LISTS)

    def between(start: pl.Expr, literal: str, end: pl.Expr) -> pl.Expr:
        first = start + len(literal)
        return body.bin.slice(first, end - first).cast(pl.String)

    return overviews.rows.select(
        "part",
        krav=pl.concat_str(pl.lit(","), between(krav, _LISTS[0], payments)),
        innbetalinger=pl.concat_str(pl.lit(","), between(payments, _LISTS[1], totals)),
        totals=between(totals, _LISTS[2], pl.col("body").str.len_bytes().cast(pl.Int64)),
    )


_LISTS = ('"aapentKravMedGjenstaaendeBeloep":[', '],"innbetalingMedUplassertBeloep":[', '],"totalOversikt":')


def split_amounts(posts: pl.DataFrame) -> pl.DataFrame:
    """The posts' texts cut at every ``Beloep``, a row per piece, in order, beside the other columns of the post.

    ``piece``: the text from an amount to the next; ``before``: the piece before it; ``oere``: its amount,
    null for the first piece of a post, and for any other that does not begin with a number with two decimals.
    """
    pieces = posts.with_columns(piece=pl.col("post").str.split('Beloep":')).drop("post").explode("piece")
    return pieces.with_columns(before=pl.col("piece").shift(1), oere=oere(rf"^({AMOUNT})[,}}]"))


def after(end: str) -> pl.Expr:
    """Whether the text before ``Beloep`` ends so: which amount this is."""
    return pl.col("before").str.ends_with(end)


def oere(pattern: str, column: str = "piece") -> pl.Expr:
    """Øre, Int128, of the amount that the pattern's group finds: its digits without the point; else null."""
    return pl.col(column).str.extract(pattern).cast(pl.Decimal(38, 2)).to_physical().cast(pl.Int128)
