"""Lets a test feel the modes of files though it runs as root, whom no mode stops."""

import contextlib
import ctypes
from collections.abc import Iterator

_VERSION_3 = 0x20080522  # of the calls, linux/capability.h
_OVERRIDE, _READ_SEARCH = 1 << 1, 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


@contextlib.contextmanager
def without_rights() -> Iterator[None]:
    """Takes from this thread, and those it starts, the right to pass over modes; gives it back at the end."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(_VERSION_3, 0), (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable
    if libc.capget(header, sets):
        raise OSError(ctypes.get_errno(), "capget")
    before = sets[0]
    sets[0] &= ~(_OVERRIDE | _READ_SEARCH)
    if libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), "capset")
    try:
        yield
    finally:
        sets[0] = before
        libc.capset(header, sets)
