"""Which code makes the documents: when it changes, so may every document, and none is carried over."""

import hashlib
from importlib.metadata import version
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_LIBRARIES = ("duckdb", "llvmlite", "numba", "numpy", "polars", "pyarrow", "zstandard")


def _code_sha256() -> str:
    content = hashlib.sha256()
    for path in sorted((*(_ROOT / "schemas").glob("*.py"), *(_ROOT / "transforms").glob("*.py"))):
        content.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return content.hexdigest()


CODE = {"code": _code_sha256(), **{name: version(name) for name in _LIBRARIES}}
"""A hash of the source of ``schemas`` and ``transforms``, and the libraries' versions, as the program began."""
