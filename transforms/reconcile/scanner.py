"""Stored text walked once, byte by byte, by a compiled loop: whether it reads as it must, and what stands in it.

All that the loop uses stands in this file: what numba has compiled once it compiles anew when the file has changed,
and it looks at no other.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from transforms.text.compiled import compiled_once

Column = np.ndarray[Any, np.dtype[Any]]

NOTHING, LIST, NEXT, ITEM, POST_END, TEXT, DAY, FLAG, PART, DATO, FORFALL, GRUPPE, AMOUNT, SUM, DONE = range(15)
"""What follows the literal of a step. Of the values, ``TEXT``, ``DAY`` and ``FLAG`` must only be well-formed.

The others are kept: ``PART``, ``DATO`` (the day that a post is found by) and ``GRUPPE`` (a text, of which a hash) with
their item, ``FORFALL`` (a due date) with the amounts that follow it, ``AMOUNT`` on its own. A ``SUM`` is an amount
that is added up where the item is the document's own.
"""


class Steps(NamedTuple):
    """How a text must read, as columns.

    ``literal``, ``literal_end``: where the literal lies in ``literals``. A comma that it begins with is not there
    after a brace, when all the fields before are left out. ``kind``: what follows. ``field``: the number that an amount
    or an item is kept under. ``other``: a step to go on with instead of the next: when an ``optional`` field is
    left out, the one after it; when a ``LIST`` is empty, the one after that; at a ``NEXT`` with one more element, the
    first of it.
    """

    literals: Column
    literal: Column
    literal_end: Column
    kind: Column
    field: Column
    optional: Column
    other: Column


class Documents(NamedTuple):
    """Documents in pieces: ``part``, whose each is, and ``pieces``, how many it has. Of these, all documents' after one
    another: ``end``, where it must end, counted from the document's begin, and ``day``, kept with its items.
    """

    part: Column
    pieces: Column
    end: Column
    day: Column


class Items(NamedTuple):
    """The items in order: ``part`` and ``day`` of what they stand in, ``field``, and what they have of the rest, or 0.

    ``whose``: a part's digits after a 1, for some begin with 0. ``dato``: YYYYMMDD. ``gruppe``: a hash of the text as
    written. ``key``: a hash of all bytes of a post.
    """

    part: Column
    day: Column
    field: Column
    whose: Column
    dato: Column
    gruppe: Column
    key: Column


class Amounts(NamedTuple):
    """Amounts in order: the ``item`` that they are in, ``field``, ``forfall``, the due date before them (YYYYMMDD), and
    their øre in two halves of the same sign, ``high`` * 10**18 + ``low``.
    """

    item: Column
    field: Column
    forfall: Column
    high: Column
    low: Column


class Sums(NamedTuple):
    """How many amounts there are of a field, and their sum: [field, 1] of those below 0, [field, 0] of the others."""

    antall: Column
    high: Column
    low: Column


def no_sums(fields: int) -> Sums:
    """What the sums of so many fields begin with."""
    return Sums(*(np.zeros((fields, 2), np.int64) for _ in Sums._fields))


def scan(bodies: list[memoryview], documents: Documents, steps: Steps, sums: Sums) -> tuple[Column, Items, Amounts]:
    """Walks the documents with these bodies: the steps must lead through each piece, from its begin to its end.

    Returns of which documents this is not so, and what stands in the others. Adds to the ``sums``, of which those
    that are refused may have made some.
    """
    text = b"".join([_PAD, *bodies, _PAD])
    lengths = np.array([len(body) for body in bodies], np.int64)
    documents = Documents(*(np.array(column, np.int64) for column in documents))  # always of the types compiled for
    if not len(lengths) == len(documents.part) == len(documents.pieces) or documents.pieces.sum() != len(documents.end):
        raise ValueError("the documents are not those of the bodies")
    refused = np.zeros(len(lengths), np.bool_)
    items = Items(*(np.empty(1 + len(text) // _LEAST_ITEM, np.int64) for _ in Items._fields))
    amounts = Amounts(*(np.empty(1 + len(text) // _LEAST_AMOUNT, np.int64) for _ in Amounts._fields))
    counts = _walk(np.frombuffer(text, np.uint8), lengths, documents, steps, refused, items, amounts, sums)
    # copied, for otherwise all that was set aside for them would stay
    items = Items(*(column[: counts[0]].copy() for column in items))
    amounts = Amounts(*(column[: counts[1]].copy() for column in amounts))
    return refused, items, amounts


_PAD = bytes(32)
"""Stands before and after the text. It is found nowhere in JSON, so no loop goes on past it."""
_LEAST_ITEM, _LEAST_AMOUNT = 64, 12
"""Bytes that there are at least from the begin of an item to the next, and that an amount has with its name."""

_FAILED = -1
"""In place of a place in the text: what was looked for is not there."""
_COMMA, _BRACE, _BRACKET, _QUOTE, _BACKSLASH, _MINUS, _POINT, _ZERO, _U = (ord(one) for one in ',{]"\\-.0u')
_PLAIN = np.array([0x20 <= byte < 0x80 and byte not in b'"\\' for byte in range(256)])
"""What stands for itself in a text, and is one byte."""
_ESCAPED = np.array([byte in b'"\\nrtbf' for byte in range(256)])
_HEX = np.array([byte in b"0123456789abcdef" for byte in range(256)])
_TRUE, _FALSE = (np.uint64(int.from_bytes(word, "little")) for word in (b"true", b"false"))
_FOUR_BYTES, _FIVE_BYTES = np.uint64(2**32 - 1), np.uint64(2**40 - 1)
_HALF, _MOST_DIGITS = 10**18, 30
"""An amount may have more digits than 64 bits hold, a sum of many: it stands in two halves, of which the lower has 18
digits. With 12 in the other, nine million of them can be added up.
"""


def _compiled(function: Callable[..., Any]) -> Any:
    """The function compiled into those that call it. (A call counts references to its arrays: a fifth of the walk.)"""
    return njit(nogil=True, forceinline=True)(function)


@_compiled
def _get(array: Column, place: int) -> int:
    """What stands at the place, which is never below 0. That numba need not look if it is saves a third of the walk."""
    there: int = array[np.uint64(place)]
    return there


@_compiled
def _eight(text: Column, at: int) -> np.uint64:
    """Eight bytes as one number: what LLVM makes of this is one load."""
    number = np.uint64(0)
    for place in range(8):
        number |= np.uint64(_get(text, at + place)) << np.uint64(8 * place)
    return number


@_compiled
def _after_literal(text: Column, at: int, literals: Column, first: int, last: int) -> int:
    """The place after the literal, which must stand here."""
    if first < last and _get(literals, first) == _COMMA and _get(text, at - 1) == _BRACE:
        first += 1
    while first + 8 <= last:
        if _eight(text, at) != _eight(literals, first):
            return _FAILED
        at, first = at + 8, first + 8
    while first < last:
        if _get(text, at) != _get(literals, first):
            return _FAILED
        at, first = at + 1, first + 1
    return at


@_compiled
def _is_digit(byte: int) -> bool:
    return _ZERO <= byte < _ZERO + 10


@_compiled
def _after_text(text: Column, at: int) -> int:
    """The place after the quote that ends the text which begins here."""
    while True:
        byte = _get(text, at)
        if _get(_PLAIN, byte):
            at += 1
        elif byte == _QUOTE:
            return at + 1
        elif byte == _BACKSLASH:
            at = _after_escape(text, at + 1)
        else:
            at = _after_character(text, at)
        if at == _FAILED:
            return at


@_compiled
def _after_escape(text: Column, at: int) -> int:
    """The place after what follows a backslash."""
    byte = _get(text, at)
    if _get(_ESCAPED, byte):
        return at + 1
    if byte != _U:
        return _FAILED
    for place in range(at + 1, at + 5):
        if not _get(_HEX, _get(text, place)):
            return _FAILED
    return at + 5


@_compiled
def _after_character(text: Column, at: int) -> int:
    """The place after a character of two to four bytes: UTF-8 as RFC 3629 has it, none longer than need be."""
    first, least, most = _get(text, at), 0x80, 0xBF
    if 0xC2 <= first <= 0xDF:
        more = 1
    elif 0xE0 <= first <= 0xEF:
        more = 2
        least, most = (0xA0 if first == 0xE0 else least), (0x9F if first == 0xED else most)
    elif 0xF0 <= first <= 0xF4:
        more = 3
        least, most = (0x90 if first == 0xF0 else least), (0x8F if first == 0xF4 else most)
    else:
        return _FAILED
    for place in range(at + 1, at + 1 + more):
        if not least <= _get(text, place) <= most:
            return _FAILED
        least, most = 0x80, 0xBF
    return at + 1 + more


@_compiled
def _hash(text: Column, begin: int, end: int) -> np.int64:
    """64 bits, enough to tell copies by: it is our own faults that are looked for.

    Two numbers in turn, for a processor multiplies both at once.
    """
    number, other = np.uint64(end - begin), np.uint64(0)
    while begin + 16 <= end:
        number, other = _mixed(number ^ _eight(text, begin)), _mixed(other ^ _eight(text, begin + 8))
        begin += 16
    number ^= _mixed(other)
    while begin < end:
        number = _mixed(number ^ np.uint64(_get(text, begin)))
        begin += 1
    return np.int64(number)


@_compiled
def _mixed(number: np.uint64) -> np.uint64:
    number *= np.uint64(0x9E3779B97F4A7C15)
    return number ^ (number >> np.uint64(32))


@_compiled
def _amount(text: Column, at: int) -> tuple[int, int, int]:
    """The place after an amount, and its øre. Two decimals, no 0 in front, no -0.00."""
    negative = _get(text, at) == _MINUS
    at += negative
    begin, point, high, low = at, _FAILED, 0, 0
    while point == _FAILED or at < point + 3:
        byte = _get(text, at)
        if _is_digit(byte):
            if high or low >= _HALF // 10:  # one half is full: its first digit goes to the other
                high, low = high * 10 + low // (_HALF // 10), low % (_HALF // 10)
            low = low * 10 + byte - _ZERO
        elif byte == _POINT and point == _FAILED and at > begin:
            point = at
        else:
            return _FAILED, high, low
        at += 1
    needless = (_get(text, begin) == _ZERO and point > begin + 1) or (negative and high == 0 and low == 0)
    if needless or at > begin + 1 + _MOST_DIGITS:
        return _FAILED, high, low
    if negative:
        return at, -high, -low
    return at, high, low


@_compiled
def _day(text: Column, at: int) -> tuple[int, int]:
    """The place after a date, and its digits."""
    low = 0
    for place in range(at, at + 10):
        byte = _get(text, place)
        if place == at + 4 or place == at + 7:
            if byte != _MINUS:
                return _FAILED, low
        elif _is_digit(byte):
            low = low * 10 + byte - _ZERO
        else:
            return _FAILED, low
    return at + 10, low


@_compiled
def _part(text: Column, at: int) -> tuple[int, int]:
    """The place after the number of a part, and its digits after a 1."""
    begin, low = at, 1
    while _is_digit(_get(text, at)) and at < begin + 11:
        low = low * 10 + _get(text, at) - _ZERO
        at += 1
    if at != begin + 9 and at != begin + 11:
        return _FAILED, low
    return at, low


@_compiled
def _after_flag(text: Column, at: int) -> int:
    """The place after ``true`` or ``false``."""
    eight = _eight(text, at)
    if eight & _FOUR_BYTES == _TRUE:
        return at + 4
    if eight & _FIVE_BYTES == _FALSE:
        return at + 5
    return _FAILED


@_compiled
def _add(sums: Sums, field: int, high: int, low: int) -> None:
    below = int(high < 0 or low < 0)
    sums.antall[field, below] += 1
    sums.high[field, below] += high
    sums.low[field, below] += low
    if abs(sums.low[field, below]) >= _HALF:  # all that is added here has the same sign
        carried = -1 if below else 1
        sums.high[field, below] += carried
        sums.low[field, below] -= carried * _HALF


@_compiled
def _walk_piece(
    text: Column,
    at: int,
    part: int,
    day: int,
    steps: Steps,
    items: Items,
    item: int,
    amounts: Amounts,
    amount: int,
    sums: Sums,
) -> tuple[int, int, int]:
    """The place after the piece that begins here, and the last item and the last amount then."""
    step, item_begin, forfall = 0, at, 0
    while True:
        after = _after_literal(text, at, steps.literals, _get(steps.literal, step), _get(steps.literal_end, step))
        if after == _FAILED and _get(steps.optional, step):
            step = _get(steps.other, step)
            continue
        at, kind, field = after, _get(steps.kind, step), _get(steps.field, step)
        step += 1
        if at == _FAILED or kind == DONE:
            return at, item, amount
        if kind in (TEXT, GRUPPE):
            begin, at = at, _after_text(text, at)
            if kind == GRUPPE:
                items.gruppe[item] = _hash(text, begin, at)
        elif kind in (SUM, AMOUNT):
            at, high, low = _amount(text, at)
            if kind == AMOUNT:
                amount += 1
                amounts.item[amount], amounts.field[amount], amounts.forfall[amount] = item, field, forfall
                amounts.high[amount], amounts.low[amount] = high, low
            elif items.whose[item] == part:
                _add(sums, field, high, low)
        elif kind in (DAY, FORFALL, DATO):
            at, digits = _day(text, at)
            if kind == FORFALL:
                forfall = digits
            elif kind == DATO:
                items.dato[item] = digits
        elif kind == LIST:
            if _get(text, at) == _BRACKET:
                at, step = at + 1, _get(steps.other, step - 1)
        elif kind == NEXT:
            byte, at = _get(text, at), at + 1
            if byte == _COMMA:
                step = _get(steps.other, step - 1)
            elif byte != _BRACKET:
                at = _FAILED
        elif kind == FLAG:
            at = _after_flag(text, at)
        elif kind == ITEM:
            item, item_begin, forfall = item + 1, at, 0
            items.part[item], items.day[item], items.field[item] = part, day, field
            items.whose[item] = items.dato[item] = items.gruppe[item] = items.key[item] = 0
        elif kind == PART:
            at, items.whose[item] = _part(text, at)
        elif kind == POST_END:
            items.key[item] = _hash(text, item_begin, at)
        if at == _FAILED:
            return at, item, amount


@compiled_once
def _walk(
    text: Column,
    lengths: Column,
    documents: Documents,
    steps: Steps,
    refused: Column,
    items: Items,
    amounts: Amounts,
    sums: Sums,
) -> tuple[int, int]:
    """How many items and amounts there are; see ``scan``."""
    begin, piece, item, amount = len(_PAD), 0, -1, -1
    for document in range(len(lengths)):
        at, item_before, amount_before = begin, item, amount
        for _ in range(documents.pieces[document]):
            if at != _FAILED:
                part, day = documents.part[document], documents.day[piece]
                at, item, amount = _walk_piece(text, at, part, day, steps, items, item, amounts, amount, sums)
                if at != begin + documents.end[piece]:
                    at = _FAILED
            piece += 1
        if at != begin + lengths[document]:
            refused[document] = True
            item, amount = item_before, amount_before
        begin += lengths[document]
    return item + 1, amount + 1
