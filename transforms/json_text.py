"""JSON text made of columns (CONTRACT section 4: UTF-8, compact, ``/`` and non-ASCII as they are).

A ``Shape`` says how an object is put together of the columns of a table and of lists. ``made`` writes one object a
row, all end to end in one buffer, with one compiled loop: a literal, a value, a literal … A list's elements lie end
to end already, so however long it is, it is copied as one (docs/decisions/0015-compiled-text.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from schemas.store import END_BITS
from transforms.compiled import compiled, copy_bytes, copy_from, copy_sixteen, eight_bytes
from transforms.money import kroner_as_text

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Texts:
    """Texts end to end. ``ends``: where the first begins, then where each ends in ``data``.

    ``parent``: the row that each is listed under, sorted; None for those that are listed under nothing.
    """

    data: Bytes
    ends: Places
    parent: pl.Series | None = None

    def __post_init__(self) -> None:
        """Makes the arrays read-only, for Numba would compile a loop anew for those that are not."""
        self.data.flags.writeable = self.ends.flags.writeable = False

    def __len__(self) -> int:
        """How many texts there are."""
        return len(self.ends) - 1


# --- shapes ---------------------------------------------------------------------------------------

_MARK, _OBJECT, _TEXT, _RAW, _DAY, _AMOUNT, _FLAG, _LIST = range(8)
"""What a field's literal is, and the kind of value after it. All but a mark have a comma to the field before them."""


_WITHOUT_COLUMN = (_MARK, _OBJECT, _LIST)


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
    return (Field(_TEXT, f'"{name}":"', column, optional),)


def day(name: str, column: str, *, optional: bool = False) -> Fields:
    """A date in the seed's date-time form, midnight UTC."""
    return (Field(_DAY, f'"{name}":"', column, optional),)


def amount(name: str, column: str) -> Fields:
    """Kroner with exactly two decimals, of a column of øre."""
    return (Field(_AMOUNT, f'"{name}":', column),)


def flag(name: str, column: str) -> Fields:
    """``true`` or ``false``."""
    return (Field(_FLAG, f'"{name}":', column),)


def array(name: str, column: str) -> Fields:
    """A list of objects, given to ``made`` by the column's name."""
    return (Field(_LIST, f'"{name}":[', column),)


def obj(name: str, *fields: Fields) -> Fields:
    """An object within the object."""
    return (Field(_OBJECT, f'"{name}":{{'), *_flat(fields), Field(_MARK, "}"))


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
    return Shape((Field(_MARK, "{"), *_flat(fields), Field(_MARK, "}")))


def fragment(*fields: Fields) -> Shape:
    """An object in a list, with its comma in front: whoever lists it leaves the first one's out."""
    return Shape((Field(_MARK, ",{"), *_flat(fields), Field(_MARK, "}")))


# --- texts ----------------------------------------------------------------------------------------

MOST_LISTS = 3
"""So many lists may an object have: the loop is compiled for as many, and the missing ones are empty."""

ROOM = 16
"""So many bytes there must be behind what is written or read in steps of sixteen."""

NONE = np.iinfo(np.int64).min
"""Stands for null among numbers."""


def made(shape: Shape, rows: pl.DataFrame, **lists: Texts) -> Texts:
    """The object of each row; of rows with ``parent``, by which they are sorted, listed under it.

    Columns: texts String, days Date, amounts Int64 or Int128 øre, flags Boolean. ``lists``: the shape's, whose
    parents are these rows. Raises ``ValueError`` for a null in a column that is not optional.
    """
    fields, literals, numbers, texts = _program(shape, rows)
    views = _Views.of(texts)
    listed = [_listed(lists[field.name], rows.height) for field in shape.fields if field.kind == _LIST]
    data, elements, firsts = zip(*listed, *[_NO_LIST] * (MOST_LISTS - len(listed)), strict=True)
    most = rows.height * (len(literals) + _LONGEST_VALUE * len(fields)) + views.most_bytes + sum(map(len, data))
    out, ends = np.empty(most + ROOM, np.uint8), np.zeros(rows.height + 1, np.int64)
    given = fields, literals, numbers, views.words, views.bytes, views.buffers, data, elements, firsts
    _write(*given, out, ends)
    return Texts(out[: ends[-1]], ends, rows["parent"] if "parent" in rows.columns else None)


