"""The first process and its workers: signals that come close together, new workers that do not begin to answer."""

import errno
import gc
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from serving.beats import SILENT_SECONDS, Beats
from serving.processes import Processes, _Worker
from tests.api.running import ROOT, children, wait_until

pytestmark = pytest.mark.slow

AMPLE = 60.0


@contextmanager
def two_workers(folder, silent=AMPLE, start=AMPLE, end=AMPLE):
    """The first process and what it says; at the end all must have ended as they should.

    The seconds of ``workers`` are few only where what comes of them is waited for: a busy machine may take some.
    """
    said = folder / "said"
    with said.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.api.workers", folder, *map(str, (silent, start, end))],
            cwd=ROOT,
            stdout=out,
            stderr=out,
        )
    try:
        wait_until(lambda: len(ready(folder)) == 2)
        yield process, said
    finally:
        process.terminate()
        assert process.wait(AMPLE) == 0, said.read_text()
    assert not any(Path(f"/proc/{worker}").exists() for worker in ready(folder))


def ready(folder):
    return {int(file.name) for file in folder.iterdir() if file.name.isdigit()}


def test_signals_that_come_together(tmp_path):
    """A second reload while the first is under way, and so on: all are heard, none ends the first process."""
    with two_workers(tmp_path) as (process, _):
        old = set(children(process.pid))
        for _ in range(3):
            process.send_signal(signal.SIGHUP)
            time.sleep(0.03)
        wait_until(lambda: len(children(process.pid)) == 2 and not old & set(children(process.pid)))
        assert process.poll() is None
        wait_until(lambda: set(children(process.pid)) <= ready(tmp_path))


def test_the_end_interrupts_a_reload(tmp_path):
    with two_workers(tmp_path) as (process, said):
        (tmp_path / "new").write_text("wait")
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(children(process.pid)) == 4)
        process.send_signal(signal.SIGTERM)
        assert process.wait(AMPLE) == 0  # it doesn't wait for the new ones, which are never ready
        assert said.read_text() == ""


@pytest.mark.parametrize(
    ("become", "why", "start"),
    [
        ("die", "ended (3)", AMPLE),
        ("wait", "was not ready within 2 s", 2.0),
        ("no room", "could not be started", AMPLE),
    ],
)
def test_workers_stay_while_the_new_ones_do_not_answer(tmp_path, become, why, start):
    """New ones are tried until they do; then the old ones end, and nobody has to reload again."""
    with two_workers(tmp_path, start=start) as (process, said):
        old = set(children(process.pid))
        (tmp_path / "new").write_text(become)
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: said.read_text().count(why) >= 2)
        assert old <= set(children(process.pid))
        (tmp_path / "new").unlink()
        wait_until(lambda: len(children(process.pid)) == 2 and not old & set(children(process.pid)))
        assert set(children(process.pid)) <= ready(tmp_path)


def test_where_there_is_no_room_for_a_process_nothing_stays_open(monkeypatch):
    """Or it would never be mended: in some minutes nothing could be opened any more."""

    def no_room():
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    first = Processes(None, Beats(2), 1, None, start_seconds=1, end_seconds=1)
    monkeypatch.setattr(os, "fork", no_room)
    first._start(0)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        assert not first._start(0).process.is_alive()
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_one_that_its_killing_does_not_end_is_replaced_and_left_behind(monkeypatch):
    """As while it waits for a disk that is gone; the first process goes on, and reaps it once it ends."""
    monkeypatch.setattr("serving.processes.KILL_SECONDS", 0.01)
    first = Processes(lambda *_: time.sleep(600), Beats(2), 1, None, start_seconds=60, end_seconds=20)
    first._workers = [first._start(0)]
    [stuck] = first._workers
    monkeypatch.setattr(stuck.process, "kill", lambda: None)
    stuck.silent_seconds = 61
    try:
        for _ in range(2):
            first._look()
            assert (first._workers[0] is stuck, first._leaving) == (False, [stuck])
        assert first._beats.how_many_replaced() == {"ended": 0, "silent": 0, "not ready": 1}
        os.kill(stuck.process.pid, signal.SIGKILL)
        stuck.process.join()
        first._look()
        assert first._leaving == []
    finally:
        monkeypatch.undo()
        first._end([stuck, *first._workers])


def test_a_new_worker_that_hangs_as_it_starts_is_replaced(tmp_path):
    """As on a disk that is gone; with a reload the old ones go on, and it is done when the one after it is ready."""
    with two_workers(tmp_path, start=2.0) as (process, said):
        old = set(children(process.pid))
        (tmp_path / "new").write_text("hold")
        process.send_signal(signal.SIGHUP)
        stopped = stop_one_that_starts(process, old, tmp_path)
        wait_until(lambda: "was not ready within 2 s and is killed" in said.read_text())
        wait_until(lambda: len(children(process.pid)) == 2 and not old & set(children(process.pid)))
        assert stopped not in children(process.pid)
        wait_until(lambda: replaced(tmp_path, "not ready"))


