"""Deliveries: read from an inbox as rows of text, and which of them are in force (section 1).

Whole deliveries are taken to be good, apart from those that the caller names as refused.
"""

import csv
import io
import json
import re
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.plain.columns import TABLES

Cells = dict[str, str | None]
Number = tuple[str, int]
"""A delivery's identity: its source and its leveransenummer."""

COMPRESSIONS = {".csv.gz": "gzip", ".csv.zst": "zstd"}


@dataclass(frozen=True, eq=False)
class RawRow:
    """One row as delivered: cells as text, null as None, and its place."""

    kilde: str
    leveransenummer: int
    file: str
    number: int
    table: str
    cells: Cells

    @property
    def key(self) -> str | None:
        return self.cells.get(TABLES[self.table].key)

    @property
    def removes(self) -> bool:
        return self.cells.get("slettet") == "true"


@dataclass(frozen=True, eq=False)
class Delivery:
    """One delivery, read whole."""

    kilde: str
    leveransenummer: int
    type: str
    uttrekkstidspunkt: datetime
    manifest: bytes
    rows: list[RawRow] = field(repr=False)

    @property
    def number(self) -> Number:
        return self.kilde, self.leveransenummer


def read_inbox(inbox: Path, refused: Collection[Number] = ()) -> dict[Number, Delivery]:
    """Every delivery in the inbox that is not named as refused; a folder without a manifest is none."""
    found = {}
    for manifest in sorted(inbox.glob("*/*/manifest.json")):
        folder = manifest.parent
        if not re.fullmatch(r"[0-9]{6}", folder.name):
            continue
        number = (folder.parent.name, int(folder.name))
        if number not in refused:
            found[number] = read_delivery(folder)
    return found


def read_delivery(folder: Path) -> Delivery:
    manifest = (folder / "manifest.json").read_bytes()
    said = json.loads(manifest.decode("utf-8-sig"))
    rows = [
        RawRow(said["kilde"], said["leveransenummer"], file["sti"], number, table, cells)
        for table, content in said["tabeller"].items()
        for file in content["filer"]
        for number, cells in enumerate(read_file(folder / file["sti"]), start=1)
    ]
    extracted = datetime.fromisoformat(said["uttrekkstidspunkt"])
    return Delivery(said["kilde"], said["leveransenummer"], said["type"], extracted, manifest, rows)


def read_file(path: Path) -> Iterator[Cells]:
    """The rows of one file, whatever its ending says it is."""
    rows = _parquet_rows(path) if path.name.endswith(".parquet") else _csv_rows(path)
    for row in rows:
        yield {name: value or None for name, value in row.items()}  # an empty string is null


def _csv_rows(path: Path) -> Iterator[Cells]:
    csv.field_size_limit(sys.maxsize)
    text = _file_bytes(path).decode("utf-8-sig")
    lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    for line in lines[1:]:
        yield dict(zip(lines[0], line, strict=True))


def _file_bytes(path: Path) -> bytes:
    for ending, compression in COMPRESSIONS.items():
        if path.name.endswith(ending):
            with pa.CompressedInputStream(pa.OSFile(str(path)), compression) as stream:
                return stream.read()
    return path.read_bytes()


def _parquet_rows(path: Path) -> Iterator[Cells]:
    table = pq.ParquetFile(path).read()
    columns = {name: _column_text(table.column(name)) for name in table.column_names}
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _column_text(column: pa.ChunkedArray) -> list[str | None]:
    """The text that the same cells would have in CSV."""
    if pa.types.is_date32(column.type):
        return [_day_text(days) for days in column.cast(pa.int32()).to_pylist()]
    return [_cell_text(value) for value in column.to_pylist()]


def _day_text(days: int | None) -> str | None:
    """A day counted from 1970-01-01; one beyond the four-digit years is no date."""
    if days is None:
        return None
    try:
        return (date(1970, 1, 1) + timedelta(days=days)).isoformat()
    except OverflowError:
        return f"day {days}"


def _cell_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"an unreadable file: {type(value).__name__}")


def in_force(deliveries: Iterable[Delivery]) -> dict[str, list[Delivery]]:
    """Per source, its highest full and every endring numbered on from it without a gap.

    A source without a full is left out: it says nothing yet.
    """
    by_number = {delivery.number: delivery for delivery in deliveries}
    chains: dict[str, list[Delivery]] = {}
    for kilde in sorted({kilde for kilde, _ in by_number}):
        fulls = [nr for (of, nr), delivery in by_number.items() if of == kilde and delivery.type == "full"]
        if not fulls:
            continue
        nr = max(fulls)
        chains[kilde] = []
        while (kilde, nr) in by_number:
            chains[kilde].append(by_number[kilde, nr])
            nr += 1
    return chains
