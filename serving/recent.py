"""A cache of bounded size, of what was asked for last: callers ask for the same again, soon and often."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

OVERHEAD = 500
"""Bytes that an entry takes beside its content, about."""

Content = TypeVar("Content")


class Recent(Generic[Content]):
    """Entries by key; the one not used for longest goes first. For one thread."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._cached: OrderedDict[Hashable, tuple[Content, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable) -> Content | None:
        """What is cached, or None."""
        found = self._cached.get(key)
        if found is None:
            return None
        self._cached.move_to_end(key)
        return found[0]

    def add(self, key: Hashable, content: Content, content_bytes: int) -> None:
        """Caches what ``get`` had not; unless it is so large that it would push much else out."""
        size = content_bytes + OVERHEAD
        if size > self._most / 16:
            return
        self._cached[key] = content, size
        self._bytes += size
        while self._bytes > self._most:
            _, (_, freed) = self._cached.popitem(last=False)
            self._bytes -= freed
