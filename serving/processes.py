"""The server's processes: the first one starts the workers, replaces those that die or hang, and ends them."""

import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import popen_fork, util
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from multiprocessing.process import BaseProcess
from queue import Empty, SimpleQueue

from serving.beats import SILENT_SECONDS, Beats

LOOK_SECONDS = 0.5
"""Between two looks at the workers; so one that always dies is started twice a second at most."""

KILL_SECONDS = 1.0
"""For what is killed to be gone. It isn't while the system waits for a disk that is gone: then it is left behind."""

_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_fork = multiprocessing.get_context("fork")

log = logging.getLogger("kravoversikt")

Call = Callable[[], None]
Work = Callable[[int, Call, Call], None]
"""What a worker does: given its place among them, what it calls when it is ready, and again and again as a sign of
life. It ends at SIGTERM."""


class _Popen(popen_fork.Popen):
    """As the library's own, which leaves its pipes open where there is no room for another process."""

    def _launch(self, process_obj: BaseProcess) -> None:
        self.sentinel, alive = os.pipe()
        self.finalizer = util.Finalize(self, os.close, (self.sentinel,))
        try:
            self.pid = os.fork()
            if not self.pid:
                code = 1
                try:
                    code = process_obj._bootstrap()  # type: ignore[attr-defined]
                finally:
                    os._exit(code)
        finally:
            os.close(alive)  # only the new process has it, for as long as it lives


class _Process(ForkProcess):
    @staticmethod
    def _Popen(process_obj: BaseProcess) -> popen_fork.Popen:  # noqa: N802  # the library's name
        return _Popen(process_obj)


@dataclass(eq=False)
class _Worker:
    process: ForkProcess
    place: int
    row: int
    """Of its signs of life."""
    tells: Connection | None
    """A pipe: unlike an ``Event``, telling it never waits for a first process that is gone. None of one never begun."""
    ready: bool = False
    heard: float = 0.0
    silent_seconds: float = 0.0
    """For how long nothing new was heard of it while this process looked: when the whole machine stood still, so did
    this process, and nobody was silent. Before it is ready: since it was started."""
    kill_at: float = float("inf")
    """When it is to be gone that was told to end."""

    why: str = "ended"
    """What another takes its place for."""
    killed: bool = False

    def is_gone(self) -> bool:
        """Whether another may take its place."""
        return self.killed or not self.process.is_alive()

    def kill(self) -> None:
        """Kills it, and waits until it is gone, as far as it goes. A stopped process hears no other signal."""
        self.killed = True
        self.process.kill()
        self.process.join(KILL_SECONDS)

    def look(self, last: float, passed: float) -> None:
        """Hears of it: its last sign of life, after so many seconds."""
        heard = self._gets_ready() or (self.ready and last != self.heard)
        self.silent_seconds = 0.0 if heard else self.silent_seconds + passed
        self.heard = last

    def _gets_ready(self) -> bool:
        if not self.ready and self.tells and self.tells.poll():
            with suppress(EOFError):  # it is no more
                self.ready = bool(self.tells.recv_bytes())
                return True
        return False


