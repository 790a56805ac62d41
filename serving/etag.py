"""ETags: strong, made of the content, so that they stay while the document does, over snapshots too."""

import re
from hashlib import sha256

_ITEM = re.compile(r'[ \t]*+(?:(W/)?("[\x21\x23-\x7e]*+")[ \t]*+)?(?:,|\Z)', re.ASCII)
"""One place of the list, which may be empty (RFC 9110, 5.6.1)."""


def digest(content: bytes) -> str:
    """What a tag tells of the content."""
    return sha256(content).hexdigest()[:24]


def etag(digest: str, coding: str) -> str:
    """The tag of an answer: of what it holds, and of how it is coded (RFC 9110, 8.8.3.3)."""
    return f'"{digest}"' if coding == "identity" else f'"{digest}-{coding}"'


def matches(if_none_match: str, tag: str) -> bool:
    """Whether the caller has it already. Weak comparison: ``W/`` before a tag makes no difference.

    What is no list of tags from end to end holds none.
    """
    return if_none_match == tag or if_none_match.strip() == "*" or tag in _tags(if_none_match)


def matches_strongly(if_match: str, tag: str) -> bool:
    """Whether the caller's document is still the right one. A weak tag never is (RFC 9110, 13.1.1)."""
    return if_match == tag or if_match.strip() == "*" or tag in _tags(if_match, weak=False)


def _tags(listed: str, *, weak: bool = True) -> list[str]:
    """The tags of a list; the weak ones too, when they count."""
    found, place = [], 0
    while place < len(listed):
        item = _ITEM.match(listed, place)
        if not item:
            return []
        if weak or not item[1]:
            found.append(item[2])
        place = item.end()
    return found