def _program(shape: Shape, rows: pl.DataFrame) -> tuple[Places, Bytes, Places, list[pl.Series]]:
    """The fields as numbers (kind, which value, where its literal begins and ends), all literals, and the values:
    numbers a row each, and columns of text.
    """
    fields, literals, lists = [], b"", 0
    numbers: list[pl.Series] = []
    texts: list[pl.Series] = []
    for field in shape.fields:
        kind, place, literal = field.kind, 0, field.literal.encode()
        if kind == _LIST:
            place, lists = lists, lists + 1
        elif kind not in _WITHOUT_COLUMN:
            values = rows[field.name]
            if values.null_count() and not field.optional:
                raise ValueError(f"{field.name} is null in {values.null_count()} rows")
            if kind == _AMOUNT and values.dtype == pl.Int128 and not _fits(values):
                kind, values = _RAW, kroner_as_text(values)
            column = texts if kind in (_TEXT, _RAW) else numbers
            place = len(column)
            column.append(values)
        fields.append((kind, place, len(literals), len(literals) + len(literal)))
        literals += literal
    matrix = np.empty((len(numbers), rows.height), np.int64)
    for place, values in enumerate(numbers):
        matrix[place] = values.to_physical().cast(pl.Int64).fill_null(NONE).to_numpy()
    return np.array(fields, np.int64), np.frombuffer(literals + bytes(ROOM), np.uint8), matrix, texts


def _fits(oere: pl.Series) -> bool:
    """Whether 64 bits hold the øre."""
    least, greatest = oere.min(), oere.max()
    return least is None or bool(least > -(1 << 63) and greatest < 1 << 63)  # type: ignore[operator]


