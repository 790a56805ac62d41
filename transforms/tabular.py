"""Reads a delivered file, Parquet or CSV, a batch at a time (CONTRACT section 1).

A batch comes out with the table's columns in the contract's order, each either as text or as the
Parquet type that fits its kind; the values themselves are not looked at here. What makes the file
as a whole unusable is raised as ``FileRefused`` with every reason found.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from schemas.tables import AMOUNTS, REMOVED, Column, Kind, Table

BATCH_ROWS = 262_144
CSV_BLOCK_BYTES = 16 << 20
"""A CSV row must fit in one block."""

ENDINGS = (".parquet", ".csv", ".csv.gz", ".csv.zst")


class FileRefused(Exception):
    """The file cannot be used; ``reasons`` are (code, explanation) pairs."""

    def __init__(self, *reasons: tuple[str, str]) -> None:
        super().__init__("; ".join(explanation for _, explanation in reasons))
        self.reasons = reasons


def read_batches(path: Path, table: Table, *, removals: bool) -> Iterator[pl.DataFrame]:
    """The file's rows as raw frames: the table's columns, then ``slettet`` if the file has it.

    ``removals``: whether the column ``slettet`` is allowed (only in an ``endring``).
    An empty text is null. Raises ``FileRefused``.
    """
    batches = _parquet(path, table, removals) if path.suffix == ".parquet" else _csv(path, table, removals)
    try:
        for batch in batches:
            batch.validate(full=True)  # text from Parquet may hold bytes that are no UTF-8
            yield _as_polars(batch)
    except (pa.ArrowException, OSError, EOFError, ValueError) as error:
        raise FileRefused(("L1-UNREADABLE", _plain(error))) from error


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
    reasons = [
        ("L1-COLUMN-MISSING", f"column {name} is missing") for name in table.names if name not in names
    ]
    unknown = sum(name not in allowed for name in names)
    if unknown:
        reasons.append(
            ("L1-COLUMN-UNKNOWN", f"{unknown} of {len(names)} columns are not among {', '.join(allowed)}")
        )
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
        "Expected ": "a line has another number of fields than the header",
        "CSV parse error": "the lines cannot be read as CSV",
        "straddling": f"a row is larger than {CSV_BLOCK_BYTES >> 20} MiB, or a quote is never closed",
        "UTF8": "the text is not UTF-8",
        "UTF-8": "the text is not UTF-8",
    }
    return next((plain for sign, plain in known.items() if sign in text), "the content cannot be read")


# --- Parquet -----------------------------------------------------------------------------------


def _parquet(path: Path, table: Table, removals: bool) -> Iterator[pa.RecordBatch]:
    with pa.parquet.ParquetFile(path) as file:
        schema = file.schema_arrow
        columns = check_columns(schema.names, table, removals=removals)
        wrong = [
            ("L1-COLUMN-TYPE", f"column {name} has a type that a {column.kind} cannot have")
            for name in columns
            if not _type_fits(schema.field(name).type, column := _column(table, name))
        ]
        if wrong:
            raise FileRefused(*wrong)
        for batch in file.iter_batches(BATCH_ROWS, columns=columns):
            yield _plain_types(batch.select(columns))


def _column(table: Table, name: str) -> Column:
    return REMOVED if name == REMOVED.name else table[name]


def _type_fits(dtype: pa.DataType, column: Column) -> bool:
    """Text is read for any column, as in CSV; else the type must be that of the column's kind."""
    if pa.types.is_dictionary(dtype):
        dtype = dtype.value_type
    if pa.types.is_string(dtype) or pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype):
        return True
    if column.kind in AMOUNTS:
        return pa.types.is_decimal(dtype) and dtype.scale == 2 and dtype.precision <= 18
    if column.kind == Kind.DATE:
        return pa.types.is_date32(dtype)
    return column.kind == Kind.FLAG and pa.types.is_boolean(dtype)


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


class _Lines:
    """The bytes of a CSV file, with what the reader stumbles over put right.

    Blank lines before the header go, the last line gets its end, and the quotes are counted:
    an odd number means that one is never closed.
    """

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._quotes = 0
        self._started = self._ended = False
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._source.read(size)
        while data and not self._started:
            data = data.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
            if data:
                self._started = True
            else:
                data = self._source.read(size)
        self._quotes += data.count(b'"')
        if not data and not self._ended:
            self._ended = True
            if self._quotes % 2:
                raise FileRefused(("L1-UNREADABLE", "a quote is never closed"))
            return b"\n"
        return data

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


def _csv(path: Path, table: Table, removals: bool) -> Iterator[pa.RecordBatch]:
    compression = {".gz": "gzip", ".zst": "zstd"}.get(path.suffix)
    known = [*table.names, REMOVED.name]
    with pa.input_stream(os.fspath(path), compression=compression) as source:
        reader = pa.csv.open_csv(
            pa.PythonFile(_Lines(source), mode="r"),
            read_options=pa.csv.ReadOptions(block_size=CSV_BLOCK_BYTES),
            parse_options=pa.csv.ParseOptions(newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(column_types=dict.fromkeys(known, pa.string())),
        )
        columns = check_columns(reader.schema.names, table, removals=removals)
        for batch in reader:
            yield batch.select(columns)
