"""Functions that Numba compiles to machine code: loops over bytes, for which no column engine has a word."""

import pickle
from collections.abc import Callable
from functools import cache
from typing import Any

import numba

Function = Callable[..., Any]


def compiled(function: Function) -> Function:
    """A function for others that are compiled to call."""
    compiled_function: Function = numba.njit(nogil=True, error_model="numpy")(function)
    return compiled_function


def compiled_once(function: Function) -> Function:
    """A function to call from Python, compiled when it first is, with other threads running beside it.

    What was compiled is cached for the next process, beside the source or, where that cannot be written, in the user's
    cache. Where neither can, or what is there cannot be read, it is compiled anew. Numba sees only that the
    function's own file has changed: what it calls, and every constant, must stand in the same. It would also take what
    is cached for what has bounds checks (``NUMBA_BOUNDSCHECK``), and cache that for others: such is never cached.
    """

    @cache
    def ways() -> list[Function]:
        options = {"nogil": True, "error_model": "numpy"}
        anew = [numba.njit(**options)(function)]
        if numba.config.BOUNDSCHECK:
            return anew
        try:
            return [numba.njit(cache=True, **options)(function), *anew]
        except RuntimeError:  # there is no place for a cache
            return anew

    def call(*given: Any) -> Any:
        try:
            return ways()[0](*given)
        except (OSError, EOFError, pickle.UnpicklingError):  # of the cache: the loops themselves raise nothing
            del ways()[:-1]
            return ways()[0](*given)

    return call