@dataclass(frozen=True)
class _Views:
    """Columns of text one after another as Polars and Arrow keep them, so that no text is moved to look at it: four
    words a text, which are its length, and then either itself, in up to twelve ``bytes``, or its first four, the
    number of its buffer and its place there. ``buffers``: their addresses. A null has the length ``_NULL``.
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
        most_bytes = _LONGEST_ESCAPE * int(words[:, 0].sum(dtype=np.int64))
        words[:-1][texts.is_null().to_numpy(), 0] = _NULL
        addresses = np.array([buffer.address for buffer in buffers], np.int64)
        return cls(words, words.reshape(-1).view(np.uint8), addresses, most_bytes, array)


def texts_of(column: pl.Series, parent: pl.Series | None = None) -> Texts:
    """The texts of a column, as they are."""
    array = column.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, ends, data = array.buffers()
    places = np.frombuffer(ends, np.int64)[array.offset : array.offset + len(array) + 1]
    return Texts(np.frombuffer(data or b"", np.uint8), places, parent)


def firsts_of(parent: pl.Series, parents: int) -> Places:
    """Where the rows of each of so many parents (0, 1, …) begin among rows sorted by ``parent``, and where all end."""
    return np.searchsorted(parent.to_numpy(), np.arange(parents + 1, dtype=np.uint32))


def _listed(texts: Texts, parents: int) -> tuple[Bytes, Places, Places]:
    if texts.parent is None:
        raise ValueError("texts without parents cannot be listed")
    return texts.data, texts.ends, firsts_of(texts.parent, parents)


_NO_LIST = (np.frombuffer(b"", np.uint8), np.frombuffer(bytes(8), np.int64), np.zeros(1, np.int64))


def taken(texts: Texts, which: Places, parent: pl.Series | None = None) -> Texts:
    """Some of the texts, in the order of ``which``, and listed under others."""
    ends = np.concatenate([np.zeros(1, np.int64), np.diff(texts.ends)[which].cumsum()])
    out = np.empty(ends[-1], np.uint8)
    _take(texts.data, texts.ends, which, out)
    return Texts(out, ends, parent)


def with_amount(texts: Texts, name: str, before: pl.Series, now: pl.Series) -> Texts:
    """The objects with other øre ``now`` in the field of that name, which stood there ``before``.

    The field stands once in each, as it does not within a text: its quotes would be escaped there.
    Raises ``ValueError`` when it is not there, or is another amount.
    """
    field = np.frombuffer(f'"{name}":'.encode(), np.uint8)
    old, new = texts_of(kroner_as_text(before)), texts_of(kroner_as_text(now))
    out, ends = np.empty(len(texts.data) + len(new.data), np.uint8), np.zeros_like(texts.ends)
    if not _replace(texts.data, texts.ends, field, old.data, old.ends, new.data, new.ends, out, ends):
        raise ValueError(f"{name} is not there, or another amount")
    return Texts(out[: ends[-1]], ends, texts.parent)


def histories_of(texts: Texts, post: Places, days: Places, firsts: Places) -> Texts:
    """Histories as they are stored (``schemas.store``): of each document the texts of ``post`` and their ``days``
    from one of ``firsts`` to the next.
    """
    out = np.empty(np.diff(texts.ends)[post].sum() + 8 * len(post), np.uint8)
    ends = np.zeros(len(firsts), np.int64)
    _write_histories(texts.data, texts.ends, post, days, firsts, out, ends)
    return Texts(out, ends)


# --- loops ----------------------------------------------------------------------------------------

_LONGEST_VALUE = 1 + len('2026-11-23T00:00:00.000Z"')
"""No value but a text is longer, with the comma before it: an amount has at most 21 characters."""
_LONGEST_ESCAPE = len("\\u001b")
_NULL = 2**32 - 1
_SHORT = 12
"""A text of up to so many bytes lies in its view itself."""

_BY_NUMBER = 1
_CONTROL = np.frombuffer(b"".join(b"\\u%04x" % byte for byte in range(0x20)), np.uint8)
_ESCAPES = np.zeros(256, np.uint8)
"""What stands after the backslash in place of a byte: 0 for one that stands for itself."""
_ESCAPES[:0x20] = _BY_NUMBER
_ESCAPES[list(b'"\\\n\r\t\b\f')] = list(b'"\\nrtbf')

_EACH = np.uint64(0x01_01_01_01_01_01_01_01)
_PAIRS = np.frombuffer(b"".join(b"%02d" % number for number in range(100)), np.uint8)
_MIDNIGHT = np.frombuffer(b'T00:00:00.000Z"' + bytes(ROOM), np.uint8)
_FALSE, _TRUE = np.frombuffer(b"false", np.uint8), np.frombuffer(b"true", np.uint8)
_QUOTE, _COMMA, _OPEN, _CLOSE_LIST, _HYPHEN, _POINT, _ZERO, _BACKSLASH = b'",{]-.0\\'


@compiled
def _copy(out: Bytes, at: int, data: Bytes, start: int, end: int) -> int:
    """Copies a part of ``data`` to ``out``; returns where it ends there."""
    copy_bytes(out, at, data, start, end - start)
    return at + end - start


@compiled
def _copy_short(out: Bytes, at: int, data: Bytes, start: int, end: int) -> int:
    """As ``_copy``, in steps of sixteen bytes: several times as fast for a few, but it needs ``ROOM`` behind both."""
    for place in range(start, end, 16):
        copy_sixteen(out, at + place - start, data, place)
    return at + end - start


@compiled
def _to_escape(out: Bytes, at: int, end: int) -> bool:
    """Whether a byte below 32, a quote or a backslash is there: eight bytes at a time, of which each tells in its
    highest bit. Beyond the end of the text may be read, but not beyond that of ``out``.
    """
    found = np.uint64(0)
    for place in range(at, end, 8):
        word = eight_bytes(out, place)
        here = (word - _EACH * np.uint64(0x20)) & ~word
        for sign in (_QUOTE, _BACKSLASH):
            other = word ^ (_EACH * np.uint64(sign))
            here |= (other - _EACH) & ~other
        here &= _EACH << np.uint64(7)
        if end - place < 8:
            here &= (np.uint64(1) << np.uint64(8 * (end - place))) - np.uint64(1)
        found |= here
    return found != 0


@compiled
def _escape(out: Bytes, at: int, end: int) -> int:
    """Escapes the text that lies there, as JSON wants it; returns where it ends then."""
    if not _to_escape(out, at, end):
        return end
    longer = 0
    for place in range(at, end):
        escape = _ESCAPES[out[place]]
        longer += (escape != 0) + 4 * (escape == _BY_NUMBER)
    write = end + longer
    for place in range(end - 1, at - 1, -1):  # from behind, where there is room
        byte = out[place]
        escape = _ESCAPES[byte]
        if escape == _BY_NUMBER:
            write -= 6
            copy_bytes(out, write, _CONTROL, 6 * byte, 6)
        elif escape:
            write -= 2
            out[write], out[write + 1] = _BACKSLASH, escape
        else:
            write -= 1
            out[write] = byte
    return end + longer


@compiled
def _write_pair(out: Bytes, at: int, number: np.uint64) -> int:
    """Writes a number below 100 as two digits."""
    copy_bytes(out, at, _PAIRS, 2 * number, 2)
    return at + 2


@compiled
def _write_amount(out: Bytes, at: int, oere: int) -> int:
    """Writes øre as kroner with two decimals."""
    if oere < 0:
        out[at] = _HYPHEN
        at, oere = at + 1, -oere
    hundred, number = np.uint64(100), np.uint64(oere)
    end = at + len("0.00")
    rest = number // np.uint64(1_000)
    while rest:
        end, rest = end + 1, rest // np.uint64(10)
    _write_pair(out, end - 2, number % hundred)
    out[end - 3] = _POINT
    place, number = end - 3, number // hundred
    while place - at >= 2:
        place -= 2
        _write_pair(out, place, number % hundred)
        number //= hundred
    if place > at:
        out[at] = _ZERO + number
    return end


@compiled
def _write_day(out: Bytes, at: int, day: int) -> int:
    """Writes a date, given in days since 1970. A year is counted from March, so its leap day is its last."""
    days = np.uint64(day + 719_468)  # since 0000-03-01; unsigned numbers are divided faster
    era = days // np.uint64(146_097)  # of 400 years
    of_era = days - era * np.uint64(146_097)
    leap_days = of_era // np.uint64(1_460) + of_era // np.uint64(146_096) - of_era // np.uint64(36_524)
    year_of_era = (of_era - leap_days) // np.uint64(365)
    of_year = of_era - year_of_era * np.uint64(365) - year_of_era // np.uint64(4) + year_of_era // np.uint64(100)
    month = (np.uint64(5) * of_year + np.uint64(2)) // np.uint64(153)  # 0 is March
    of_month = of_year - (np.uint64(153) * month + np.uint64(2)) // np.uint64(5)  # from 0
    next_year = month >= np.uint64(10)
    year = year_of_era + era * np.uint64(400) + np.uint64(next_year)
    at = _write_pair(out, _write_pair(out, at, year // np.uint64(100)), year % np.uint64(100))
    out[at] = _HYPHEN
    at = _write_pair(out, at + 1, month - np.uint64(9) if next_year else month + np.uint64(3))
    out[at] = _HYPHEN
    return _write_pair(out, at + 1, of_month + np.uint64(1))


@compiled
def _write(fields, literals, numbers, views, view_bytes, buffers, data, elements, firsts, out, ends):  # type: ignore[no-untyped-def]
    """Writes every row's object to ``out`` and its end to ``ends``: see ``_program``, ``_Views`` and ``_listed``."""
    rows, at = len(ends) - 1, 0
    for row in range(rows):
        for field in range(len(fields)):
            kind, value, start, end = fields[field, 0], fields[field, 1], fields[field, 2], fields[field, 3]
            text = value * rows + row
            if (kind == _TEXT and views[text, 0] == _NULL) or (kind == _DAY and numbers[value, row] == NONE):
                continue
            if kind != _MARK and out[at - 1] != _OPEN:
                out[at] = _COMMA
                at += 1
            at = _copy_short(out, at, literals, start, end)
            if kind in (_TEXT, _RAW):
                length = views[text, 0]
                if length <= _SHORT:
                    copy_sixteen(out, at, view_bytes, 16 * text + 4)
                else:
                    copy_from(out, at, buffers[views[text, 2]] + views[text, 3], length)
                at = _escape(out, at, at + length)
                if kind == _TEXT:
                    out[at] = _QUOTE
                    at += 1
            elif kind == _DAY:
                at = _copy_short(out, _write_day(out, at, numbers[value, row]), _MIDNIGHT, 0, len(_MIDNIGHT) - ROOM)
            elif kind == _AMOUNT:
                at = _write_amount(out, at, numbers[value, row])
            elif kind == _FLAG:
                word = _TRUE if numbers[value, row] else _FALSE
                at = _copy(out, at, word, 0, len(word))
            elif kind == _LIST:
                first, last = firsts[value][row], firsts[value][row + 1]
                if first < last:  # without the comma in front of the first
                    at = _copy(out, at, data[value], elements[value][first] + 1, elements[value][last])
                out[at] = _CLOSE_LIST
                at += 1
        ends[row + 1] = at


