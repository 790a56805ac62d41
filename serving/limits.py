"""How often a consumer may ask: one number per consumer, shared by all workers.

GCRA, a token bucket in one number: the time when the bucket will be full again. A request is let through when
that lies at most a burst ahead, and moves it one interval on. The numbers lie in memory that the workers share;
two workers that write at the same moment let one request too many through, which is no matter.
"""

import mmap
import time
from collections.abc import Callable
from math import ceil

from serving.errors import KravoversiktError


class Limits:
    """The buckets, by the consumer's place in the configuration."""

    def __init__(self, places: int, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` must be the same for all workers, as the machine's monotonic one is."""
        self._full_at = memoryview(mmap.mmap(-1, 8 * max(places, 1))).cast("d")
        self._clock = clock

    def take(self, place: int, per_second: float, burst: int) -> None:
        """Counts one request. Raises KB-010 with ``Retry-After``, in seconds, when there have been too many."""
        now = self._clock()
        full_at = max(self._full_at[place], now) + 1 / per_second
        wait = full_at - now - burst / per_second
        if wait > 1e-9:
            said = f"more than {per_second:g} requests a second"
            raise KravoversiktError("KB-010", said, Retry_After=str(max(1, ceil(wait))))
        self._full_at[place] = full_at
