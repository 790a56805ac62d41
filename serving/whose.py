"""Whose a document is, told by its own bytes: what is read for a part must be that part's, whatever led to it.

An overview begins with the part that it was asked for. Each post of a history begins with the part that it belongs to:
the document's own, or for an ENK its owner (CONTRACT section 3, *Whose posts*). Neither can stand in a text, where its
quotes would be escaped.
"""

import re
from collections.abc import Sequence

_PERSONS = re.compile(rb',\{"part":"([0-9]{11})",')


def is_oversikt_of(text: bytes, part: str) -> bool:
    """Whether the overview is the part's."""
    return text.startswith(b'{"forespurtPart":"%s",' % part.encode())


class Whose:
    """Whose posts one document of a part may show."""

    def __init__(self, part: str, innehaver: str | None, *, innehaver_known: bool = True) -> None:
        """Unless ``innehaver_known`` (an earlier program's snapshot doesn't tell it), a part of nine digits may show
        the posts of one person, whoever that is.
        """
        self._posts = tuple(_beginning(number) for number in (part, innehaver) if number)
        self._may_have_owner = not innehaver_known and len(part) == 9

    def has_posts(self, frame: bytes, start: int, ends: Sequence[int]) -> bool:
        """Whether each post of a history is the part's or its owner's, and the last one ends where the frame does.

        ``frame``: as in ``schemas.store``, its posts from ``start`` on. ``ends``: of each post, counted from there; a
        post without bytes stands elsewhere.
        """
        before = 0
        for end in ends:
            if end != before and not self.has_post(frame, start + before):
                return False
            before = end
        return start + before == len(frame)

    def has_post(self, text: bytes, start: int = 0) -> bool:
        """Whether the post that begins at ``start``, with its comma, is the part's or its owner's."""
        return text.startswith(self._posts, start) or self._is_owners(text, start)

    def _is_owners(self, text: bytes, start: int) -> bool:
        """Whether it is a person's, who then is the owner in all that follows."""
        found = _PERSONS.match(text, start) if self._may_have_owner else None
        if not found:
            return False
        self._posts += (found[0],)
        self._may_have_owner = False
        return True


def _beginning(number: str) -> bytes:
    return b',{"part":"%s",' % number.encode()
