"""The page at ``/docs``: reads ``/openapi.json`` and lets a person try it. One file, nothing from elsewhere."""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

_PAGE = Path(__file__).parent / "pages" / "docs.html"


@cache
def docs_page() -> bytes:
    """The page, as it is served."""
    return _PAGE.read_bytes()


@cache
def content_security_policy() -> str:
    """Only the page's own script and style, known by their hashes, run; it talks to this server alone."""
    text = docs_page().decode()
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(text, 'script')}",
            f"style-src {_hash(text, 'style')}",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _hash(text: str, tag: str) -> str:
    (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
