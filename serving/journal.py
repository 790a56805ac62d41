"""Lines on their way to a log, in a mapped file: what a killed process had not written yet, the next one writes.

The system keeps a mapped file's pages when the process dies, so a line is safe as soon as it is copied here, without
waiting for a disk. A journal belongs to the process that has it locked; the kernel unlocks it when that one ends.
"""

import mmap
import os
import sys
import threading
from itertools import count
from pathlib import Path

from serving.held_file import hold

SIZE = 16 << 20
"""Bytes of a journal: some 25,000 lines. They are set aside at once: a full disk would end the process at a write."""

_HEAD = 8
"""Bytes before the lines: where those begin and end, as one number, so that they change together."""


class Journal:
    """The lines of one process that are not written yet. One thread adds and another removes."""

    def __init__(self, folder: Path) -> None:
        """Takes the first file that no living process has, and over what the dead left in it and in the others.

        Raises ``OSError`` when there is no room.
        """
        self._lock = threading.Lock()
        self._file = _take(folder)
        os.posix_fallocate(self._file, 0, SIZE)
        self._map = mmap.mmap(self._file, SIZE)
        self._head = memoryview(self._map)[:_HEAD].cast("Q")
        self._begin, self._end = _places(self._head[0])
        for path in sorted(folder.glob("*.journal")):
            self._take_over(path)
        self.found = self._map[self._begin : self._end].splitlines(keepends=True)
        """The lines of those who are no more, to be written and removed first."""

    def add(self, lines: bytes) -> bool:
        """Keeps a line, which ends in a line feed, or several. False when there is no room for them."""
        with self._lock:
            end = self._end + len(lines)
            if end > SIZE:
                end = self._move() + len(lines)
            if end > SIZE:
                return False
            self._map[self._end : end] = lines
            self._end = end
            self._head[0] = self._begin << 32 | end
            return True

    def _move(self) -> int:
        """Moves the lines to the beginning when there is room for them beside themselves; gives where they end."""
        size = self._end - self._begin
        if self._begin - _HEAD >= size:
            self._map[_HEAD : _HEAD + size] = self._map[self._begin : self._end]
            self._begin, self._end = _HEAD, _HEAD + size
            self._head[0] = self._begin << 32 | self._end
        return self._end

    def remove(self, size: int) -> None:
        """Forgets so many bytes, the oldest: they are written."""
        with self._lock:
            self._begin = min(self._begin + size, self._end)
            if self._begin == self._end:
                self._begin = self._end = _HEAD
            self._head[0] = self._begin << 32 | self._end

    def _take_over(self, path: Path) -> None:
        """What another left; it stays there until it is here."""
        file = hold(path)
        if file is None:
            return
        try:
            content = os.pread(file, SIZE, 0)
            begin, end = _places(int.from_bytes(content[:_HEAD], sys.byteorder))
            if begin == end or self.add(content[begin:end]):
                os.pwrite(file, bytes(_HEAD), 0)
        finally:
            os.close(file)


def _places(head: int) -> tuple[int, int]:
    """Where the lines begin and end; a new file's head is 0."""
    return (head >> 32, head & 0xFFFFFFFF) if head else (_HEAD, _HEAD)


def _take(folder: Path) -> int:
    for place in count():
        file = hold(folder / f"{place}.journal")
        if file is not None:
            return file
    raise AssertionError
