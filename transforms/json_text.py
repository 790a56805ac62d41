"""JSON text made a column at a time (CONTRACT section 4: UTF-8, compact, ``/`` and non-ASCII as they are).

``as_json`` first makes of every column the text that its values have in JSON. ``fragment`` then says in one
expression how an object is put together of such columns: one ``concat_str`` for the whole object, in which
what is always the same between two columns is one literal (docs/decisions/0009-text-in-one-expression.md).

A fragment is one object of a list, with its comma in front: ``,{"part":…}``. Fragments sorted by their
parent lie end to end in one Arrow buffer, so joining those of each parent is a matter of taking every
parent's first offset: no text is moved.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

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

# --- values ---------------------------------------------------------------------------------------


def as_json(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with texts escaped, dates as ``YYYY-MM-DD``, øre (Int64, Int128) as kroner and flags as words.

    Other columns stay as they are; nulls stay null.
    """
    kinds = {name: dtype.base_type() for name, dtype in frame.schema.items()}
    return _escaped(frame).with_columns(
        _VALUES[kind](frame[name]).alias(name) for name, kind in kinds.items() if kind in _VALUES
    )


def _escaped(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with every text fit to stand between quotes. Most columns hold nothing to escape."""
    texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    found = frame.select(pl.col(texts).str.contains_any(list(_ESCAPES)).any())
    columns = [name for name in texts if found[name][0]]
    return frame.with_columns(
        pl.col(name).str.replace_many(list(_ESCAPES), list(_ESCAPES.values())) for name in columns
    )


_FIRST_DAY, _LAST_DAY = date(1970, 1, 1), date(2099, 12, 31)
_DAYS = pl.date_range(_FIRST_DAY, _LAST_DAY, eager=True).cast(pl.String)
"""The usual days as text: looking one up costs a tenth of writing it."""


def _day(dates: pl.Series) -> pl.Series:
    least, greatest = dates.min(), dates.max()
    if least is None or least < _FIRST_DAY or greatest > _LAST_DAY:  # type: ignore[operator]
        return dates.cast(pl.String)
    return _DAYS.gather(dates.to_physical())


def _flag(flags: pl.Series) -> pl.Series:
    return flags.to_frame("flag").select(pl.when("flag").then(pl.lit("true")).otherwise(pl.lit("false"))).to_series()


_VALUES = {pl.Date: _day, pl.Int64: kroner_as_text, pl.Int128: kroner_as_text, pl.Boolean: _flag}


# --- objects --------------------------------------------------------------------------------------

Piece = str | pl.Expr


@dataclass(frozen=True)
class Field:
    """A field as pieces of text to put end to end. An ``optional`` one is left out where its column is null."""

    pieces: tuple[Piece, ...]
    optional: bool = False


def text(name: str, column: str, *, optional: bool = False) -> Field:
    """``"name":"value"``."""
    return Field((f'"{name}":"', pl.col(column), '"'), optional)


def day(name: str, column: str, *, optional: bool = False) -> Field:
    """A date in the seed's date-time form, midnight UTC."""
    return Field((f'"{name}":"', pl.col(column), 'T00:00:00.000Z"'), optional)


def amount(name: str, column: str) -> Field:
    """A number with exactly two decimals."""
    return Field((f'"{name}":', pl.col(column)))


def flag(name: str, column: str) -> Field:
    """``true`` or ``false``."""
    return Field((f'"{name}":', pl.col(column)))


def array(name: str, column: str) -> Field:
    """A list of joined fragments."""
    return Field((f'"{name}":[', pl.col(column).str.strip_prefix(","), "]"))


def obj(name: str, *fields: Field) -> Field:
    """An object within the object."""
    return Field((f'"{name}":', *_braces(fields)))


def document(*fields: Field) -> pl.Expr:
    """An object on its own."""
    return _concat(_braces(fields), ignore_nulls=True)


def fragment(*fields: Field) -> pl.Expr:
    """An object in a list, with its comma in front."""
    return _concat([",", *_braces(fields)], ignore_nulls=True)


def _braces(fields: tuple[Field, ...]) -> Iterator[Piece]:
    """``{…}``. Optional fields before the first that is always there end with their comma, others begin with it."""
    always = next((place for place, field in enumerate(fields) if not field.optional), None)
    yield "{"
    if always is None:
        yield _concat((_optional(",", *field.pieces) for field in fields), ignore_nulls=True).str.strip_prefix(",")
    else:
        yield from (_optional(*field.pieces, ",") for field in fields[:always])
        yield from fields[always].pieces
        for field in fields[always + 1 :]:
            yield from [_optional(",", *field.pieces)] if field.optional else [",", *field.pieces]
    yield "}"


def _optional(*pieces: Piece) -> pl.Expr:
    """The pieces as one, null where a column is."""
    return _concat(pieces, ignore_nulls=False)


def _concat(pieces: Iterable[Piece], *, ignore_nulls: bool) -> pl.Expr:
    """The pieces end to end; neighbours that are always the same are one literal."""
    merged: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and merged and isinstance(last := merged[-1], str):
            merged[-1] = last + piece
        else:
            merged.append(piece)
    return pl.concat_str(
        (pl.lit(piece) if isinstance(piece, str) else piece for piece in merged), ignore_nulls=ignore_nulls
    )


# --- lists ----------------------------------------------------------------------------------------


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
