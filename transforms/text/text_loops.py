"""The compiled loops that write JSON text (``json_text``), and all that they use (``compiled`` says why in one file).

Each writes to ``out``, whose room its caller has made sure of, and none asks whether a place is within an array.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from transforms.text.compiled import compiled, compiled_once

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]

MARK, OBJECT, TEXT, RAW, DAY, AMOUNT, FLAG, LIST = range(8)
"""What a field's literal is, and the kind of value after it. All but a mark have a comma to the field before them."""

NONE = np.iinfo(np.int64).min
"""Stands for null among numbers."""
NULL = 2**32 - 1
"""The length of a text that is null."""
ROOM = 16
"""So many bytes there must be behind what is written or read in steps of sixteen."""
LONGEST_VALUE = 1 + len('2026-11-23T00:00:00.000Z"')
"""No value but a text is longer, with the comma before it: an amount has at most 21 characters."""
LONGEST_ESCAPE = len("\\u001b")

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


# --- machine instructions ---------------------------------------------------------------------------


@intrinsic
def copy_bytes(typing_context, out, at, data, start, length):  # type: ignore[no-untyped-def]
    """Within a compiled function: copies so many bytes of ``data`` from ``start`` to ``out`` at ``at``; none may be
    outside.

    The C library's ``memcpy``: a slice's assignment takes four times as long for short texts, as would a loop.
    """

    def generate(context, builder, signature, given):  # type: ignore[no-untyped-def]
        def address(array: int, place: int) -> Any:
            values = make_array(signature.args[array])(context, builder, value=given[array])
            return builder.gep(values.data, [given[place]])

        cgutils.raw_memcpy(builder, address(0, 1), address(2, 3), given[4], 1)
        return context.get_dummy_value()

    return types.none(out, types.intp, data, types.intp, types.intp), generate


@intrinsic
def copy_from(typing_context, out, at, address, length):  # type: ignore[no-untyped-def]
    """Within a compiled function: copies so many bytes from an address in memory to ``out`` at ``at``."""

    def generate(context, builder, signature, given):  # type: ignore[no-untyped-def]
        values = make_array(signature.args[0])(context, builder, value=given[0])
        source = builder.inttoptr(given[2], values.data.type)
        cgutils.raw_memcpy(builder, builder.gep(values.data, [given[1]]), source, given[3], 1)
        return context.get_dummy_value()

    return types.none(out, types.intp, types.intp, types.intp), generate


@intrinsic
def eight_bytes(typing_context, data, at):  # type: ignore[no-untyped-def]
    """Within a compiled function: eight bytes of ``data`` at ``at`` as a number, the first the least."""

    def generate(context, builder, signature, given):  # type: ignore[no-untyped-def]
        values = make_array(signature.args[0])(context, builder, value=given[0])
        number = context.get_value_type(types.uint64)
        place = builder.bitcast(builder.gep(values.data, [given[1]]), number.as_pointer())
        return builder.load(place, align=1)

    return types.uint64(data, types.intp), generate


@intrinsic
def copy_sixteen(typing_context, out, at, data, start):  # type: ignore[no-untyped-def]
    """Within a compiled function: copies sixteen bytes of ``data`` from ``start`` to ``out`` at ``at``."""

    def generate(context, builder, signature, given):  # type: ignore[no-untyped-def]
        sixteen = ir.VectorType(ir.IntType(8), 16).as_pointer()

        def place(array: int, at: int) -> Any:
            values = make_array(signature.args[array])(context, builder, value=given[array])
            return builder.bitcast(builder.gep(values.data, [given[at]]), sixteen)

        builder.store(builder.load(place(2, 3), align=1), place(0, 1), align=1)
        return context.get_dummy_value()

    return types.none(out, types.intp, data, types.intp), generate


# --- texts ----------------------------------------------------------------------------------------


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
    is_there: bool = found != 0
    return is_there


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
    end: int = _write_pair(out, at + 1, of_month + np.uint64(1))
    return end


@compiled_once
def write_objects(fields, literals, numbers, views, view_bytes, buffers, data, elements, which, firsts, out, ends):  # type: ignore[no-untyped-def]
    """Writes every row's object, and where it ends. What is given: see ``json_text.objects_of`` and what it calls."""
    rows, at = len(ends) - 1, 0
    for row in range(rows):
        for field in range(len(fields)):
            kind, value, start, end = fields[field, 0], fields[field, 1], fields[field, 2], fields[field, 3]
            text = value * rows + row
            if (kind == TEXT and views[text, 0] == NULL) or (kind == DAY and numbers[value, row] == NONE):
                continue
            if kind != MARK and out[at - 1] != _OPEN:
                out[at] = _COMMA
                at += 1
            at = _copy_short(out, at, literals, start, end)
            if kind in (TEXT, RAW):
                length = views[text, 0]
                if length <= _SHORT:
                    copy_sixteen(out, at, view_bytes, 16 * text + 4)
                else:
                    copy_from(out, at, buffers[views[text, 2]] + views[text, 3], length)
                at = _escape(out, at, at + length)
                if kind == TEXT:
                    out[at] = _QUOTE
                    at += 1
            elif kind == DAY:
                at = _copy_short(out, _write_day(out, at, numbers[value, row]), _MIDNIGHT, 0, len(_MIDNIGHT) - ROOM)
            elif kind == AMOUNT:
                at = _write_amount(out, at, numbers[value, row])
            elif kind == FLAG:
                word = _TRUE if numbers[value, row] else _FALSE
                at = _copy(out, at, word, 0, len(word))
            elif kind == LIST:
                first = firsts[value][row]
                for place in range(first, firsts[value][row + 1]):
                    one = which[value][place]
                    begin = elements[value][one] + (place == first)  # without the comma in front of the first
                    at = _copy(out, at, data[value], begin, elements[value][one + 1])
                out[at] = _CLOSE_LIST
                at += 1
        ends[row + 1] = at


@compiled_once
def write_histories(data, ends, post, dates, firsts, out, out_ends):  # type: ignore[no-untyped-def]
    """Writes of every document its posts' words, eight bytes each, the least first, and then the posts.

    ``dates``: of each post the word's upper half.
    """
    at = 0
    for document in range(len(firsts) - 1):
        word, begin = at, at + 8 * (firsts[document + 1] - firsts[document])
        at = begin
        for place in range(firsts[document], firsts[document + 1]):
            at = _copy(out, at, data, ends[post[place]], ends[post[place] + 1])
            value = dates[place] + at - begin
            for byte in range(8):
                out[word + byte] = (value >> (8 * byte)) & 0xFF
            word += 8
        out_ends[document + 1] = at


@compiled_once
def replace_values(data, ends, field, old, old_ends, new, new_ends, out, out_ends):  # type: ignore[no-untyped-def]
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
