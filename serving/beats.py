"""Signs of life of the workers: each says again and again that its loop goes round; whoever looks sees who is silent.

And how many had to be replaced, and why.

The numbers lie in memory that the first process and all workers share.
"""

import mmap
import time
from collections.abc import Callable, Collection

SILENT_SECONDS = 10.0
"""A worker that has said nothing for so long hangs: it says something every second, and no answer takes so long."""

REASONS = ("ended", "silent", "not ready")
"""Why a worker is replaced: it ended by itself, it was silent, or it was not ready in time."""

_STARTING = 0.0


class Beats:
    """The last sign of life of each worker, by its row: in a reload old and new ones have each their own."""

    def __init__(self, rows: int, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock``: the same for all processes, as the machine's monotonic one is."""
        self._last = memoryview(mmap.mmap(-1, 8 * rows)).cast("d")
        self._replaced = memoryview(mmap.mmap(-1, 8 * len(REASONS))).cast("Q")
        self._clock = clock

    def starting(self, row: int) -> None:
        """A new worker takes the row: until its first beat it is not silent."""
        self._last[row] = _STARTING

    def beat(self, row: int) -> None:
        """The row's worker goes round."""
        self._last[row] = self._clock()

    def last(self, row: int) -> float:
        """When it was heard last; the same number for as long as it is silent, and 0 before its first beat."""
        return self._last[row]

    def keep(self, rows: Collection[int]) -> None:
        """Those of no other: who starts or leaves isn't silent, whatever it said last."""
        for row in range(len(self._last)):
            if row not in rows:
                self.starting(row)

    def replaced(self, reason: str) -> None:
        """The first process replaces one, for one of ``REASONS``."""
        self._replaced[REASONS.index(reason)] += 1

    def how_many_replaced(self) -> dict[str, int]:
        """Since the server began, by reason."""
        return dict(zip(REASONS, self._replaced, strict=True))

    def silent(self) -> int:
        """How many workers hang, as whoever asks sees it."""
        before = self._clock() - SILENT_SECONDS
        return sum(_STARTING < last < before for last in self._last)
