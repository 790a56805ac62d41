"""What was made last, kept in memory of a bounded size: callers ask for the same again, soon and often."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

OVERHEAD = 500
"""Bytes that an entry takes beside its content, about."""

Made = TypeVar("Made")


class Recent(Generic[Made]):
    """Entries by key; the one not used for longest goes first. For one thread."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._kept: OrderedDict[Hashable, tuple[Made, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable) -> Made | None:
        """What is kept, or None."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def keep(self, key: Hashable, made: Made, content_bytes: int) -> None:
        """Keeps what ``get`` had not; unless it is so large that it would push much else out."""
        size = content_bytes + OVERHEAD
        if size > self._most / 16:
            return
        self._kept[key] = made, size
        self._bytes += size
        while self._bytes > self._most:
            _, (_, freed) = self._kept.popitem(last=False)
            self._bytes -= freed
