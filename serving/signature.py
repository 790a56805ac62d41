"""Whether a token is signed, looked at before anything else of it: whoever has no key is told so at a small price.

PyJWT looks at each character of a token in a loop of Python, twice, before it checks the signature: 2-3 ms of one of
16,000 characters, for anyone who asks. What is signed it still reads, and judges, by itself.
"""

import base64
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

MOST_HEADER = 1_000
"""Characters of a token's header; those of Maskinporten and Altinn are a hundred."""

_HASHES = {"RS256": SHA256(), "RS384": SHA384(), "RS512": SHA512()}


def header_of(token: str) -> dict[str, Any] | None:
    """The header of a signed token (RFC 7515, 3.1), when it has one."""
    head, _, rest = token.partition(".")
    if len(head) > MOST_HEADER or rest.count(".") != 1:
        return None
    try:
        header = json.loads(_decoded(head))
    except (ValueError, RecursionError):
        return None
    return header if isinstance(header, dict) else None


def is_signed(token: str, algorithm: str, key: RSAPublicKey) -> bool:
    """Whether the key has signed it."""
    message, _, signature = token.rpartition(".")
    if len(signature) > key.key_size // 6 + 2:  # six bits a character
        return False
    try:
        key.verify(_decoded(signature), message.encode(), PKCS1v15(), _HASHES[algorithm])
    except (InvalidSignature, ValueError):
        return False
    return True


def _decoded(text: str) -> bytes:
    """Base64 as tokens have it, without padding. Raises ``ValueError``."""
    return base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
