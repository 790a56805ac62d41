"""Which code makes the documents: when it changes, so may every document, and none is carried over."""

import hashlib
from importlib.metadata import version
from pathlib import Path

from transforms.root import ROOT

_LIBRARIES = ("duckdb", "llvmlite", "numba", "numpy", "polars", "pyarrow", "zstandard")


def source_files() -> list[Path]:
    """Every file of ``schemas`` and ``transforms``, in whichever folder."""
    return sorted((*(ROOT / "schemas").rglob("*.py"), *(ROOT / "transforms").rglob("*.py")))


def _code_sha256() -> str:
    content = hashlib.sha256()
    for path in source_files():
        content.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return content.hexdigest()


CODE = {"code": _code_sha256(), **{name: version(name) for name in _LIBRARIES}}
"""A hash of the source of ``schemas`` and ``transforms``, and the libraries' versions, as the program began."""
