"""The server's processes: the first one starts the workers, replaces those that die, and ends them."""

import logging
import multiprocessing
import signal
import time
from collections.abc import Callable
from multiprocessing.context import ForkProcess
from multiprocessing.synchronize import Event
from typing import NamedTuple

LOOK_SECONDS = 0.5
"""Between two looks at the workers; so one that always dies is started twice a second at most."""

READY_SECONDS = 30.0
"""How long a reload waits for a new worker before the old one is ended."""

_ENDING = {signal.SIGTERM, signal.SIGINT}
_fork = multiprocessing.get_context("fork")

log = logging.getLogger("kravoversikt")

Work = Callable[[int, Callable[[], None]], None]
"""What a worker does: given its place among them, and what it calls when it is ready. It ends at SIGTERM."""


class _Worker(NamedTuple):
    process: ForkProcess
    ready: Event


class Processes:
    """Workers, forked from the process that calls ``run`` and so with all that it has read."""

    def __init__(self, work: Work, count: int, reload: Callable[[], None], end_seconds: float) -> None:
        """``reload`` is called before new workers take the place of the old. ``end_seconds``: then one is killed."""
        self._work = work
        self._count = count
        self._reload = reload
        self._end_seconds = end_seconds
        self._workers: list[_Worker] = []
        self._leaving: list[_Worker] = []

    def run(self, ending: Callable[[], None]) -> None:
        """Until SIGTERM or SIGINT; then ``ending`` is called and the workers end. SIGHUP reloads."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {*_ENDING, signal.SIGHUP})
        self._workers = [self._start(place) for place in range(self._count)]
        while (told := self._next_signal()) not in _ENDING:
            if told == signal.SIGHUP:
                self._renew()
            self._replace_the_dead()
        ending()
        self._end([*self._workers, *self._leaving])

    def _next_signal(self) -> int | None:
        told = signal.sigtimedwait({*_ENDING, signal.SIGHUP}, LOOK_SECONDS)
        return told.si_signo if told else None

    def _start(self, place: int) -> _Worker:
        ready = _fork.Event()
        process = _fork.Process(target=self._in_worker, args=(place, ready), name=f"worker {place}")
        process.start()
        return _Worker(process, ready)

    def _in_worker(self, place: int, ready: Event) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the first process tells the others
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {*_ENDING, signal.SIGHUP})
        self._work(place, ready.set)

    def _renew(self) -> None:
        """The old ones answer until the new ones do."""
        self._reload()
        old, self._workers = self._workers, [self._start(place) for place in range(self._count)]
        until = time.monotonic() + READY_SECONDS
        for new in self._workers:
            while not new.ready.wait(0.1) and new.process.is_alive() and time.monotonic() < until:
                pass
        for one in old:
            one.process.terminate()
        self._leaving += old

    def _replace_the_dead(self) -> None:
        self._leaving = [one for one in self._leaving if one.process.is_alive()]
        for place, one in enumerate(self._workers):
            if not one.process.is_alive():
                log.error("worker %d ended (%s); another takes its place", place, one.process.exitcode)
                self._workers[place] = self._start(place)

    def _end(self, workers: list[_Worker]) -> None:
        for one in workers:
            one.process.terminate()
        until = time.monotonic() + self._end_seconds
        for one in workers:
            one.process.join(max(0, until - time.monotonic()))
            if one.process.is_alive():
                log.error("a worker did not end in time and is killed")
                one.process.kill()
                one.process.join()
