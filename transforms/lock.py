"""One run at a time over a home."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


class HomeInUseError(Exception):
    """Another run holds the home."""


@contextlib.contextmanager
def locked(home: Path, run: str) -> Iterator[None]:
    """Holds the home's lock; a holder that dies lets go of it. Raises ``HomeInUseError``."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise HomeInUseError(f"the home is in use by {file.read().strip() or 'another run'}") from error
        file.truncate(0)
        file.write(f"run {run}, process {os.getpid()}")
        file.flush()
        yield
