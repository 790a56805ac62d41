"""A circuit breaker: who has failed again and again is left alone for a while, and then asked by one, to see.

While it is closed everyone asks. Open, nobody does: whoever would wait for an answer that doesn't come is told so at
once. After a pause it is half open: one asks, and with that answer it closes, or opens for another pause.
"""

import time
from collections.abc import Callable
from threading import Lock

FAILURES = 5
"""In a row, after which it opens: one or two are a bad moment."""

PAUSE_SECONDS = 5.0
"""Between two that ask to see: an outage ends here so long after it has ended there, at most."""

STATES = ("closed", "half-open", "open")


class Breaker:
    """Of one server that is asked, in one worker. It may be used by several threads at once."""

    def __init__(self, pause_seconds: float = PAUSE_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._pause_seconds = pause_seconds
        self._clock = clock
        self._lock = Lock()
        self._failures = 0
        self._again_at = 0.0
        self._trying = False

    def state(self) -> str:
        """One of ``STATES``."""
        if self._failures < FAILURES:
            return "closed"
        return "half-open" if self._trying else "open"

    def lets(self) -> bool:
        """Whether to ask now. Who is let must tell what became of it: while one tries, no other is let."""
        with self._lock:
            if self._failures < FAILURES:
                return True
            if self._trying or self._clock() < self._again_at:
                return False
            self._trying = True
            return True

    def told(self, answered: bool) -> None:
        """What became of one that was let; also of one that asked before it opened."""
        with self._lock:
            self._failures = 0 if answered else self._failures + 1
            self._again_at = self._clock() + self._pause_seconds
            self._trying = False
