"""Figures that several workers keep in one folder, and figures that can't be counted for a while."""

import multiprocessing
import re

import pytest

from serving.logs import Answered
from serving.metrics import Metrics, forget_the_dead

ANSWER = Answered("id", "GET", "oversikt", 200, consumer="storbanken", sent=10, seconds=0.002)


def in_workers(count, work):
    """Forked one after another: each begins when the one before it is ready, and all end together."""
    fork = multiprocessing.get_context("fork")
    end, workers = fork.Event(), []
    for _ in range(count):
        ready = fork.Event()
        workers.append(fork.Process(target=_in_worker, args=(work, ready, end)))
        workers[-1].start()
        assert ready.wait(10)
    end.set()
    for worker in workers:
        worker.join(10)
        assert worker.exitcode == 0


def _in_worker(work, ready, end):
    work()
    ready.set()
    end.wait(10)


def figure(page, name):
    return float(re.search(rf"^{re.escape(name)} (\S+)$", page.decode(), re.MULTILINE)[1])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.slow
def test_workers_go_on_counting_where_those_before_them_ended(folder):
    """So there are never more files than for those that live at a time, and no counter goes down."""

    def work():
        metrics = Metrics(folder)
        metrics.answered(ANSWER)
        metrics.flush()

    for generation in range(1, 4):
        in_workers(2, work)
        assert {path.name for path in folder.glob("counter_*.db")} == {"counter_0.db", "counter_1.db"}
        in_workers(1, lambda generation=generation: _counted(folder, generation * 2))


def _counted(folder, count):
    page = Metrics(folder).page()
    assert figure(page, 'kravoversikt_requests_total{kode="",route="oversikt",status="200"}') == count
    assert figure(page, 'kravoversikt_request_seconds_count{route="oversikt"}') == count


@pytest.mark.slow
def test_workers_that_are_gone_tell_of_no_snapshot(folder):
    """Their snapshot is not the one in use any more; what they counted still counts."""

    def work():
        forget_the_dead(folder)  # of whom there are none
        Metrics(folder).refused(True)

    in_workers(2, work)
    assert len(list(folder.glob("gauge_live*.db"))) == 4
    forget_the_dead(folder)
    assert {path.name for path in folder.glob("*.db")} == {"counter_0.db", "counter_1.db"}


def test_what_cannot_be_counted_is_counted_later(monkeypatch):
    """Once, and with what came meanwhile."""
    metrics = Metrics()
    metrics.answered(ANSWER)
    with monkeypatch.context() as patch:

        def full(*_):
            raise OSError("Too many open files")

        patch.setattr(metrics._bytes, "labels", full)
        with pytest.raises(OSError, match="Too many"):
            metrics.flush()
    metrics.answered(ANSWER)
    for _ in range(2):
        page = metrics.page()
        for name, value in (
            ('requests_total{kode="",route="oversikt",status="200"}', 2),
            ('consumer_requests_total{consumer="storbanken",status="200"}', 2),
            ('request_seconds_bucket{le="0.0025",route="oversikt"}', 2),
            ('response_bytes_total{route="oversikt"}', 20),
        ):
            assert figure(page, f"kravoversikt_{name}") == value
