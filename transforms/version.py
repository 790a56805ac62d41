"""Which code makes the documents: when it changes, so may every document, and none is carried over."""

import hashlib
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent


@cache
def code_sha256() -> str:
    """A hash of the source of ``schemas`` and ``transforms``."""
    content = hashlib.sha256()
    for path in sorted((*(_ROOT / "schemas").glob("*.py"), *(_ROOT / "transforms").glob("*.py"))):
        content.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return content.hexdigest()
