"""JSON text made of columns (CONTRACT section 4: UTF-8, compact, ``/`` and non-ASCII as they are).

A ``Shape`` says how an object is put together of the columns of a table and of lists. ``objects_of`` writes one object
a row, all end to end in one buffer, with one compiled loop: a literal, a value, a literal … The elements of lists are
texts made before, each once however many rows show it (docs/decisions/0015-compiled-text.md).
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from schemas.store import END_BITS
from transforms.rules.money import kroner_as_text
from transforms.text import text_loops as loops
from transforms.text.text_loops import Bytes
from transforms.text.text_loops import Places as Places


@dataclass(frozen=True)
class Texts:
    """Texts end to end. ``ends``: where the first begins, then where each ends in ``data``."""

    data: Bytes
    ends: Places

    def __post_init__(self) -> None:
        """Makes the arrays read-only, for Numba would compile a loop anew for those that are not."""
        self.data.flags.writeable = self.ends.flags.writeable = False

    def __len__(self) -> int:
        """How many texts there are."""
        return len(self.ends) - 1


@dataclass(frozen=True)
class Listed:
    """What rows show of texts: each row those of ``which`` from one of ``firsts`` to the next."""

    texts: Texts
    which: Places
    firsts: Places

    def __post_init__(self) -> None:
        """Read-only, as those of ``Texts``, and checked: the loop does not ask."""
        self.which.flags.writeable = self.firsts.flags.writeable = False
        if len(self.which) and not 0 <= self.which.min() <= self.which.max() < len(self.texts):
            raise ValueError("a text that is not there cannot be shown")

    @property
    def most_bytes(self) -> int:
        """How long all that is shown is."""
        return int(np.diff(self.texts.ends)[self.which].sum())


# --- shapes ---------------------------------------------------------------------------------------

_WITHOUT_COLUMN = (loops.MARK, loops.OBJECT, loops.LIST)


@dataclass(frozen=True)
class Field:
    """A literal and a value after it. ``name``: the column or list with the value."""

    kind: int
    literal: str
    name: str = ""
    optional: bool = False


Fields = tuple[Field, ...]


def text(name: str, column: str, *, optional: bool = False) -> Fields:
    """``"name":"value"``. An ``optional`` field is left out where its column is null."""
    return (Field(loops.TEXT, f'"{name}":"', column, optional),)


def day(name: str, column: str, *, optional: bool = False) -> Fields:
    """A date in the seed's date-time form, midnight UTC."""
    return (Field(loops.DAY, f'"{name}":"', column, optional),)


def amount(name: str, column: str) -> Fields:
    """Kroner with exactly two decimals, of a column of øre."""
    return (Field(loops.AMOUNT, f'"{name}":', column),)


def flag(name: str, column: str) -> Fields:
    """``true`` or ``false``."""
    return (Field(loops.FLAG, f'"{name}":', column),)


def array(name: str, column: str) -> Fields:
    """A list of objects, given to ``objects_of`` by the column's name."""
    return (Field(loops.LIST, f'"{name}":[', column),)


def obj(name: str, *fields: Fields) -> Fields:
    """An object within the object."""
    return (Field(loops.OBJECT, f'"{name}":{{'), *_flat(fields), Field(loops.MARK, "}"))


def _flat(fields: tuple[Fields, ...]) -> Iterator[Field]:
    return (one for several in fields for one in several)


@dataclass(frozen=True)
class Shape:
    """An object: its fields one after another, those of inner objects between two marks."""

    fields: Fields

    @property
    def columns(self) -> list[str]:
        """The columns that its values are in."""
        return sorted({field.name for field in self.fields if field.kind not in _WITHOUT_COLUMN})


def document(*fields: Fields) -> Shape:
    """An object on its own."""
    return Shape((Field(loops.MARK, "{"), *_flat(fields), Field(loops.MARK, "}")))


def fragment(*fields: Fields) -> Shape:
    """An object in a list, with its comma in front: whoever lists it leaves the first one's out."""
    return Shape((Field(loops.MARK, ",{"), *_flat(fields), Field(loops.MARK, "}")))


# --- texts ----------------------------------------------------------------------------------------

MOST_LISTS = 3
"""So many lists may an object have: the loop is compiled for as many, and the missing ones are empty."""


def objects_of(shape: Shape, rows: pl.DataFrame, **lists: Listed) -> Texts:
    """The object of each row.

    Columns: texts String, days Date, amounts Int64 or Int128 øre, flags Boolean. ``lists``: the shape's, of as
    many rows. Raises ``ValueError`` for a null in a column that is not optional.
    """
    fields, literals, numbers, texts = _program(shape, rows)
    views = _Views.of(texts)
    listed = [lists[field.name] for field in shape.fields if field.kind == loops.LIST]
    if any(len(one.firsts) != rows.height + 1 for one in listed):
        raise ValueError("lists must be of as many rows")
    shown = [(one.texts.data, one.texts.ends, one.which, one.firsts) for one in listed]
    most = rows.height * (len(literals) + loops.LONGEST_VALUE * len(fields)) + views.most_bytes
    most += sum(one.most_bytes for one in listed)
    out, ends = np.empty(most + loops.ROOM, np.uint8), np.zeros(rows.height + 1, np.int64)
    given = fields, literals, numbers, views.words, views.bytes, views.buffers
    loops.write_objects(*given, *zip(*shown, *[_NOTHING] * (MOST_LISTS - len(shown)), strict=True), out, ends)
    return Texts(out[: ends[-1]], ends)


