"""JSON text made a column at a time (CONTRACT section 4: UTF-8, compact, ``/`` and non-ASCII as they are).

A fragment is one object of a list, with its comma in front: ``,{"part":…}``. Fragments sorted by their
parent lie end to end in one Arrow buffer, so joining those of each parent is a matter of taking every
parent's first offset: no text is moved.
"""

import polars as pl
import pyarrow as pa

from transforms.money import kroner_as_text

_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\b": "\\b",
    "\f": "\\f",
    **{chr(c): f"\\u{c:04x}" for c in range(0x20) if chr(c) not in "\n\r\t\b\f"},
}

_NEEDS_ESCAPE = '["\\\\\\x00-\\x1f]'


def escaped(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with every text fit to stand between quotes. Most columns hold nothing to escape."""
    texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    found = frame.select(pl.col(texts).str.contains(_NEEDS_ESCAPE).any())
    columns = [name for name in texts if found[name][0]]
    return frame.with_columns(
        pl.col(name).str.replace_many(list(_ESCAPES), list(_ESCAPES.values())) for name in columns
    )


def obj(*fields: pl.Expr) -> pl.Expr:
    """An object of fields that each begin with a comma, or are null and left out."""
    inner = pl.concat_str(*fields, ignore_nulls=True).str.strip_prefix(",")
    return pl.concat_str(pl.lit("{"), inner, pl.lit("}"))


def fragment(first: pl.Expr, *fields: pl.Expr) -> pl.Expr:
    """An object in a list: ``first`` is always there, so nothing has to be stripped."""
    return pl.concat_str(pl.lit(",{"), first, *fields, pl.lit("}"), ignore_nulls=True)


def text(name: str, value: pl.Expr, *, first: bool = False) -> pl.Expr:
    """``,"name":"value"``, null where the value is. The value has been escaped."""
    return pl.concat_str(pl.lit(f'{"" if first else ","}"{name}":"'), value, pl.lit('"'))


def day(name: str, value: pl.Expr) -> pl.Expr:
    """A date in the seed's date-time form, midnight UTC; null where the value is."""
    return pl.concat_str(pl.lit(f',"{name}":"'), value.cast(pl.String), pl.lit('T00:00:00.000Z"'))


def amount(name: str, oere: pl.Expr) -> pl.Expr:
    """A number with exactly two decimals."""
    return pl.concat_str(pl.lit(f',"{name}":'), kroner_as_text(oere))


def raw(name: str, value: pl.Expr) -> pl.Expr:
    """A field whose value is JSON already."""
    return pl.concat_str(pl.lit(f',"{name}":'), value)


def array(name: str, fragments: pl.Expr) -> pl.Expr:
    """A list of joined fragments."""
    return pl.concat_str(pl.lit(f',"{name}":['), fragments.str.strip_prefix(","), pl.lit("]"))


def join_arrow(fragments: pl.Series, counts: pl.Series) -> pa.LargeStringArray:
    """Joins consecutive fragments: the first ``counts[0]`` into one text, and so on."""
    strings = fragments.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    if len(strings) == 0:
        return pa.array([""] * len(counts), pa.large_string())
    offsets = pa.Array.from_buffers(pa.int64(), len(strings) + 1, [None, strings.buffers()[1]], offset=strings.offset)
    firsts = pl.concat([pl.Series([0], dtype=pl.Int64), counts.cast(pl.Int64).cum_sum().rename("")])
    ends = offsets.take(firsts.to_arrow())
    return pa.LargeStringArray.from_buffers(len(counts), ends.buffers()[1], strings.buffers()[2])


def join(fragments: pl.Series, counts: pl.Series) -> pl.Series:
    """``join_arrow`` as a Polars series."""
    return pl.Series(fragments.name, join_arrow(fragments, counts))