def test_one_that_takes_the_place_of_a_dead_one_and_hangs_as_it_starts_is_replaced(tmp_path):
    with two_workers(tmp_path, start=2.0) as (process, _):
        old = set(children(process.pid))
        (tmp_path / "new").write_text("hold")
        os.kill(min(old), signal.SIGKILL)
        stopped = stop_one_that_starts(process, old, tmp_path)
        wait_until(lambda: replaced(tmp_path, "ended") and replaced(tmp_path, "not ready"))
        wait_until(lambda: len(ready(tmp_path) & set(children(process.pid)) - {stopped}) == 2)


def stop_one_that_starts(process, old, folder):
    """Stops one that is forked while new ones are on hold, and lets the others begin; which one it is."""
    wait_until(lambda: set(children(process.pid)) - old)
    stopped = min(set(children(process.pid)) - old)
    os.kill(stopped, signal.SIGSTOP)
    (folder / "new").unlink()
    return stopped


def replaced(folder, reason):
    """Whether a worker was, for that, and both are heard again: on a busy machine it may have been more than one."""
    told = json.loads((folder / "told").read_text() or "{}")
    return told.get("heard") == 2 and told[reason] >= 1


def test_one_that_took_long_to_start_is_not_silent_when_it_is_ready():
    tells, tell = multiprocessing.Pipe(duplex=False)
    worker = _Worker(None, 0, 0, tells)
    worker.look(0.0, 50.0)
    assert (worker.ready, worker.silent_seconds) == (False, 50.0)
    tell.send_bytes(b"ready")
    worker.look(0.0, 1.0)
    assert (worker.ready, worker.silent_seconds) == (True, 0.0)
    worker.look(0.0, 1.0)
    assert worker.silent_seconds == 1.0
    worker.look(7.0, 1.0)
    assert worker.silent_seconds == 0.0


@pytest.mark.parametrize("reload", [1, 2])
def test_an_old_worker_that_hangs_is_not_hidden_by_the_new_one_of_its_place(tmp_path, reload):
    """While a reload waits, old and new ones of a place live side by side; also when another reload comes."""
    with two_workers(tmp_path, silent=2.5, start=1.0) as (process, said):
        old = children(process.pid)
        (tmp_path / "new").write_text("wait")
        for _ in range(reload):
            process.send_signal(signal.SIGHUP)
            wait_until(lambda: len(children(process.pid)) >= 4)
        os.kill(old[0], signal.SIGSTOP)
        wait_until(lambda: "worker 0 hangs and is killed" in said.read_text())
        assert old[1] in children(process.pid)
        (tmp_path / "new").unlink()
        wait_until(lambda: len(children(process.pid)) == 2 and not set(old) & set(children(process.pid)))


def test_a_worker_that_hangs_is_replaced(tmp_path):
    """Stopped, it is a process that lives, and hears nothing but its killing."""
    with two_workers(tmp_path, silent=2.5) as (process, said):
        old = children(process.pid)
        os.kill(old[0], signal.SIGSTOP)
        wait_until(lambda: len(set(children(process.pid)) & ready(tmp_path) - {old[0]}) == 2)
        assert old[1] in children(process.pid)
        assert "hangs and is killed" in said.read_text()


def test_a_worker_that_hangs_outlives_no_reload(tmp_path):
    """It was told to end, as the others, and does not."""
    with two_workers(tmp_path, end=1.0) as (process, _):
        old = children(process.pid)
        os.kill(old[0], signal.SIGSTOP)
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(children(process.pid)) == 2 and not set(old) & set(children(process.pid)))


def test_who_starts_or_leaves_is_not_silent():
    clock = [100.0]
    beats = Beats(2, lambda: clock[0])
    for row in range(2):
        beats.beat(row)
    clock[0] += SILENT_SECONDS + 1
    assert beats.silent() == 2
    beats.keep({1})
    assert beats.silent() == 1


def test_who_is_silent():
    """A worker that starts is not; one that beats again is no more."""
    clock = [100.0]
    beats = Beats(3, lambda: clock[0])
    beats.beat(0)
    beats.beat(1)
    beats.starting(2)
    clock[0] += SILENT_SECONDS + 1
    beats.beat(0)
    assert beats.silent() == 1
    beats.beat(1)
    assert beats.silent() == 0
