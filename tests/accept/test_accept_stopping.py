"""A run that is told to end does not read its files to their end first."""

import signal
import threading
import time

import polars as pl
import pytest

from transforms.accept import delivery as accept
from transforms.accept.sources import choose

BATCHES = 200


@pytest.mark.parametrize("workers", [2, 3])
def test_an_interrupted_run_ends_between_two_batches(place, monkeypatch, workers):
    begun, read, once = set(), [], iter([True])

    def without_end(path, table, *, removals):
        begun.add(path.name)
        for _ in range(BATCHES):
            yield pl.DataFrame({name: [None] for name in table.names}, schema=dict.fromkeys(table.names, pl.String))
            read.append(path.name)
            if len(begun) == workers and next(once, False):
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            time.sleep(0.001)  # so that reading all would be seen

    place.deliver()
    monkeypatch.setattr(accept, "read_batches", without_end)
    with pytest.raises(KeyboardInterrupt):
        choose(place.inbox, place.deliveries, [], workers=workers)
    assert len(read) < BATCHES
    assert len(begun) == workers  # those that wait for a thread get none


def test_a_full_disk_under_one_file_ends_the_reading_of_the_others(place, monkeypatch):
    read = []

    def write(writer, frame):
        if writer.path.parent.name == "part":
            raise OSError(28, "No space left on device")
        read.append(writer.path)
        time.sleep(0.001)

    def without_end(path, table, *, removals):
        for _ in range(BATCHES):
            yield pl.DataFrame({name: [None] for name in table.names}, schema=dict.fromkeys(table.names, pl.String))

    place.deliver()
    monkeypatch.setattr(accept, "read_batches", without_end)
    monkeypatch.setattr(accept._Writer, "write", write)
    with pytest.raises(OSError, match="No space left"):
        place.night()
    assert len(read) < BATCHES
