"""A run that is told to end does not read its files to their end first."""

import signal
import threading
import time

import polars as pl
import pytest

from transforms.accept import delivery as accept

BATCHES = 200


def test_an_interrupted_run_ends_between_two_batches(place, monkeypatch):
    begun, read = set(), []

    def without_end(path, table, *, removals):
        begun.add(path.name)
        for _ in range(BATCHES):
            yield pl.DataFrame({name: [None] for name in table.names}, schema=dict.fromkeys(table.names, pl.String))
            read.append(path.name)
            if path.name == "krav-1.csv" and read.count(path.name) == 1:
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            time.sleep(0.001)  # so that reading all would be seen

    place.deliver()
    monkeypatch.setattr(accept, "read_batches", without_end)
    with pytest.raises(KeyboardInterrupt):
        place.night()
    assert len(read) < BATCHES
    assert len(begun) == accept.WORKERS  # those that wait for a thread get none


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