class Processes:
    """Workers, forked from the process that calls ``run`` and so with all that it has read."""

    def __init__(
        self, work: Work, beats: Beats, count: int, reload: Call, start_seconds: float, end_seconds: float
    ) -> None:
        """``beats``: of twice as many as ``count``. ``reload`` is called before new workers take the place of the old.

        ``start_seconds``: then one that is not ready is killed, and another takes its place. ``end_seconds``: then one
        that was told to end is killed.
        """
        self._work = work
        self._count = count
        self._beats = beats
        self._reload = reload
        self._start_seconds = start_seconds
        self._end_seconds = end_seconds
        self._workers: list[_Worker] = []
        self._before: list[_Worker] = []
        """Those that answer until all of ``_workers`` do."""
        self._leaving: list[_Worker] = []
        self._first_row = 0
        self._looked_at = time.monotonic()
        self._to_end, self._to_reload = False, False
        self._told: SimpleQueue[int] = SimpleQueue()  # the one that a signal's handler may write to

    def run(self, ending: Callable[[], None]) -> None:
        """Until SIGTERM or SIGINT; then ``ending`` is called and the workers end. SIGHUP reloads."""
        for one in _SIGNALS:  # blocked here they would go to a library's thread, which blocks none, and end the process
            signal.signal(one, self._hear)
        try:
            self._workers = [self._start(place) for place in range(self._count)]
            while not self._to_end:
                with suppress(Empty):
                    self._told.get(timeout=LOOK_SECONDS)
                if self._to_reload:
                    self._to_reload = False
                    self._renew()
                self._look()
        finally:
            ending()
            self._end([*self._workers, *self._before, *self._leaving])

    def _hear(self, told: int, _: object) -> None:
        if told == signal.SIGHUP:
            self._to_reload = True
        else:
            self._to_end = True
        self._told.put(told)

    def _start(self, place: int) -> _Worker:
        """One that begins; when the machine has no room for another process, one that has ended."""
        row = self._first_row + place
        self._beats.starting(row)
        process, tells = _Process(), None
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # until the worker has its own way with them
        try:
            tells, tell = _fork.Pipe(duplex=False)
            with tell:
                process = _Process(target=self._in_worker, args=(place, row, tell), name=f"worker {place}")
                process.start()
        except OSError as error:
            log.error("worker %d could not be started, which is tried again: %s", place, error.strerror)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        return _Worker(process, place, row, tells)

    def _in_worker(self, place: int, row: int, tell: Connection) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the first process tells the others
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        self._work(place, partial(tell.send_bytes, b"ready"), partial(self._beats.beat, row))

    def _renew(self) -> None:
        """Starts new ones. Those that answer go on; those of a reload that is not done yet make room."""
        self._reload()
        if self._before:
            self._tell_to_end(self._workers)
        else:
            self._before, self._first_row = self._workers, self._count - self._first_row
        self._workers = [self._start(place) for place in range(self._count)]

    def _look(self) -> None:
        """What hangs is killed, what is gone is replaced; the old ones end when the new ones are ready."""
        now, most = time.monotonic(), 2 * LOOK_SECONDS
        passed, self._looked_at = min(now - self._looked_at, most), now
        for one in (*self._workers, *self._before):
            one.look(self._beats.last(one.row), passed)
            self._kill_if_it_hangs(one)
        for one in self._leaving:
            if now > one.kill_at and not one.is_gone():
                log.error("a worker did not end in time and is killed")
                one.kill()
        self._replace_the_dead()
        if self._before and all(one.ready for one in self._workers):
            self._tell_to_end(self._before)
            self._before = []
        self._beats.keep({one.row for one in (*self._workers, *self._before) if one.ready})

    def _kill_if_it_hangs(self, one: _Worker) -> None:
        most = SILENT_SECONDS if one.ready else self._start_seconds
        if one.silent_seconds <= most or one.is_gone():
            return
        if one.ready:
            log.error("worker %d hangs and is killed", one.place)
        else:
            log.error("worker %d was not ready within %g s and is killed", one.place, most)
        one.why = "silent" if one.ready else "not ready"
        one.kill()

    def _replace_the_dead(self) -> None:
        """Of old ones in a reload none is: the new one of its place is there already, or is being started."""
        held_up = [one for one in (*self._workers, *self._before) if one.killed]
        self._leaving = [one for one in (*self._leaving, *held_up) if one.process.is_alive()]
        self._before = [one for one in self._before if not one.is_gone()]
        for place, one in enumerate(self._workers):
            if one.is_gone() and not self._to_end:
                if one.process.pid:
                    log.error("worker %d ended (%s); another takes its place", place, one.process.exitcode)
                self._beats.replaced(one.why)
                self._workers[place] = self._start(place)

    def _tell_to_end(self, workers: list[_Worker]) -> None:
        for one in workers:
            if one.process.is_alive():
                one.process.terminate()
                one.kill_at = time.monotonic() + self._end_seconds
                self._leaving.append(one)

    def _end(self, workers: list[_Worker]) -> None:
        started = [one for one in workers if one.process.pid]
        for one in started:
            one.process.terminate()
        until = time.monotonic() + self._end_seconds
        for one in started:
            one.process.join(max(0, until - time.monotonic()))
            if one.process.is_alive():
                log.error("a worker did not end in time and is killed")
                one.kill()
