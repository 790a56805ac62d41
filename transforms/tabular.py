"""Reads a delivered file, Parquet or CSV, a batch at a time (CONTRACT section 1).

A batch comes out with the table's columns in the contract's order, each either as text or as the
Parquet type that fits its kind; the values themselves are not looked at here. What makes the file
as a whole unusable is raised as ``FileRefused`` with every reason found.
"""

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import polars as pl
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from schemas.tables import AMOUNTS, REMOVED, Column, Kind, Table

BATCH_ROWS = 262_144
BATCH_BYTES = 256 << 20
"""What the texts of a batch may take, were each as long as the longest that repeats."""

CSV_BLOCK_BYTES = 16 << 20
"""A CSV row must fit in one block."""

CSV_HEADER_BYTES = 64 << 10
"""The header must fit in this: a column costs the reader far more memory than its name does."""

UNPACKED_RATIO = 1000
UNPACKED_BYTES = 64 << 20
"""A file may unpack to so many times its size, and always to so many bytes: beyond is no ledger."""

ENDINGS = (".parquet", ".csv", ".csv.gz", ".csv.zst")


class FileRefused(Exception):  # noqa: N818 - a verdict, not a failure
    """The file cannot be used; ``reasons`` are (code, explanation) pairs."""

    def __init__(self, *reasons: tuple[str, str]) -> None:
        super().__init__("; ".join(explanation for _, explanation in reasons))
        self.reasons = reasons


def read_batches(path: Path, table: Table, *, removals: bool) -> Iterator[pl.DataFrame]:
    """The file's rows as raw frames: the table's columns, then ``slettet`` if the file has it.

    ``removals``: whether the column ``slettet`` is allowed (only in an ``endring``).
    An empty text is null. Raises ``FileRefused``.
    """
    read = _parquet if path.name.endswith(".parquet") else _csv
    try:
        for batch in read(path, table, removals):
            batch.validate(full=True)  # text from Parquet may hold bytes that are no UTF-8
            yield _as_polars(batch)
    except (pa.ArrowException, OSError, EOFError, ValueError, csv.Error) as error:
        raise FileRefused(("L1-UNREADABLE", _plain(error))) from error


class _Unpacked:
    """Counts the bytes that a file unpacks to and refuses it when they are out of all proportion."""

    def __init__(self, path: Path) -> None:
        self._left = max(UNPACKED_BYTES, UNPACKED_RATIO * path.stat().st_size)

    def count(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            text = f"it unpacks to more than {UNPACKED_RATIO} times its size"
            raise FileRefused(("L1-UNREADABLE", text))


def _as_polars(batch: pa.RecordBatch) -> pl.DataFrame:
    frame = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch])))
    texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    return frame.with_columns(pl.when(pl.col(texts) != "").then(pl.col(texts)))


def check_columns(names: list[str], table: Table, *, removals: bool) -> list[str]:
    """The columns to read, in the contract's order. Raises ``FileRefused`` naming all that is wrong.

    A delivered column's name is shown only when the contract knows it: a file without a header
    has data where the names should be.
    """
    allowed = [*table.names, REMOVED.name] if removals else list(table.names)
    reasons = [("L1-COLUMN-MISSING", f"column {name} is missing") for name in table.names if name not in names]
    unknown = sum(name not in allowed for name in names)
    if unknown:
        reasons.append(("L1-COLUMN-UNKNOWN", f"{unknown} of {len(names)} columns are not among {', '.join(allowed)}"))
    reasons += [
        ("L1-COLUMN-TWICE", f"column {name} is there {names.count(name)} times")
        for name in allowed
        if names.count(name) > 1
    ]
    if reasons:
        raise FileRefused(*reasons)
    return [name for name in allowed if name in names]


def _plain(error: Exception) -> str:
    """What is wrong, without the data that the library shows of the offending line."""
    text = str(error)
    known = {
        "CSV parse error: Expected ": "a line has another number of fields than the header",
        "CSV parse error": "the lines cannot be read as CSV",
        "straddling": f"a row is larger than {CSV_BLOCK_BYTES >> 20} MiB, or a quote is never closed",
        "UTF8": "the text is not UTF-8",
        "UTF-8": "the text is not UTF-8",
        "utf-8": "the text is not UTF-8",
    }
    return next((plain for sign, plain in known.items() if sign in text), "the content cannot be read")


