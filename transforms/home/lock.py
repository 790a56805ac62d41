"""One run at a time over a home."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

LOCK = ".lock"
ONCE_A = 0.5
"""Seconds after which one that waits looks again."""


class HomeInUseError(Exception):
    """Another run holds the home."""


@contextlib.contextmanager
def locked(
    home: Path, run: str, wait: float = 0, waiting: Callable[[str], None] = lambda _: None
) -> Iterator[Callable[[], bool]]:
    """Holds the home's lock; a holder that dies lets go of it. Raises ``HomeInUseError``.

    ``wait``: so many seconds another run may go on with it, after ``waiting`` is told whom for. Yields what tells
    whether the lock still is the home's: not once its file was removed or replaced, for then another run can take the
    new one.
    """
    home.mkdir(parents=True, exist_ok=True)
    begun, told = time.monotonic(), ""
    with contextlib.ExitStack() as held:
        while (file := _take(home / LOCK, held)) is None:
            whose = _holder(home / LOCK)
            if time.monotonic() - begun >= wait:
                raise HomeInUseError(f"the home is in use by {whose}: run again when it is done, or with --wait")
            if told != whose:
                waiting(f"waits for {whose}")
            told = whose
            time.sleep(min(wait, ONCE_A))
        file.truncate(0)
        file.write(f"run {run}, process {os.getpid()}")
        file.flush()
        yield lambda: _is_at(file, home / LOCK)


def _take(path: Path, held: contextlib.ExitStack) -> IO[str] | None:
    """The file, locked until ``held`` ends; None while another holds it, or when it is replaced meanwhile."""
    file = path.open("a+")
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(file, path):
            return held.enter_context(file)
    file.close()
    return None


def _holder(path: Path) -> str:
    """Who says that it holds the lock."""
    try:
        return path.read_text().strip() or "another run"
    except FileNotFoundError:
        return "another run"


def _is_at(file: IO[str], path: Path) -> bool:
    """Whether the open file is the one at the path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def is_held(home: Path) -> bool:
    """Whether some run holds the home's lock."""
    try:
        with (home / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is none, or it may not be read
        return False
    return False
