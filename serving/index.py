"""The index of a snapshot, opened for look-ups: which row a part has, and where its documents lie.

The file is mapped, and workers share its memory. What it says was held to the manifest's checksum when it was opened;
of each row eight bytes are remembered from then, and every reading of the row is held to them: over a file that is
damaged afterwards, or overwritten by another, the answer is KB-002 for the rows that change, never another's document.
"""

import hashlib
import mmap
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.store import INDEX_SCHEMA, LATER_COLUMNS, SEGMENTS
from serving.errors import UnreadableError
from serving.manifest import Manifest

INDEX = "documents/index.arrow"

NEVER = -(2**62)
"""In place of the day of documents that don't exist."""

_SEED, _FACTOR, _WORD = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 2**64 - 1


class Index:
    """Columns of plain numbers, read without an Arrow object per look-up; the file's own memory where it can be."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        """Raises KB-002."""
        table = _open(folder, manifest)
        columns = {name: _chunk(table.column(name)) for name in table.column_names}
        self._parts = columns["part"]
        asked = pc.match_substring_regex(self._parts, "^([0-9]{9}|[0-9]{11})$")
        self._rows = _numbers(pc.indices_nonzero(asked).cast(pa.int64()))
        parts = self._parts.filter(asked)
        keys = pc.multiply(pc.utf8_rpad(parts, 11, "0").cast(pa.int64()), 2)
        self._keys = _numbers(pc.add(keys, pc.equal(pc.utf8_length(parts), 11).cast(pa.int64())))
        self.days = _numbers(pc.fill_null(columns["snapshotdato"].cast(pa.int32()).cast(pa.int64()), NEVER))
        """By row: the day of its documents, counted from 1970; ``NEVER`` when there are none."""
        self.segments_of = {kind: _texts(columns[of.column]) for of in SEGMENTS for kind in of.kinds}
        """By kind: the names of segments, and by row which of them its documents are in; -1 for none."""
        owners = columns.get("innehaver")
        self._owners = None if owners is None else _numbers(pc.fill_null(owners.cast(pa.int64()), 0))
        self._columns = {name: _numbers(column) for name, column in columns.items() if column.type == pa.int64()}
        self._checks = _checks_of(self._columns.values(), len(self._parts))

    def __len__(self) -> int:
        return len(self._parts)

    def row_of(self, part: str) -> int | None:
        """The row of a part; None when it is unknown."""
        key = _key(part)
        place = bisect_left(self._keys, key)
        return None if place == len(self._keys) or self._keys[place] != key else self._rows[place]

    def parts(self) -> Iterator[str]:
        """The parts that have documents, in part order."""
        for row, day in enumerate(self.days):
            if day != NEVER:
                yield self._parts[row].as_py()

    def tells_owners(self) -> bool:
        """Whether it says whose an ENK is: that of an earlier program doesn't."""
        return self._owners is not None

    def owner_of(self, row: int) -> str | None:
        """The person who owns the row's part, if it is an ENK."""
        number = self._owners[row] if self._owners is not None else 0
        return f"{number:011d}" if number else None

    def numbers(self, row: int) -> dict[str, int]:
        """The row's numbers by column (``schemas.store.Segments.numbers``). Raises KB-002 when they have changed."""
        found = {name: column[row] for name, column in self._columns.items()}
        if _check_of(found.values()) != self._checks[row]:
            raise UnreadableError(f"the index is not as it was opened (row {row})")
        return found


def _open(folder: Path, manifest: Manifest) -> pa.Table:
    """The table, mapped, and found to be the manifest's. Raises KB-002."""
    path, listed = folder / INDEX, manifest.files.get(INDEX)
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        # Arrow trusts its file: a damaged one could crash the process, or answer with another's documents.
        if listed is None or sha256 != listed.sha256:
            raise UnreadableError("the index is not the manifest's")
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_file(source).read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise UnreadableError(f"the index cannot be read ({type(error).__name__})") from error
    expected = [field for field in INDEX_SCHEMA if field.name in table.column_names or field.name not in LATER_COLUMNS]
    if not table.schema.equals(pa.schema(expected)):
        raise UnreadableError("the index has other columns than it must")
    return table


def mapped(path: Path) -> mmap.mmap | bytes:
    """A file's bytes, mapped. Raises ``OSError``, or ``ValueError`` over one that is cut meanwhile."""
    with path.open("rb") as file:
        empty = not path.stat().st_size
        return b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _checks_of(columns: Iterable[memoryview], rows: int) -> memoryview:
    """The check of each row. Each step is one-to-one, so no single number can change without changing it."""
    checks = np.full(rows, _SEED, np.uint64)
    for column in columns:
        checks ^= np.asarray(column).view(np.uint64)
        checks *= np.uint64(_FACTOR)
        checks ^= checks >> np.uint64(32)
    return checks.data


def _check_of(numbers: Iterable[int]) -> int:
    """The same of one row."""
    check = _SEED
    for number in numbers:
        check = (check ^ (number & _WORD)) * _FACTOR & _WORD
        check ^= check >> 32
    return check


@lru_cache(maxsize=10_000)
def _key(part: str) -> int:
    """A number that orders as the part's text does: 9 digits come right before the 11 that begin with them.

    -1, which no part has, for a text that is no part's number.
    """
    if len(part) not in (9, 11) or not (part.isascii() and part.isdigit()):
        return -1
    return int(part.ljust(11, "0")) * 2 + (len(part) == 11)


def _chunk(column: pa.ChunkedArray) -> pa.Array:
    """The column in one piece; the mapped file itself when it is written in one."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _texts(column: pa.Array) -> tuple[list[str], memoryview]:
    """The different texts of a column, and which of them is in each row; -1 for none."""
    encoded = column.dictionary_encode()
    return encoded.dictionary.to_pylist(), _numbers(pc.fill_null(encoded.indices.cast(pa.int64()), -1))


def _numbers(column: pa.Array) -> memoryview:
    """An int64 column without nulls as a sequence of numbers. Raises KB-002 over one that has some."""
    if column.null_count:
        raise UnreadableError("a number in the index is missing")
    start, buffer = column.offset, column.buffers()[1]
    numbers = memoryview(buffer if buffer is not None else b"").cast("B")
    return numbers[8 * start : 8 * (start + len(column))].cast("q")
