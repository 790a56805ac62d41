"""The first process and its workers: signals that come close together, new workers that do not begin to answer."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from serving.beats import SILENT_SECONDS, Beats
from tests.api.running import ROOT, children, wait_until

pytestmark = pytest.mark.slow


@contextmanager
def two_workers(folder):
    """The first process and what it says; at the end all must have ended as they should."""
    said = folder / "said"
    with said.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.api.workers", folder], cwd=ROOT, stdout=out, stderr=out
        )
    try:
        wait_until(lambda: len(ready(folder)) == 2)
        yield process, said
    finally:
        process.terminate()
        assert process.wait(20) == 0, said.read_text()
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
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
        assert time.monotonic() - began < 0.9  # it doesn't wait for the new ones
        assert said.read_text() == ""


@pytest.mark.parametrize("become", ["die", "wait", "no room"])
def test_workers_stay_when_the_new_ones_do_not_answer(tmp_path, become):
    with two_workers(tmp_path) as (process, said):
        old = set(children(process.pid))
        (tmp_path / "new").write_text(become)
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: "the reload failed" in said.read_text())
        wait_until(lambda: set(children(process.pid)) == old)
        (tmp_path / "new").unlink()
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(children(process.pid)) == 2 and not old & set(children(process.pid)))
        assert said.read_text().count("reload failed") == 1
        assert "another takes its place" not in said.read_text()


def test_a_worker_that_hangs_is_replaced(tmp_path):
    """Stopped, it is a process that lives, and hears nothing but its killing."""
    with two_workers(tmp_path) as (process, said):
        old = children(process.pid)
        os.kill(old[0], signal.SIGSTOP)
        wait_until(lambda: len(set(children(process.pid)) & ready(tmp_path) - {old[0]}) == 2)
        assert old[1] in children(process.pid)
        assert "hangs and is killed" in said.read_text()


def test_a_worker_that_hangs_outlives_no_reload(tmp_path):
    """It was told to end, as the others, and does not."""
    with two_workers(tmp_path) as (process, _):
        old = children(process.pid)
        os.kill(old[0], signal.SIGSTOP)
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(children(process.pid)) == 2 and not set(old) & set(children(process.pid)))


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