_NOWHERE = np.frombuffer(bytes(8), np.int64)
_NOTHING = (np.frombuffer(b"", np.uint8), _NOWHERE, _NOWHERE, _NOWHERE)


def _program(shape: Shape, rows: pl.DataFrame) -> tuple[Places, Bytes, Places, list[pl.Series]]:
    """The fields as numbers (kind, which value, where its literal begins and ends), all literals, and the values:
    numbers a row each, and columns of text.
    """
    fields, literals, lists = [], b"", 0
    numbers: list[pl.Series] = []
    texts: list[pl.Series] = []
    for field in shape.fields:
        kind, place, literal = field.kind, 0, field.literal.encode()
        if kind == loops.LIST:
            place, lists = lists, lists + 1
        elif kind not in _WITHOUT_COLUMN:
            values = rows[field.name]
            if values.null_count() and not field.optional:
                raise ValueError(f"{field.name} is null in {values.null_count()} rows")
            if kind == loops.AMOUNT and values.dtype == pl.Int128 and not _fits(values):
                kind, values = loops.RAW, kroner_as_text(values)
            column = texts if kind in (loops.TEXT, loops.RAW) else numbers
            place = len(column)
            column.append(values)
        fields.append((kind, place, len(literals), len(literals) + len(literal)))
        literals += literal
    matrix = np.empty((len(numbers), rows.height), np.int64)
    for place, values in enumerate(numbers):
        matrix[place] = values.to_physical().cast(pl.Int64).fill_null(loops.NONE).to_numpy()
    return np.array(fields, np.int64), np.frombuffer(literals + bytes(loops.ROOM), np.uint8), matrix, texts


def _fits(oere: pl.Series) -> bool:
    """Whether 64 bits hold the øre."""
    least, greatest = oere.min(), oere.max()
    return least is None or bool(least > -(1 << 63) and greatest < 1 << 63)  # type: ignore[operator]


@dataclass(frozen=True)
class _Views:
    """Columns of text one after another as Polars and Arrow keep them, so that no text is moved to look at it: four
    words a text, which are its length, and then either itself, in up to twelve ``bytes``, or its first four, the
    number of its buffer and its place there. ``buffers``: their addresses. A null has the length ``loops.NULL``.
    """

    words: npt.NDArray[np.uint32]
    bytes: Bytes
    buffers: Places
    most_bytes: int
    owner: pa.Array

    @classmethod
    def of(cls, columns: list[pl.Series]) -> "_Views":
        texts = pl.concat([pl.Series(dtype=pl.String), *(column.alias("") for column in columns)])
        array = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.newest())
        _, views, *buffers = array.buffers()
        there = np.frombuffer(views or b"", np.uint32)[4 * array.offset : 4 * (array.offset + len(array))]
        words = np.vstack([there.reshape(-1, 4), np.zeros((1, 4), np.uint32)])  # with room behind the last
        most_bytes = loops.LONGEST_ESCAPE * int(words[:, 0].sum(dtype=np.int64))
        words[:-1][texts.is_null().to_numpy(), 0] = loops.NULL
        addresses = np.array([buffer.address for buffer in buffers], np.int64)
        return cls(words, words.reshape(-1).view(np.uint8), addresses, most_bytes, array)


def texts_of(column: pl.Series) -> Texts:
    """The texts of a column, as they are."""
    array = column.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, ends, data = array.buffers()
    places = np.frombuffer(ends, np.int64)[array.offset : array.offset + len(array) + 1]
    return Texts(np.frombuffer(data or b"", np.uint8), places)


def with_amount(texts: Texts, name: str, before: pl.Series, now: pl.Series) -> Texts:
    """The objects with other øre ``now`` in the field of that name, which stood there ``before``.

    The field stands once in each, as it does not within a text: its quotes would be escaped there.
    Raises ``ValueError`` when it is not there, or is another amount.
    """
    field = np.frombuffer(f'"{name}":'.encode(), np.uint8)
    old, new = texts_of(kroner_as_text(before)), texts_of(kroner_as_text(now))
    out, ends = np.empty(len(texts.data) + len(new.data), np.uint8), np.zeros_like(texts.ends)
    if not loops.replace_values(texts.data, texts.ends, field, old.data, old.ends, new.data, new.ends, out, ends):
        raise ValueError(f"{name} is not there, or another amount")
    return Texts(out[: ends[-1]], ends)


class _Room(threading.local):
    """Room of a thread for what is written, packed and forgotten: asking for new each time costs as much as writing."""

    _data = np.empty(0, np.uint8)

    def of(self, length: int) -> Bytes:
        if len(self._data) < length:
            self._data = np.empty(length + length // 4, np.uint8)
        return self._data[:length]


_ROOM = _Room()


def histories_of(posts: Listed, days: Places) -> Texts:
    """Histories as they are stored (``schemas.store``): of each row its posts, whose ``days`` are since 1970.

    They lie in the thread's ``_Room``, until it asks for others.
    """
    out = _ROOM.of(posts.most_bytes + 8 * len(posts.which))
    ends = np.zeros(len(posts.firsts), np.int64)
    dates = days.astype(np.int64) << END_BITS
    loops.write_histories(posts.texts.data, posts.texts.ends, posts.which, dates, posts.firsts, out, ends)
    return Texts(out, ends)
