"""The server's processes: the first one starts the workers, replaces those that die or hang, and ends them."""

import logging
import multiprocessing
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from queue import Empty, SimpleQueue

from serving.beats import SILENT_SECONDS, Beats

LOOK_SECONDS = 0.5
"""Between two looks at the workers; so one that always dies is started twice a second at most."""

READY_SECONDS = 30.0
"""How long a reload waits for all new workers to answer."""

START_SECONDS = 300.0
"""How long a worker may take to its first beat: a large snapshot is read and checked meanwhile."""

_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_fork = multiprocessing.get_context("fork")

log = logging.getLogger("kravoversikt")

Work = Callable[[int, Callable[[], None]], None]
"""What a worker does: given its place among them, and what it calls when it is ready. It ends at SIGTERM."""


@dataclass(eq=False)
class _Worker:
    process: ForkProcess
    ready: Connection
    """A pipe: unlike an ``Event``, telling it never waits for a first process that is gone."""
    heard: float = 0.0
    silent_seconds: float = 0.0
    """For how long nothing new was heard of it while this process looked: when the whole machine stood still, so did
    this process, and nobody was silent."""
    kill_at: float = float("inf")
    """When it is to be gone that was told to end."""


class Processes:
    """Workers, forked from the process that calls ``run`` and so with all that it has read."""

    def __init__(self, work: Work, beats: Beats, count: int, reload: Callable[[], None], end_seconds: float) -> None:
        """``beats``: the work's own. ``reload`` is called before new workers take the place of the old.
        ``end_seconds``: then one that was told to end is killed.
        """
        self._work = work
        self._count = count
        self._beats = beats
        self._reload = reload
        self._end_seconds = end_seconds
        self._workers: list[_Worker] = []
        self._leaving: list[_Worker] = []
        self._looked_at = time.monotonic()
        self._to_end, self._to_reload = False, False
        self._told: SimpleQueue[int] = SimpleQueue()  # the one that a signal's handler may write to

    def run(self, ending: Callable[[], None]) -> None:
        """Until SIGTERM or SIGINT; then ``ending`` is called and the workers end. SIGHUP reloads."""
        for one in _SIGNALS:  # blocked here they would go to a library's thread, which blocks none, and end the process
            signal.signal(one, self._hear)
        try:
            self._start_all(self._workers)
            while not self._to_end:
                with suppress(Empty):
                    self._told.get(timeout=LOOK_SECONDS)
                if self._to_reload:
                    self._to_reload = False
                    self._renew()
                self._kill_the_silent()
                self._replace_the_dead()
        finally:
            ending()
            self._end([*self._workers, *self._leaving])

    def _hear(self, told: int, _: object) -> None:
        if told == signal.SIGHUP:
            self._to_reload = True
        else:
            self._to_end = True
        self._told.put(told)

    def _start_all(self, workers: list[_Worker]) -> None:
        """Adds them one by one, so that those that could be started are known."""
        for place in range(self._count):
            workers.append(self._start(place))

    def _start(self, place: int) -> _Worker:
        """Raises ``OSError`` when the machine has no room for another process."""
        self._beats.starting(place)
        ready, tell = _fork.Pipe(duplex=False)
        process = _fork.Process(target=self._in_worker, args=(place, tell), name=f"worker {place}")
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # until the worker has its own way with them
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            tell.close()
        return _Worker(process, ready)

    def _in_worker(self, place: int, tell: Connection) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the first process tells the others
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        self._work(place, partial(tell.send_bytes, b"ready"))

    def _renew(self) -> None:
        """The old ones answer until all the new ones do; when one of these does not, the old ones stay."""
        self._reload()
        new: list[_Worker] = []
        ready = False
        try:
            self._start_all(new)
            until = time.monotonic() + READY_SECONDS
            ready = all(self._gets_ready(one, until) for one in new)
        except OSError as error:
            log.error("a new worker could not be started: %s", error.strerror)
        if not ready and not self._to_end:
            log.error("the reload failed, for the new workers do not answer; the old ones stay as they were")
        leaving, self._workers = (self._workers, new) if ready else (new, self._workers)
        for one in leaving:
            one.process.terminate()
            one.kill_at = time.monotonic() + self._end_seconds
        self._leaving += leaving

    def _gets_ready(self, worker: _Worker, until: float) -> bool:
        """Whether it does in time, and before the server is to end."""
        while not worker.ready.poll(0.1):
            if time.monotonic() > until or self._to_end:
                return False
        with suppress(EOFError):  # it is no more
            return bool(worker.ready.recv_bytes())
        return False

    def _kill_the_silent(self) -> None:
        """Of those that do not beat, and those that do not end. A stopped process hears no other signal."""
        now, most = time.monotonic(), 2 * LOOK_SECONDS
        passed, self._looked_at = min(now - self._looked_at, most), now
        for place, one in enumerate(self._workers):
            last = self._beats.last(place)
            one.silent_seconds = 0.0 if last != one.heard else one.silent_seconds + passed
            one.heard = last
            if one.silent_seconds > (SILENT_SECONDS if last else START_SECONDS):
                log.error("worker %d hangs and is killed", place)
                _kill(one)
        for one in self._leaving:
            if now > one.kill_at and one.process.is_alive():
                log.error("a worker did not end in time and is killed")
                _kill(one)

    def _replace_the_dead(self) -> None:
        self._leaving = [one for one in self._leaving if one.process.is_alive()]
        for place, one in enumerate(self._workers):
            if not one.process.is_alive() and not self._to_end:
                log.error("worker %d ended (%s); another takes its place", place, one.process.exitcode)
                try:
                    self._workers[place] = self._start(place)
                except OSError as error:
                    log.error("worker %d could not be started, which is tried again: %s", place, error.strerror)

    def _end(self, workers: list[_Worker]) -> None:
        for one in workers:
            one.process.terminate()
        until = time.monotonic() + self._end_seconds
        for one in workers:
            one.process.join(max(0, until - time.monotonic()))
            if one.process.is_alive():
                log.error("a worker did not end in time and is killed")
                _kill(one)


def _kill(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.join()
