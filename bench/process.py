"""Runs one way to make the documents as a process of its own, and measures it: seconds, memory, cores."""

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20
_EVERY = 0.1


@dataclass(frozen=True)
class Cost:
    """``peak_mb``: resident memory of the process and all that it started, at most at any sample (every 0.1 s)."""

    seconds: float
    peak_mb: float
    cpu_seconds: float

    @property
    def cores(self) -> float:
        """How many cores were busy, on average."""
        return self.cpu_seconds / self.seconds


class FailedError(Exception):
    """A process failed; the message has the last lines that it wrote."""


def run(command: Sequence[str], cwd: Path, log: Path) -> Cost:
    """Runs the command, its output in ``log``. Raises ``FailedError``."""
    start, stop = time.perf_counter(), threading.Event()
    with (
        log.open("wb") as out,
        subprocess.Popen(command, cwd=cwd, stdout=out, stderr=subprocess.STDOUT) as process,
    ):
        tree = _Tree(process.pid)
        sampler = threading.Thread(target=tree.watch, args=(stop,))
        sampler.start()
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        stop.set()
        sampler.join()
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        tail = "\n".join(log.read_text("utf-8", errors="replace").splitlines()[-8:])
        raise FailedError(f"exit {process.returncode}: {tail}")
    cpu = max(tree.cpu_seconds, used.ru_utime + used.ru_stime)
    return Cost(seconds, max(tree.peak_mb, used.ru_maxrss / 1024), cpu)


class _Tree:
    """A process and its descendants, sampled from ``/proc`` (a JVM is nobody's child to wait for)."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._ticks: dict[int, int] = {}
        self.peak_mb = 0.0

    @property
    def cpu_seconds(self) -> float:
        return sum(self._ticks.values()) / _TICKS

    def watch(self, stop: threading.Event) -> None:
        while not stop.wait(_EVERY):
            self._sample()

    def _sample(self) -> None:
        stats = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                stats[int(entry.name)] = (int(fields[1]), int(fields[11]) + int(fields[12]), int(fields[21]))
        family = {self._root}
        for pid in sorted(stats):  # a child's number is mostly above its parent's
            if stats[pid][0] in family:
                family.add(pid)
        family &= stats.keys()
        old = family & self._ticks.keys()  # a process just forked still shows its parent's memory as its own
        self._ticks |= {pid: stats[pid][1] for pid in family}
        self.peak_mb = max(self.peak_mb, sum(stats[pid][2] for pid in old) * _PAGE_MB)