# --- Parquet -----------------------------------------------------------------------------------

PARQUET_BUFFER_BYTES = 1 << 20
"""Column chunks are read through buffers of this size, not whole."""

DELTA_ROWS = 1024
"""Rows at a time where texts are stored as what they add to the text before: how long is not known."""


def _parquet(path: Path, table: Table, removals: bool) -> Iterator[pa.RecordBatch]:
    unpacked = _Unpacked(path)
    with pa.parquet.ParquetFile(path, buffer_size=PARQUET_BUFFER_BYTES) as file:
        schema = file.schema_arrow
        columns = check_columns(schema.names, table, removals=removals)
        wrong = [
            ("L1-COLUMN-TYPE", f"column {name} has a type that a {column.kind} cannot have")
            for name in columns
            if not _type_fits(schema.field(name).type, column := _column(table, name))
        ]
        if wrong:
            raise FileRefused(*wrong)
        texts = [name for name in columns if _is_text(_value_type(schema.field(name).type))]
        rows = _batch_rows(path, file.metadata, columns, texts)
        for batch in file.iter_batches(rows, columns=columns):
            plain = _plain_types(batch.select(columns))
            unpacked.count(plain.nbytes)
            yield plain


def _batch_rows(path: Path, metadata: pa.parquet.FileMetaData, columns: list[str], texts: list[str]) -> int:
    """How many rows to unpack at a time, so that their texts fit in memory.

    A text that repeats is stored once, so a small file may hold a million copies of a large one.
    The first row of a row group brings with it all its texts that may repeat.
    """
    packed, rows, longest = _Unpacked(path), BATCH_ROWS, 1
    with pa.parquet.ParquetFile(
        path, read_dictionary=texts, buffer_size=PARQUET_BUFFER_BYTES, metadata=metadata
    ) as file:
        for place in range(metadata.num_row_groups):
            group = metadata.row_group(place)
            packed.count(group.total_byte_size)
            first = next(file.iter_batches(1, row_groups=[place], columns=columns), None)
            longest = max(longest, sum(map(_longest_text, first.select(texts).columns)) if first else 0)
            rows = min(rows, BATCH_BYTES * group.num_rows // max(1, group.total_byte_size))
            # Only now: pyarrow aborts the process over metadata of a column that cannot be read.
            chunks = map(group.column, range(metadata.num_columns))
            if any("DELTA_BYTE_ARRAY" in chunk.encodings for chunk in chunks):
                rows = min(rows, DELTA_ROWS)
    return max(1, min(rows, BATCH_BYTES // longest))


def _longest_text(array: pa.Array) -> int:
    texts = array.dictionary if pa.types.is_dictionary(array.type) else array
    return pa.compute.max(pa.compute.binary_length(texts)).as_py() or 0


def _column(table: Table, name: str) -> Column:
    return REMOVED if name == REMOVED.name else table[name]


def _type_fits(dtype: pa.DataType, column: Column) -> bool:
    """Text is read for any column, as in CSV; else the type must be that of the column's kind."""
    if _is_text(_value_type(dtype)):
        return True
    if column.kind in AMOUNTS:
        return pa.types.is_decimal(dtype) and dtype.scale == 2 and dtype.precision <= 18
    if column.kind == Kind.DATE:
        return pa.types.is_date32(dtype)
    return column.kind == Kind.FLAG and pa.types.is_boolean(dtype)


def _value_type(dtype: pa.DataType) -> pa.DataType:
    return dtype.value_type if pa.types.is_dictionary(dtype) else dtype


def _is_text(dtype: pa.DataType) -> bool:
    return pa.types.is_string(dtype) or pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype)


def _plain_types(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Dictionaries and narrow decimals as plain columns, so that what follows knows four types."""
    arrays = []
    for array in batch.columns:
        if pa.types.is_dictionary(array.type):
            array = array.cast(pa.large_string())
        elif pa.types.is_decimal(array.type) and array.type != pa.decimal128(18, 2):
            array = array.cast(pa.decimal128(18, 2))
        arrays.append(array)
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


# --- CSV ---------------------------------------------------------------------------------------

BOM = b"\xef\xbb\xbf"


class _Lines:
    """The bytes of a CSV file, with what the reader stumbles over put right.

    A BOM and blank lines before the header go, the last line gets its end, and a quote that
    stands where RFC 4180 has none refuses the file (the reader would guess).
    """

    def __init__(self, source: IO[bytes], unpacked: _Unpacked) -> None:
        self._source = source
        self._unpacked = unpacked
        self._quotes = _Quotes()
        self._ended = False
        self.closed = False
        data = self._full(b"", CSV_HEADER_BYTES).removeprefix(BOM).lstrip(b"\r\n")
        while not data and (more := self._next(CSV_HEADER_BYTES)):
            data = more.lstrip(b"\r\n")
        self._ahead = self._full(data, CSV_HEADER_BYTES)

    def header(self) -> list[str]:
        """The names in the first line."""
        line = self._ahead.replace(b"\r", b"\n").partition(b"\n")[0]
        if not line:
            raise FileRefused(("L1-UNREADABLE", "the file is empty"))
        if len(line) >= CSV_HEADER_BYTES:
            text = f"the first line is longer than {CSV_HEADER_BYTES >> 10} KiB"
            raise FileRefused(("L1-UNREADABLE", text))
        return next(csv.reader([line.decode()], strict=True))

    def read(self, size: int) -> bytes:
        """``size`` bytes, and fewer only at the end."""
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        data = self._full(data, size)
        self._quotes.check(data)
        if len(data) < size and not self._ended:
            self._ended = True
            self._quotes.end()
            return data + b"\n"
        return data

    def _full(self, data: bytes, size: int) -> bytes:
        pieces, length = [data], len(data)
        while length < size and (more := self._next(size - length)):
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


class _Quotes:
    """Holds every quote against RFC 4180, a piece of the file at a time.

    Quotes open and close in turn (a doubled one closes and opens again). Before one that opens and
    after one that closes there is a comma, the end or start of a line, or the other of a doubled one.
    """

    NEIGHBOURS = pl.Series(list(b',\r\n"'), dtype=pl.UInt8)

    def __init__(self) -> None:
        self._open = False
        self._last = b"\n"

    def check(self, data: bytes) -> None:
        just_closed = self._last == b'"' and not self._open
        if just_closed and data[:1] not in (b"", b",", b"\r", b"\n", b'"'):
            self._refuse()
        if b'"' in data:
            self._check_places(data)
        self._last = data[-1:] or self._last

    def _check_places(self, data: bytes) -> None:
        array = pa.Array.from_buffers(pa.uint8(), len(data), [None, pa.py_buffer(data)])
        content = pl.Series(array)
        places = (content == ord('"')).arg_true()
        opening = places.gather_every(2, offset=int(self._open))
        closing = places.gather_every(2, offset=int(not self._open))
        before = content.shift(1, fill_value=self._last[0]).gather(opening)
        after = content.shift(-1, fill_value=ord(",")).gather(closing)
        if not (before.is_in(self.NEIGHBOURS).all() and after.is_in(self.NEIGHBOURS).all()):
            self._refuse()
        self._open ^= bool(places.len() % 2)

    def end(self) -> None:
        if self._open:
            raise FileRefused(("L1-UNREADABLE", "a quote is never closed"))

    def _refuse(self) -> None:
        text = "a quote stands inside a field: quote the whole field and double the quotes in it"
        raise FileRefused(("L1-UNREADABLE", text))


def _csv(path: Path, table: Table, removals: bool) -> Iterator[pa.RecordBatch]:
    compression = {".gz": "gzip", ".zst": "zstd"}.get(path.suffix)
    with pa.input_stream(os.fspath(path), compression=compression) as source:
        lines = _Lines(source, _Unpacked(path))
        columns = check_columns(lines.header(), table, removals=removals)
        reader = pa.csv.open_csv(
            pa.PythonFile(lines, mode="r"),
            read_options=pa.csv.ReadOptions(block_size=CSV_BLOCK_BYTES),
            parse_options=pa.csv.ParseOptions(newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()), include_columns=columns
            ),
        )
        for batch in reader:
            for start in range(0, batch.num_rows, BATCH_ROWS):
                yield batch.slice(start, BATCH_ROWS)
