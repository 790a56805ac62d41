"""Reads a CSV file in pieces of whole rows (CONTRACT section 1)."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.csv

from schemas.tables import Table
from transforms.accept.batches import Unpacked, check_columns
from transforms.accept.broken_line import broken_line
from transforms.accept.unreadable import (
    LONG_ROW,
    LONGEST_ROW,
    NO_CSV,
    NOT_UTF8,
    OPEN_QUOTE,
    RAGGED,
    STRAY_QUOTE,
    FileRefused,
    plain,
    unreadable,
)

CSV_BLOCK_BYTES = LONGEST_ROW
"""A row must fit in one block."""

CSV_HEADER_BYTES = 64 << 10
"""The header must fit in this: a column costs the reader far more memory than its name does."""

OF_A_LINE = {RAGGED, NO_CSV, NOT_UTF8, STRAY_QUOTE, OPEN_QUOTE, LONG_ROW}
"""What is wrong with one line, or from it on."""

LINE_END = len(b"\r\n")

BOM = b"\xef\xbb\xbf"


def csv_pieces(path: Path, table: Table, removals: bool) -> Iterator[pa.RecordBatch]:
    """The rows, every column as text, a block at a time. Raises ``FileRefused``, and what pyarrow raises."""
    compression = {".gz": "gzip", ".zst": "zstd"}.get(path.suffix)
    try:
        yield from _pieces(path, compression, table, removals)
    except (FileRefused, pa.ArrowInvalid, UnicodeDecodeError, csv.Error) as error:
        broken = broken_line(path, compression) if plain(error) in OF_A_LINE else None
        if broken is None:
            raise
        raise unreadable("line {}: {}".format(*broken)) from error  # the first, which the reader may not have met first


def _pieces(path: Path, compression: str | None, table: Table, removals: bool) -> Iterator[pa.RecordBatch]:
    with pa.input_stream(os.fspath(path), compression=compression) as source:
        blocks = _Blocks(source, Unpacked(path))
        columns = check_columns(blocks.header(), table, removals=removals)
        yield from pa.csv.open_csv(
            pa.PythonFile(blocks, mode="r"),
            read_options=pa.csv.ReadOptions(block_size=CSV_BLOCK_BYTES + 2 * LINE_END),
            # A block is whole rows, so the reader need not look for where they end: it loses a line break
            # that lies across two blocks.
            parse_options=pa.csv.ParseOptions(newlines_in_values=False),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()), include_columns=columns
            ),
        )


class _Blocks:
    """The bytes of a CSV file as the reader wants them: in blocks of whole rows.

    A BOM and blank lines before the header go, the last line gets its end, and a quote that stands
    where RFC 4180 has none refuses the file (the reader would guess). A CR LF outside of quotes may be
    parted: the LF is then an empty line.
    """

    def __init__(self, source: IO[bytes], unpacked: Unpacked) -> None:
        self._source = source
        self._unpacked = unpacked
        self._size = CSV_BLOCK_BYTES + LINE_END
        self.closed = False
        data = self._fill(b"").removeprefix(BOM).lstrip(b"\r\n")
        while not data and (more := self._next(self._size)):
            data = more.lstrip(b"\r\n")
        self._begun = data  # what is read and not given yet

    def header(self) -> list[str]:
        """The names in the first line. Raises ``FileRefused``."""
        line = self._begun[:CSV_HEADER_BYTES].replace(b"\r", b"\n").partition(b"\n")[0]
        if not line:
            raise unreadable("the file is empty")
        if len(line) >= CSV_HEADER_BYTES:
            raise unreadable(f"the first line is longer than {CSV_HEADER_BYTES >> 10} KiB")
        return next(csv.reader([line.decode()], strict=True))

    def read(self, _size: int) -> bytes:
        """The next rows, as many as fit in a block; nothing at the end. Raises ``FileRefused``."""
        data = self._fill(self._begun)
        if len(data) < self._size:
            data, self._begun = data and data + b"\n", b""  # the reader wants a header's line to end
            if rows_end(data) < len(data):
                raise unreadable(OPEN_QUOTE)
            return data
        end = rows_end(data)
        if not end:
            raise unreadable(LONG_ROW)
        self._begun = data[end:]
        return data[:end]

    def _fill(self, data: bytes) -> bytes:
        """The data with what comes after it, up to a block; less only at the end of the file."""
        pieces, length = [data], len(data)
        while length < self._size and (more := self._next(self._size - length)):
            pieces.append(more)
            length += len(more)
        return b"".join(pieces)

    def _next(self, size: int) -> bytes:
        data: bytes = self._source.read(size)
        self._unpacked.count(len(data))
        return data

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


_QUOTE, _LF, _CR = b'"\n\r'
_NEIGHBOUR = np.zeros(256, dtype=bool)
_NEIGHBOUR[list(b',\r\n"')] = True


def rows_end(data: bytes) -> int:
    """Where the last whole row in ``data`` ends; 0 when none does. ``data`` begins where a row does.

    Holds every quote against RFC 4180: quotes open and close in turn (a doubled one closes and opens
    again), and before one that opens and after one that closes there is a comma, the end or start of a
    line, or the other of a doubled one. Raises ``FileRefused`` where it is not so.
    """
    if b'"' not in data:
        return max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
    content = np.frombuffer(data, dtype=np.uint8)
    places = np.flatnonzero(content == _QUOTE)
    opening, closing = places[::2], places[1::2]
    before, after = opening[opening > 0] - 1, closing[closing < len(data) - 1] + 1
    if not (_NEIGHBOUR[content[before]].all() and _NEIGHBOUR[content[after]].all()):
        raise unreadable(STRAY_QUOTE)
    ends = np.flatnonzero((content == _LF) | (content == _CR))
    outside = ends[np.searchsorted(places, ends) % 2 == 0]
    return int(outside[-1]) + 1 if len(outside) else 0
