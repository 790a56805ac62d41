"""JSON text made a column at a time (CONTRACT section 4: UTF-8, compact, ``/`` and non-ASCII as they are).

``as_json`` first makes of every column the text that its values have in JSON. A ``Shape`` then says how an object
is put together of such columns: one ``concat_str`` from one list to the next, in which what is always the same
between two columns is one literal (docs/decisions/0009-text-in-one-expression.md).

``made`` gives texts as pieces: rows of ``parent`` and ``text``, sorted so that each parent's text is its pieces end
to end. An object with lists is its pieces and theirs in turn, so what is nested is put in place by its row and
not copied into what it is nested in (docs/decisions/0014-text-in-pieces.md).
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
    return frame.with_columns(_VALUES[kind](frame[name]).alias(name) for name, kind in kinds.items() if kind in _VALUES)


def _escaped(texts: pl.Series) -> pl.Series:
    """The texts fit to stand between quotes. Most columns hold nothing to escape: their bytes tell at a third
    of the cost of looking at each text.
    """
    data = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()).buffers()[2]
    if data is None:
        return texts
    found = pl.Series(pa.Array.from_buffers(pa.uint8(), data.size, [None, data]))
    if not ((found < 0x20) | (found == ord('"')) | (found == ord("\\"))).any():
        return texts
    return texts.str.replace_many(list(_ESCAPES), list(_ESCAPES.values()))


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


_VALUES = {pl.String: _escaped, pl.Date: _day, pl.Int64: kroner_as_text, pl.Int128: kroner_as_text, pl.Boolean: _flag}


# --- objects --------------------------------------------------------------------------------------


class _Hole(str):
    """Where a list stands, by its name."""

    __slots__ = ()


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
    """A list of objects, given to ``made`` by the column's name."""
    return Field((f'"{name}":[', _Hole(column), "]"))


def obj(name: str, *fields: Field) -> Field:
    """An object within the object."""
    return Field((f'"{name}":', *_braces(fields)))


@dataclass(frozen=True)
class Shape:
    """An object: the texts from its start to its first list, from there to the next, and so on to its end."""

    texts: tuple[pl.Expr, ...]
    lists: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """The columns that the texts are made of."""
        return sorted({name for text in self.texts for name in text.meta.root_names()} - {_COMMA})


_COMMA = "comma"


def document(*fields: Field) -> Shape:
    """An object on its own."""
    return _shape(_braces(fields))


def fragment(*fields: Field) -> Shape:
    """An object in a list: ``made`` puts a comma in front of it, but for the first of its parent."""
    return _shape([pl.col(_COMMA), *_braces(fields)])


def _shape(pieces: Iterable[Piece]) -> Shape:
    texts: list[list[Piece]] = [[]]
    lists = []
    for piece in pieces:
        if isinstance(piece, _Hole):
            lists.append(str(piece))
            texts.append([])
        else:
            texts[-1].append(piece)
    return Shape(tuple(_concat(text, ignore_nulls=True) for text in texts), tuple(lists))


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


# --- pieces ---------------------------------------------------------------------------------------


def made(shape: Shape, rows: pl.DataFrame, **lists: pl.DataFrame) -> pl.DataFrame:
    """The rows as pieces of their ``parent``, by which they are sorted; of themselves (0, 1, …) if they have none.

    ``lists``: the shape's lists as pieces whose parents are these rows. A row without parent has its comma in front.
    """
    own = pl.int_range(rows.height, dtype=pl.UInt32, eager=True).alias("parent")
    columns = as_json(rows.select(shape.columns)).with_columns(_commas(rows).alias(_COMMA))
    texts = columns.select(text.alias(str(place)) for place, text in enumerate(shape.texts))
    in_turn = [pl.DataFrame({"parent": own, "text": texts["0"]})]
    for place, name in enumerate(shape.lists, start=1):
        in_turn += [lists[name], pl.DataFrame({"parent": own, "text": texts[str(place)]})]
    pieces = pl.concat(in_turn).sort("parent", maintain_order=True) if shape.lists else in_turn[0]
    if "parent" not in rows.columns:
        return pieces
    return pieces.with_columns(rows["parent"].gather(pieces["parent"]))


def _commas(rows: pl.DataFrame) -> pl.Series:
    if "parent" not in rows.columns:
        return pl.repeat(",", rows.height, eager=True)
    first = pl.col("parent").ne_missing(pl.col("parent").shift(1))
    return rows.select(pl.when(first).then(pl.lit("")).otherwise(pl.lit(","))).to_series()


def firsts_of(parent: pl.Series, parents: int) -> pl.Series:
    """Where the rows of each of so many parents (0, 1, …) begin among rows sorted by ``parent``, and where all end."""
    return parent.search_sorted(pl.int_range(parents + 1, dtype=pl.UInt32, eager=True)).cast(pl.Int64)


def join(pieces: pl.DataFrame, parents: int) -> pa.LargeBinaryArray:
    """The text of each of so many parents: the one time that text is moved. ``text`` is Binary."""
    texts = pieces["text"].rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    if len(texts) == 0:
        return pa.array([b""] * parents, pa.large_binary())
    offsets = pa.Array.from_buffers(pa.int64(), len(texts) + 1, [None, texts.buffers()[1]], offset=texts.offset)
    ends = offsets.take(firsts_of(pieces["parent"], parents).to_arrow())
    return pa.Array.from_buffers(pa.large_binary(), parents, [None, ends.buffers()[1], texts.buffers()[2]])
