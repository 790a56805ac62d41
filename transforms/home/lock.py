"""One run at a time over a home."""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

LOCK = ".lock"


class HomeInUseError(Exception):
    """Another run holds the home."""


@contextlib.contextmanager
def locked(home: Path, run: str) -> Iterator[Callable[[], bool]]:
    """Holds the home's lock; a holder that dies lets go of it. Raises ``HomeInUseError``.

    Yields what tells whether the lock still is the home's: not once its file was removed or replaced, for then
    another run can take the new one.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise HomeInUseError(f"the home is in use by {file.read().strip() or 'another run'}") from error
        if not _is_at(file, home / LOCK):
            raise HomeInUseError("the home's lock was replaced while it was taken")
        file.truncate(0)
        file.write(f"run {run}, process {os.getpid()}")
        file.flush()
        yield lambda: _is_at(file, home / LOCK)


def _is_at(file: IO[str], path: Path) -> bool:
    """Whether the open file is the one at the path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def is_held(home: Path) -> bool:
    """Whether some run holds the home's lock."""
    try:
        with (home / ".lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is none, or it may not be read
        return False
    return False
