"""How often a consumer may ask: one number per consumer, shared by all workers.

GCRA, a token bucket in one number: the time when the bucket will be full again. A request is let through when
that lies at most a burst ahead, and moves it one interval on; what turns out to cost more moves it on by as many, so
that the requests after it wait. The numbers lie in memory that the workers share; two workers that write at the same
moment let one request too many through, which is no matter.
"""

import mmap
import time
from collections.abc import Callable
from functools import lru_cache
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
            seconds = max(1, ceil(wait))
            error = KravoversiktError("KB-010", f"more than {per_second:g} requests a second", Retry_After=str(seconds))
            error.headers |= {"ratelimit-policy": policy(per_second, burst), "ratelimit": f'"default";r=0;t={seconds}'}
            raise error
        self._full_at[place] = full_at

    def charge(self, place: int, per_second: float, requests: int) -> None:
        """Counts so many requests more, for one that was let through."""
        self._full_at[place] = max(self._full_at[place], self._clock()) + requests / per_second

    def left(self, place: int, per_second: float, burst: int) -> str:
        """What is left of the burst, for so many seconds, in which all of it comes back: the header ``RateLimit``."""
        wait = self._full_at[place] - self._clock()
        if wait < 0:
            wait = 0.0
        left = int(burst - wait * per_second + 1e-6)
        return f'"default";r={left if left > 0 else 0};t={ceil(wait)}'


@lru_cache(maxsize=1024)
def policy(per_second: float, burst: int) -> str:
    """The header ``RateLimit-Policy`` (draft-ietf-httpapi-ratelimit-headers-11): a burst, and how soon it is back."""
    return f'"default";q={burst};w={max(1, ceil(burst / per_second))}'
