"""Which snapshot is in use: follows ``<home>/current`` and takes a new one into use without a pause."""

import logging
import os
from pathlib import Path

from serving.errors import KravoversiktError
from serving.store import CURRENT, Snapshot

log = logging.getLogger("kravoversikt.switch")

RETRY = 10
"""Looks between two tries at a snapshot that was refused."""


class Published:
    """The snapshot in use. A request takes ``snapshot`` once and keeps to it, so no answer is of two.

    ``follow`` is called again and again from a thread of its own. It reads where ``current`` points to; when that is
    elsewhere than before, it opens and checks the snapshot there and only then puts it in place of the old one. One
    that is broken or half is refused, and the old one stays. The old one's files are mapped, so they may be removed
    while the last requests that have it are answered.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._seen: Path | None = None
        self._looks = 0
        self.snapshot: Snapshot | None = None
        self.refused: str | None = None
        """The folder of the newest published snapshot, when it could not be taken into use."""

    def follow(self) -> bool:
        """One look at ``current``; True when another snapshot was taken into use.

        An error that is ours is raised, for the caller to tell; the snapshot is refused by it like by any other.
        """
        folder = Path(os.path.realpath(self._home / CURRENT))
        if folder == self._seen and (self.refused is None or self._looks < RETRY):
            self._looks += 1
            return False
        self._seen, self._looks = folder, 0
        try:
            snapshot = Snapshot(folder)
            snapshot.open_all()
        except KravoversiktError as error:
            if self.refused != folder.name:
                log.warning("snapshot %s is refused: %s", folder.name, error.said())
            self.refused = folder.name
            return False
        except Exception:
            self.refused = folder.name
            raise
        self.snapshot, self.refused = snapshot, None
        log.info("snapshot %s is in use", folder.name)
        return True
