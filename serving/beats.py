"""Signs of life of the workers: each says again and again that its loop goes round; whoever looks sees who is silent.

The numbers lie in memory that the first process and all workers share.
"""

import mmap
import time
from collections.abc import Callable

SILENT_SECONDS = 10.0
"""A worker that has said nothing for so long hangs: it says something every second, and no answer takes so long."""

_STARTING = 0.0


class Beats:
    """The last sign of life of each worker, by its place."""

    def __init__(self, places: int, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock``: the same for all processes, as the machine's monotonic one is."""
        self._last = memoryview(mmap.mmap(-1, 8 * places)).cast("d")
        self._clock = clock

    def starting(self, place: int) -> None:
        """A new worker takes the place: until its first beat it is not silent."""
        self._last[place] = _STARTING

    def beat(self, place: int) -> None:
        """The place's worker goes round."""
        self._last[place] = self._clock()

    def last(self, place: int) -> float:
        """When it was heard last; the same number for as long as it is silent, and 0 before its first beat."""
        return self._last[place]

    def silent(self) -> int:
        """How many workers hang, as whoever asks sees it."""
        before = self._clock() - SILENT_SECONDS
        return sum(_STARTING < last < before for last in self._last)
