"""Stored documents read back into columns: posts, amounts, totals (the form is ``schemas.store``).

Nothing is parsed whole. A text is cut at a literal that can stand in one place only, for within a text
the quotes of a key would be escaped, and a piece is told by the end of the one before it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from schemas.store import END_BITS, END_MASK

PACKED_SLICE = 1 << 20
"""Stored bytes of documents read at a time, some 10 MB of JSON: a text is cut while it is in the cache."""

POST = ',{"part":"'
"""A post begins with its part, and nothing else does."""

AMOUNT = r"-?[0-9]+\.[0-9]{2}"
TEXT = r'((?:[^"\\]|\\.)*)'


@dataclass(frozen=True)
class Documents:
    """Some documents of one kind. ``rows``: ``part``, ``antall`` (posts) and ``length`` (of its text, bytes);
    ``text``: their texts end to end; ``words``: their posts' words end to end, none for overviews.
    """

    rows: pl.DataFrame
    text: pa.Buffer
    words: pl.Series

    def bodies(self) -> pl.Series:
        """The documents' texts, checked to be UTF-8."""
        return _cut(self.text, _ends(self.rows["length"]))


def documents(data: bytes, index: pl.DataFrame, kind: str, content: Callable[[bytes], bytes]) -> Iterator[Documents]:
    """A segment's documents of one kind, a slice of bounded size at a time; what the index doesn't name is not read.

    ``content`` gives that of a frame, see ``schemas.store.frame_reader``.
    """
    rows = index.filter(pl.col(f"{kind}_length") > 0).select(
        "part", offset=f"{kind}_offset", packed=f"{kind}_length", antall=f"{kind}_antall"
    )
    if kind == "oversikt":
        rows = rows.with_columns(antall=pl.lit(0, pl.Int64))
    for _, some in rows.group_by(pl.col("packed").cum_sum() // PACKED_SLICE, maintain_order=True):
        places = some.select("offset", "packed").rows()
        frames = [memoryview(content(data[offset : offset + length])) for offset, length in places]
        cut = list(zip(frames, (some["antall"] * 8).to_list(), strict=True))
        words = b"".join([frame[:end] for frame, end in cut])
        yield Documents(
            some.select("part", "antall", length=pl.Series([len(frame) - end for frame, end in cut], dtype=pl.Int64)),
            pa.py_buffer(b"".join([frame[end:] for frame, end in cut])),
            pl.Series(pa.Array.from_buffers(pa.int64(), len(words) // 8, [None, pa.py_buffer(words)])),
        )


def _ends(lengths: pl.Series) -> pl.Series:
    """0 and the end of each, of texts that lie end to end."""
    return pl.concat([pl.Series(lengths.name, [0], dtype=pl.Int64), lengths.cast(pl.Int64).cum_sum()])


def _cut(text: pa.Buffer, ends: pl.Series) -> pl.Series:
    """The text cut at the ends, of which the first is its start, checked to be UTF-8. No text is copied."""
    buffers = [None, ends.rechunk().to_arrow().buffers()[1], text]
    return pl.Series(pa.Array.from_buffers(pa.large_binary(), len(ends) - 1, buffers)).cast(pl.String)


def cut_posts(documents: Documents) -> pl.DataFrame | None:
    """The posts of histories, cut where their words say, a row per post, in order; None where that cannot be.

    ``part``, the document's; ``day`` (since 1970), the word's; ``begun``, whether the text begins as a post does;
    the rest see ``described``. Whether each is one post and no more, the amounts tell.
    """
    rows, words = documents.rows, documents.words
    whole = _ends(rows["length"])
    place = rows.with_row_index().select(pl.col("index").repeat_by("antall").explode())["index"]
    ends = pl.concat([whole[:1], (whole.gather(place) + (words & END_MASK)).rename(whole.name)])
    if not ((ends.diff().slice(1) > 0).all() and ends.gather(_ends(rows["antall"])).equals(whole)):
        return None
    posts = pl.DataFrame({"part": rows["part"].gather(place), "day": words // (1 << END_BITS)})
    posts = posts.with_columns(post=_cut(documents.text, ends))
    post = pl.col("post")
    return described(posts.with_columns(begun=post.str.starts_with(POST), post=post.str.slice(len(POST))))


def split_posts(rows: pl.DataFrame, body: pl.Expr) -> pl.DataFrame:
    """The posts of lists whose posts all begin with their comma, cut at each ``POST``; see ``described``."""
    posts = rows.select("part", post=body.str.split(POST).list.slice(1)).explode("post", empty_as_null=False)
    return described(posts)


def described(posts: pl.DataFrame) -> pl.DataFrame:
    """Posts with ``post``, the text from the number of its part on; ``whose``, that part; and ``key``.

    ``key`` is a 64-bit hash of the text: enough to tell copies by, where it is our own faults that are looked for.
    """
    whose = pl.col("post").str.head(11).str.strip_suffix('",')  # 9 or 11 digits
    return posts.with_columns(whose=whose, key=pl.col("post").hash(0))


def split_overviews(overviews: Documents) -> pl.DataFrame:
    """``part``, the lists ``krav`` and ``innbetalinger`` as bodies, and ``totals``; null where one is not there."""
    rows = overviews.rows.with_columns(body=overviews.bodies())
    body = pl.col("body").cast(pl.Binary)
    krav, payments, totals = (pl.col("body").str.find(literal, literal=True).cast(pl.Int64) for literal in _LISTS)

    def between(start: pl.Expr, literal: str, end: pl.Expr) -> pl.Expr:
        first = start + len(literal)
        return body.bin.slice(first, end - first).cast(pl.String)

    return rows.select(
        "part",
        krav=pl.concat_str(pl.lit(","), between(krav, _LISTS[0], payments)),
        innbetalinger=pl.concat_str(pl.lit(","), between(payments, _LISTS[1], totals)),
        totals=between(totals, _LISTS[2], pl.col("body").str.len_bytes().cast(pl.Int64)),
    )


_LISTS = ('"aapentKravMedGjenstaaendeBeloep":[', '],"innbetalingMedUplassertBeloep":[', '],"totalOversikt":')


def split_amounts(posts: pl.DataFrame) -> pl.DataFrame:
    """The amounts of the posts, every number after a ``Beloep``, in order, beside the other columns of the post.

    ``piece``: the text from the amount to the next; ``before``: the text between the one before and it; ``oere``:
    itself, null where it is no number with two decimals.
    """
    texts = posts["post"].rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    text = texts.buffers()[2] or pa.py_buffer(b"")
    ends = _ends(posts["post"].str.len_bytes())
    at = pl.col("post").str.find_many([_BELOEP]).alias("at")
    found = posts.select(pl.exclude("post"), at, start=ends[:-1] + len(_BELOEP)).explode("at").drop_nulls("at")
    starts = found.select(pl.col("start") + pl.col("at")).to_series()
    pieces = _cut(text, pl.concat([ends[:1], starts.rename(ends.name), ends[-1:]]))
    found = found.select(pl.exclude("start", "at"), before=pieces[:-1], piece=pieces[1:])
    return found.with_columns(oere=oere(rf"^({AMOUNT})[,}}]"))


_BELOEP = 'Beloep":'


def after(end: str) -> pl.Expr:
    """Whether the text before ``Beloep`` ends so: which amount this is."""
    return pl.col("before").str.ends_with(end + _BELOEP)


def oere(pattern: str, column: str = "piece") -> pl.Expr:
    """Øre, Int128, of the amount that the pattern's group finds: its digits without the point; else null."""
    return pl.col(column).str.extract(pattern).cast(pl.Decimal(38, 2)).to_physical().cast(pl.Int128)
