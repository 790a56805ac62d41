"""Room kept for the day when the disk is full: ``<home>/.ballast``, a file of nothing that is let go of then.

A night lays it anew at its beginning, and one that fails lets go of it: its report, its findings and the message of it
need some room, and so do Dagster's records where they lie in the home.
"""

import contextlib
import os
from pathlib import Path

BALLAST = ".ballast"
BALLAST_BYTES = 8 << 20
"""A report and a message are a few KiB, Dagster's records of a run less than 1 MiB."""


def lay(home: Path) -> None:
    """Lays the ballast, beside the one that lies there, and then in its place. Raises ``OSError``.

    Where there is no room for that no night can be made: what there was is let go of, so that it can be told.
    """
    home.mkdir(parents=True, exist_ok=True)
    anew = home / f"{BALLAST}.new"  # the same for all: what a killed night has left of it is written over
    try:
        with anew.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, BALLAST_BYTES)
        with contextlib.suppress(FileNotFoundError):  # another has laid it, or let go of all there is
            anew.replace(home / BALLAST)
    except OSError as error:
        let_go(home)
        raise OSError(error.errno, error.strerror, str(home)) from error


def let_go(home: Path) -> None:
    """Gives the room back, until the next night that has some."""
    for path in home.glob(f"{BALLAST}*"):
        with contextlib.suppress(OSError):
            path.unlink()
