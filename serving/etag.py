"""ETags: strong, made of the content, so that they stay while the document does, over snapshots too."""

import re
from hashlib import blake2b

_TAG = re.compile(r'"[\x21\x23-\x7e]*"', re.ASCII)


def etag(content: bytes, coding: str) -> str:
    """The tag of an answer: of what it holds, and of how it is coded (RFC 9110, 8.8.3.3)."""
    digest = blake2b(content, digest_size=12).hexdigest()
    return f'"{digest}"' if coding == "identity" else f'"{digest}-{coding}"'


def matches(if_none_match: str, tag: str) -> bool:
    """Whether the caller has it already. Weak comparison: ``W/`` before a tag makes no difference."""
    return if_none_match == tag or if_none_match.strip() == "*" or tag in _TAG.findall(if_none_match)
