"""Reads a Parquet file in pieces that fit in memory (CONTRACT section 1)."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from schemas.tables import AMOUNTS, REMOVED, Column, Kind, Table
from transforms.accept import batches
from transforms.accept.batches import Unpacked, check_columns
from transforms.accept.parquet_pages import largest_page
from transforms.accept.unreadable import FileRefused, unreadable

BUFFER_BYTES = 1 << 20
"""Column chunks are read through buffers of this size, not whole."""

SMALL_BYTES, SMALL_ROWS = 256 << 10, 1024
"""A row group that says it is so little is not looked into: a row of it takes no more than all of it does.

It may say so wrongly, so no more than that many rows are then read at a time.
"""


def parquet_pieces(path: Path, table: Table, removals: bool) -> Iterator[pa.RecordBatch]:
    """The rows, a few or many at a time, each column in one of the types of ``_plain_type``.

    Raises ``FileRefused``, and what pyarrow raises.
    """
    unpacked = Unpacked(path)
    with pa.parquet.ParquetFile(path, buffer_size=BUFFER_BYTES) as file:
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
        rows = _rows_at_a_time(path, file, columns, texts)
        for piece in file.iter_batches(rows, columns=columns):
            plain = _plain_types(piece.select(columns))
            unpacked.count(plain.nbytes)
            yield plain


def _column(table: Table, name: str) -> Column:
    return REMOVED if name == REMOVED.name else table[name]


# --- types -------------------------------------------------------------------------------------


def _type_fits(dtype: pa.DataType, column: Column) -> bool:
    """Text, and nothing at all, is read for any column, as in CSV; else the type must be that of the column's kind.

    The type is the Arrow type that the writer had: for a date of 64 bits the file holds one of 32.
    """
    dtype = _value_type(dtype)
    if _is_text(dtype) or pa.types.is_null(dtype):
        return True
    if column.kind in AMOUNTS:
        return bool(pa.types.is_decimal(dtype) and dtype.scale == 2)
    if column.kind == Kind.DATE:
        return bool(pa.types.is_date(dtype))
    return column.kind == Kind.FLAG and pa.types.is_boolean(dtype)


def _value_type(dtype: pa.DataType) -> pa.DataType:
    return dtype.value_type if pa.types.is_dictionary(dtype) else dtype


def _is_text(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_string(dtype) or pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype))


def _plain_types(piece: pa.RecordBatch) -> pa.RecordBatch:
    arrays = [
        array if array.type == (dtype := _plain_type(array.type)) else array.cast(dtype) for array in piece.columns
    ]
    return pa.RecordBatch.from_arrays(arrays, names=piece.schema.names)


def _plain_type(dtype: pa.DataType) -> pa.DataType:
    """What a type becomes, so that what follows knows four: text, date32, bool, decimal128.

    A decimal of more digits than decimal128 has becomes text, as an amount in CSV is.
    """
    value = _value_type(dtype)
    if pa.types.is_decimal(value):
        return pa.decimal128(max(18, value.precision), 2) if value.precision <= 38 else pa.string()
    if pa.types.is_date(value):
        return pa.date32()
    if pa.types.is_boolean(value) or pa.types.is_string(dtype):
        return value
    return pa.large_string()


# --- how many rows at a time -------------------------------------------------------------------


def _rows_at_a_time(path: Path, file: pa.parquet.ParquetFile, columns: list[str], texts: list[str]) -> int:
    """How many rows to unpack at a time, so that their texts fit in memory.

    Texts may be stored in far fewer bytes than they have, so a small file may hold a million copies of a large one.
    """
    packed, growing, longest, metadata = Unpacked(path), Unpacked(path), 1, file.metadata
    most = batches.BATCH_ROWS
    with pa.parquet.ParquetFile(path, read_dictionary=texts, buffer_size=BUFFER_BYTES, metadata=metadata) as repeated:
        for place in range(metadata.num_row_groups):
            group = metadata.row_group(place)
            packed.count(group.total_byte_size)
            if group.num_rows == 0:
                continue
            if group.total_byte_size <= SMALL_BYTES and group.num_rows <= SMALL_ROWS:
                longest, most = max(longest, group.total_byte_size), SMALL_ROWS
                continue
            # First: pyarrow aborts the process over metadata of a column that cannot be read.
            _first_row(file, place, columns)
            row = _longest_repeated(repeated, place, texts) + _longest_growing(path, file, place, texts, growing)
            longest = max(longest, _stored(group) // group.num_rows, row)
    return max(1, min(most, batches.BATCH_BYTES // longest))


def _first_row(file: pa.parquet.ParquetFile, place: int, columns: list[str]) -> pa.RecordBatch:
    """The row group's first row, and the dictionaries that come with it. Raises ``FileRefused`` where there is none."""
    for first in file.iter_batches(1, row_groups=[place], columns=columns):
        return first
    raise unreadable("its Parquet structure is damaged")


def _stored(group: pa.parquet.RowGroupMetaData) -> int:
    """The bytes of the row group before compression; some writers say too little of the whole, or nothing."""
    chunks = (group.column(number).total_uncompressed_size for number in range(group.num_columns))
    return int(max(group.total_byte_size, sum(chunks)))


def _longest_repeated(file: pa.parquet.ParquetFile, place: int, texts: list[str]) -> int:
    """The longest texts of the row group that repeat: they stand in dictionaries, which come with the first row."""
    columns = [chunk.path_in_schema for chunk in _stored_as("DICTIONARY", file, place, texts)]
    return sum(map(_longest_text, _first_row(file, place, columns).columns)) if columns else 0


def _longest_text(array: pa.Array) -> int:
    texts = array.dictionary if pa.types.is_dictionary(array.type) else array
    return int(pa.compute.max(pa.compute.binary_length(texts)).as_py() or 0)


def _longest_growing(path: Path, file: pa.parquet.ParquetFile, place: int, texts: list[str], unpacked: Unpacked) -> int:
    """The longest texts of the row group that are stored as what they add to the text before.

    Each may be as long as the page that it is in, and only reading tells: column by column, so many rows at a time
    as fit in memory at the very worst.
    """
    longest = 0
    for chunk in _stored_as("DELTA_BYTE_ARRAY", file, place, texts):
        rows = min(batches.BATCH_ROWS, max(1, batches.BATCH_BYTES // max(1, largest_page(path, chunk))))
        largest = 0
        for piece in file.iter_batches(rows, row_groups=[place], columns=[chunk.path_in_schema]):
            plain = _plain_types(piece)
            unpacked.count(plain.nbytes)
            largest = max(largest, _longest_text(plain.column(0)))
        longest += largest
    return longest


def _stored_as(
    encoding: str, file: pa.parquet.ParquetFile, place: int, texts: list[str]
) -> list[pa.parquet.ColumnChunkMetaData]:
    """The chunks of the row group that are texts, wholly or partly in that encoding."""
    group = file.metadata.row_group(place)
    chunks = [group.column(number) for number in range(group.num_columns)]
    return [
        chunk
        for chunk in chunks
        if chunk.path_in_schema in texts and any(name.endswith(encoding) for name in chunk.encodings)
    ]
