"""ETags: strong, made of the content, so that they stay while the document does, over snapshots too."""

import re
from hashlib import sha256

_ITEM = re.compile(r'[ \t]*+(?:(?:W/)?("[\x21\x23-\x7e]*+")[ \t]*+)?(?:,|\Z)', re.ASCII)
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


def _tags(if_none_match: str) -> list[str]:
    found, place = [], 0
    while place < len(if_none_match):
        item = _ITEM.match(if_none_match, place)
        if not item:
            return []
        found.append(item[1])
        place = item.end()
    return found
