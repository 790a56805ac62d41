"""Whom to tell when ``operations.toml`` is wrong: what it said when it was right last, ``alarms/last-good.json``.

The webhook's address, which may hold a key, stands in it: only the runs' user may read it.
"""

import contextlib
from pathlib import Path

from alarms.outbox import ALARMS
from schemas.operations import Operations
from transforms.home.snapshot import whole_file

FILE_NAME = "last-good.json"


def keep(home: Path, operations: Operations) -> None:
    """Keeps what was read well, if it names whom to tell; where it cannot be written, what was kept before stays."""
    path = home / ALARMS / FILE_NAME
    with contextlib.suppress(OSError):
        if operations.webhook is None:
            path.unlink(missing_ok=True)
        elif kept(home) != operations:  # also where that is damaged, or another user's
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as half_written:
                half_written.touch(0o600)
                half_written.write_text(operations.model_dump_json(), "utf-8")


def kept(home: Path) -> Operations:
    """What was read well last; the defaults, with nobody to tell, where that is not known."""
    with contextlib.suppress(OSError, ValueError):
        return Operations.model_validate_json((home / ALARMS / FILE_NAME).read_bytes())
    return Operations()
