"""Seconds and peak memory of a stage."""

import contextlib
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


@dataclass
class Measured:
    """``peak_mb``: the most resident memory of the process during the stage (Linux), else so far."""

    seconds: float = 0.0
    peak_mb: int = 0


@contextlib.contextmanager
def measured() -> Iterator[Measured]:
    """Measures what is done within the context."""
    with contextlib.suppress(OSError):
        _CLEAR.write_text("5")  # the kernel forgets the peak so far
    result, start = Measured(), time.perf_counter()
    try:
        yield result
    finally:
        result.seconds = time.perf_counter() - start
        result.peak_mb = _peak_mb()


def _peak_mb() -> int:
    with contextlib.suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
