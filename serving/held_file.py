"""A file that belongs to one process while it lives: when it ends, however it does, the kernel gives it free."""

import fcntl
import os
from pathlib import Path


def hold(path: Path) -> int | None:
    """An open file, made when there is none, that is ours now; None when a living process has it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file