@compiled
def _take(data: Bytes, ends: Places, which: Places, out: Bytes) -> None:
    at = 0
    for one in which:
        at = _copy(out, at, data, ends[one], ends[one + 1])


@compiled
def _write_histories(data, ends, post, days, firsts, out, out_ends):  # type: ignore[no-untyped-def]
    """Writes of every document its posts' words, eight bytes each, the least first, and then the posts."""
    at = 0
    for document in range(len(firsts) - 1):
        word, begin = at, at + 8 * (firsts[document + 1] - firsts[document])
        at = begin
        for place in range(firsts[document], firsts[document + 1]):
            at = _copy(out, at, data, ends[post[place]], ends[post[place] + 1])
            value = (np.int64(days[place]) << END_BITS) + at - begin
            for byte in range(8):
                out[word + byte] = (value >> (8 * byte)) & 0xFF
            word += 8
        out_ends[document + 1] = at


@compiled
def _replace(data, ends, field, old, old_ends, new, new_ends, out, out_ends):  # type: ignore[no-untyped-def]
    """Writes every text with what follows the field replaced; returns whether the old value stood in each."""
    at = 0
    for text in range(len(ends) - 1):
        start = ends[text + 1] - len(field)
        while start >= ends[text] and not _stands(data, start, field, 0, len(field)):
            start -= 1  # from the end, for that is where it is
        start += len(field)
        end = start + old_ends[text + 1] - old_ends[text]
        there = start >= ends[text] + len(field) and end < ends[text + 1]
        if not there or not _stands(data, start, old, old_ends[text], old_ends[text + 1]) or data[end] != _COMMA:
            return False
        at = _copy(out, at, data, ends[text], start)
        at = _copy(out, at, new, new_ends[text], new_ends[text + 1])
        at = _copy(out, at, data, end, ends[text + 1])
        out_ends[text + 1] = at
    return True


@compiled
def _stands(data: Bytes, at: int, other: Bytes, start: int, end: int) -> bool:
    """Whether what lies from ``start`` to ``end`` in ``other`` also stands in ``data``."""
    for place in range(start, end):  # noqa: SIM110 - Numba has no generators here
        if data[at + place - start] != other[place]:
            return False
    return True
