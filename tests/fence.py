"""Memory around what a compiled loop is given, which tells when the loop leaves it.

Numba's bounds checks (``make fence``) see every index, but nothing of what the intrinsics copy, load and store at an
address. So a fenced loop is run on copies of its arrays between canaries, which show what was written outside; once
more with only the room that it has needed, for most buffers are larger than what is written to them in the end; and
then with a page behind each array that may not be touched, so that reading there ends the process.
"""

import ctypes
import mmap
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from transforms.reconcile import scanner
from transforms.text import text_loops

ROOM_BEHIND = {"write_objects": text_loops.ROOM, "write_histories": 0, "replace_values": 0}
"""Loops whose last arguments are ``out`` and ``ends``: so many bytes behind the last end they may write and read."""

CANARIES = mmap.PAGESIZE
"""So many bytes of canaries there are before and behind."""
_NO_ACCESS = 0  # PROT_NONE, which mmap has no name for
_mprotect = ctypes.CDLL(None, use_errno=True).mprotect


def fence(patch: pytest.MonkeyPatch) -> None:
    """Fences all loops of text, and that which reads it back."""
    for module in (text_loops, scanner):
        for name, loop in list(vars(module).items()):
            if getattr(loop, "__qualname__", "").startswith("compiled_once."):
                patch.setattr(module, name, fenced(loop, ROOM_BEHIND.get(name)))


def fenced(loop: Callable[..., Any], room: int | None = None) -> Callable[..., Any]:
    """The loop, run where it is seen when it leaves its arrays. ``room``: see ``ROOM_BEHIND``."""

    def call(*given: Any) -> Any:
        result = _run_between_canaries(loop, given)
        exact = given
        if room is not None and result is not False:  # with False it has given up
            *others, out, ends = given
            exact = (*others, out[: ends[-1] + room], ends)
            _run_between_canaries(loop, exact)
        loop(*_with_each(exact, _before_a_closed_page))
        return result

    return call


def _run_between_canaries(loop: Callable[..., Any], given: tuple[Any, ...]) -> Any:
    """Runs it on copies of the arrays, and gives back what it wrote to them."""
    memories: list[Any] = []

    def copied(array: Any) -> Any:
        memory = np.full(array.nbytes + 2 * CANARIES, 0x80 + len(memories), np.uint8)  # or one might hide another
        memories.append(memory)
        return _copy(array, memory[CANARIES:-CANARIES])

    copies = _with_each(given, copied)
    result = loop(*copies)
    for number, memory in enumerate(memories):
        canaries = memory[:CANARIES], memory[-CANARIES:]
        assert np.all(np.equal(canaries, 0x80 + number)), "written outside an array"
    for array, copy in zip(_arrays(given), _arrays(copies), strict=True):
        if array.flags.writeable:
            array[...] = copy
    return result


def _before_a_closed_page(array: Any) -> Any:
    size = -(-array.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = np.frombuffer(mmap.mmap(-1, size + mmap.PAGESIZE), np.uint8)
    assert _mprotect(ctypes.c_void_p(memory.ctypes.data + size), mmap.PAGESIZE, _NO_ACCESS) == 0
    return _copy(array, memory[size - array.nbytes : size])


def _copy(array: Any, memory: Any) -> Any:
    copy = memory.view(array.dtype).reshape(array.shape)
    copy[...] = array
    copy.flags.writeable = array.flags.writeable  # or Numba would compile the loop anew
    return copy


def _with_each(given: Any, change: Callable[[Any], Any]) -> Any:
    """The same with every array changed, those in tuples too."""
    if isinstance(given, tuple):
        values = [_with_each(one, change) for one in given]
        return type(given)(*values) if hasattr(given, "_fields") else tuple(values)
    return change(given) if isinstance(given, np.ndarray) else given


def _arrays(given: Any) -> Iterator[Any]:
    if isinstance(given, np.ndarray):
        yield given
    elif isinstance(given, tuple):
        for one in given:
            yield from _arrays(one)
